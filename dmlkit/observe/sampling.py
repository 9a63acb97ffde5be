"""One look a second at the scheduler: what workers do, how far stages are, what is amiss."""

import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

from dask.utils import format_bytes, key_split

from dmlkit.observe.places import Place
from dmlkit.observe.runs import StageProgress
from dmlkit.observe.schema import WorkerState
from dmlkit.observe.story import Story

__all__ = ["Groups", "cautions", "look_at_workers", "skew", "versions_amiss"]

#: Seconds without a heartbeat after which a worker is shown as silent, at least.
SILENT = 5.0

#: Share of the limit from which a worker's memory is warned of, and seconds of spilling.
MEMORY_SHARE, SPILLING = 0.95, 60.0

#: Seconds that a worker's clock may be off.
CLOCK = 5.0

#: A result that has this share of the bytes of its group is told of, where there are so many
#: results and bytes; and how many results are looked at, at most.
SKEW_SHARE, SKEW_PARTS, SKEW_BYTES, SKEW_LOOKED_AT = 0.4, 5, 64 * 2**20, 5000

#: Task groups of a client that are counted, at most.
GROUPS = 1000

#: Packages whose versions must be the same everywhere.
PACKAGES = ("python", "dask", "distributed", "cloudpickle", "msgpack", "numpy", "pandas")


class Groups:
    """The task groups that a client's stages consist of, from the graphs that it sent."""

    def __init__(self) -> None:
        self._of_client: dict[str, dict[int, Any]] = defaultdict(dict)

    def add(self, client: str, groups: Iterable[Any]) -> None:
        """Take in the groups of a graph."""
        known = self._of_client[client]
        known.update((id(group), group) for group in groups)
        while len(known) > GROUPS:
            del known[next(iter(known))]

    def begin_stage(self, client: str) -> None:
        """Drop what is done: it was of earlier stages.

        A stage's graph may come before the news that the stage has begun: it is not done.
        """
        known = self._of_client[client]
        self._of_client[client] = {key: group for key, group in known.items() if not group.done}

    def forget(self, client: str) -> None:
        """Take in that a client is gone."""
        self._of_client.pop(client, None)

    def count(self, now: float, client: str, stage: StageProgress, threads: int) -> None:
        """Tell a stage how many tasks are done, and how much computing is left."""
        done = total = 0
        work = 0.0
        for group in self._of_client.get(client, {}).values():
            states = group.states
            over = states["memory"] + states["released"] + states["forgotten"] + states["erred"]
            every = sum(states.values())
            done, total = done + over, total + every
            mean = group.prefix.duration_average
            work += (every - over) * (mean if mean > 0 else 0.5)
        stage.count(now, done, total, work / max(threads, 1) if total else None)


def look_at_workers(story: Story, scheduler: Any, interval: float) -> None:
    """Take over what each worker told with its last heartbeat."""
    wall = time.time()
    for address, state in scheduler.workers.items():
        place = story.places.of(address)
        if place is None:
            continue
        metrics = state.metrics
        spilled = metrics.get("spilled_bytes") or {}
        place.memory = int(metrics.get("memory") or 0)
        place.cpu = float(metrics.get("cpu") or 0.0)
        place.processing = len(state.processing)
        place.held, place.held_bytes = len(state.has_what), int(state.nbytes)
        disk = int(spilled.get("disk") or 0)
        silence = wall - state.last_seen
        place.state = _state(place, state, disk, silence > max(SILENT, 5 * interval))
        place.spilled = disk


def _state(place: Place, state: Any, disk: int, silent: bool) -> WorkerState:
    if silent:
        return "silent"
    if state.status.name == "paused":
        return "paused"
    if disk > place.spilled:
        place.spilling_since = place.spilling_since or time.time()
        return "spilling"
    if disk == 0:
        place.spilling_since = None
    return "busy" if state.processing else "idle"


def cautions(story: Story, scheduler: Any) -> dict[tuple[str, str], str]:
    """Return what is amiss now, by kind and what it is about."""
    found: dict[tuple[str, str], str] = {}
    now = time.time()
    for place in story.places:
        state = scheduler.workers.get(place.address)
        if state is None or place.left is not None:
            continue
        name = f"Worker {place.name}"
        if place.memory_limit and place.memory > MEMORY_SHARE * place.memory_limit:
            found["memory", place.key] = (
                f"{name} holds {format_bytes(place.memory)} of {format_bytes(place.memory_limit)}: "
                "its nanny is about to kill it. Give workers more memory, or make partitions "
                "smaller."
            )
        since = place.spilling_since
        if since is not None and now - since > SPILLING:
            found["spilling", place.key] = (
                f"{name} has been spilling to disk for {now - since:.0f} s "
                f"({format_bytes(place.spilled)} there): work is slow for want of memory."
            )
        if abs(state.time_delay) > CLOCK:
            found["clock", place.key] = (
                f"The clock of {name} is {abs(state.time_delay):.0f} s off the scheduler's: "
                "times on this page and timeouts are off by as much. Run NTP there."
            )
    if scheduler.workers and all(w.status.name == "paused" for w in scheduler.workers.values()):
        found["all-paused", ""] = (
            "All workers have paused, since memory is full: nothing goes on. Give them more "
            "memory, at least 1 GiB for each thread."
        )
    if not scheduler.workers and scheduler.unrunnable:
        found["no-workers", ""] = (
            f"There are no workers, and {len(scheduler.unrunnable)} tasks wait for one."
        )
    return found


def versions_amiss(scheduler: Any, own: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return which packages have other versions at clients or workers than at the scheduler."""
    found = {}
    for package in PACKAGES:
        mine = own.get(package)
        others: dict[str, set[str]] = defaultdict(set)
        for address, state in scheduler.workers.items():
            others[str((state.versions.get("packages") or {}).get(package, mine))].add(address)
        for key, state in scheduler.clients.items():
            told = (state.versions or {}).get("packages") or {}
            others[str(told.get(package, mine))].add(key)
        others.pop(str(mine), None)
        if others:
            version, where = next(iter(others.items()))
            found["versions", package] = (
                f"{package} is {mine} at the scheduler and {version} at {len(where)} workers or "
                f"clients (such as {min(where)}). Install the same version everywhere."
            )
    return found


def skew(scheduler: Any) -> dict[tuple[str, str], str]:
    """Return groups of results one of which is much larger than the others together should be."""
    sizes: dict[str, list[int]] = defaultdict(list)
    held = chain.from_iterable(state.has_what for state in scheduler.workers.values())
    for task in islice(held, SKEW_LOOKED_AT):
        sizes[task.group.name].append(task.nbytes)
    found = {}
    for name, all_of in sizes.items():
        largest, total = max(all_of), sum(all_of)
        if len(all_of) >= SKEW_PARTS and total > SKEW_BYTES and largest > SKEW_SHARE * total:
            found["skew", name] = (
                f"One of {len(all_of)} parts of {key_split(name)} has {largest / total:.0%} of "
                f"its bytes ({format_bytes(largest)}): others wait for it, and it may not fit. "
                "Look for a key that many rows share, or cut the table into more parts."
            )
    return found
