"""What is amiss on a scheduler now, in words that a person can act on."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from dask.utils import format_bytes, key_split

from dmlkit.observe.efforts import efforts_by_worker, held_up_by
from dmlkit.observe.places import Place
from dmlkit.observe.story import Story

__all__ = ["Limits", "cautions", "skew", "versions_amiss"]

#: A result that has this share of the bytes of its group is told of, where there are so many
#: results and bytes; and how many results are looked at, at most.
SKEW_SHARE, SKEW_PARTS, SKEW_BYTES, SKEW_LOOKED_AT = 0.4, 5, 64 * 2**20, 5000

#: Packages whose versions must be the same everywhere.
PACKAGES = ("python", "dask", "distributed", "cloudpickle", "msgpack", "numpy", "pandas")

#: (kind, what it is about) -> what a person is told.
Found = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Limits:
    """From where on a person is warned.

    Attributes
    ----------
    memory : float
        Share of a worker's limit.
    spilling : float
        Seconds that a worker spills to disk.
    clock : float
        Seconds that a worker's clock is off.
    """

    memory: float = 0.95
    spilling: float = 60.0
    clock: float = 5.0


def cautions(story: Story, scheduler: Any, limits: Limits | None = None) -> Found:
    """Return what is amiss now with workers, the rows of stages, and the cluster as a whole."""
    found: Found = {}
    limits = limits or Limits()
    for place in story.places:
        state = scheduler.workers.get(place.address)
        if state is not None and place.left is None:
            for kind, text in _of_worker(place, state.time_delay, limits):
                found[kind, place.key] = text
    found.update(_of_rows(story))
    found.update(_of_trainings(story))
    found.update(_of_cluster(scheduler))
    return found


def _of_worker(place: Place, delay: float, limits: Limits) -> Iterator[tuple[str, str]]:
    name, now = f"Worker {place.name}", time.time()
    if place.memory_limit and place.memory > limits.memory * place.memory_limit:
        yield (
            "memory",
            f"{name} holds {format_bytes(place.memory)} of {format_bytes(place.memory_limit)}: "
            "its nanny is about to kill it. Give workers more memory, or make partitions smaller.",
        )
    since = place.spilling_since
    if since is not None and now - since > limits.spilling:
        yield (
            "spilling",
            f"{name} has been spilling to disk for {now - since:.0f} s "
            f"({format_bytes(place.spilled)} there): work is slow for want of memory. Give workers "
            "more of it, or start more of them.",
        )
    if abs(delay) > limits.clock:
        yield (
            "clock",
            f"The clock of {name} is {abs(delay):.0f} s off the scheduler's: times on this page "
            "and timeouts are off by as much. Run NTP there.",
        )


def _of_rows(story: Story) -> Iterator[tuple[tuple[str, str], str]]:
    for run in story.runs.running():
        stage = run.current
        for flow in stage.flows.values() if stage is not None else ():
            if stage is not None and (share := flow.skew) is not None:
                yield (
                    ("skew-rows", f"{run.id} {stage.name} {flow.what}"),
                    f"One of {flow.parts_total} partitions that stage {stage.name} has {flow.what} "
                    f"has {share:.0%} of the rows ({flow.largest:,}): others wait for it, and it "
                    "may not fit. Cut the table into more even files, or look for a key that many "
                    "rows share.",
                )


def _of_trainings(story: Story) -> Iterator[tuple[tuple[str, str], str]]:
    for training in story.trainings.running():
        held_up = held_up_by(efforts_by_worker(training.shards.values()))
        if held_up is not None:
            slowest, times = held_up
            place = story.places.of(slowest["worker"])
            name = slowest["worker"] if place is None else place.name
            yield (
                ("slowest", f"{training.id} {slowest['worker']}"),
                f"Worker {name} works {times:.1f} times as long in each round of the training as "
                f"the others, who wait for it; it has {slowest['share']:.0%} of the rows. See what "
                "else its machine does, or use workers of the same kind.",
            )


def _of_cluster(scheduler: Any) -> Iterator[tuple[tuple[str, str], str]]:
    workers = scheduler.workers.values()
    if workers and all(worker.status.name == "paused" for worker in workers):
        yield (
            ("all-paused", ""),
            "All workers have paused, since memory is full: nothing goes on. Give them more "
            "memory, at least 1 GiB for each thread.",
        )
    if not workers and scheduler.unrunnable:
        yield (
            ("no-workers", ""),
            f"There are no workers, and {len(scheduler.unrunnable)} tasks wait for one. Start "
            f"some: dask worker {scheduler.address}",
        )


def versions_amiss(scheduler: Any, own: dict[str, Any]) -> Found:
    """Return which packages have other versions at clients or workers than at the scheduler."""
    found: Found = {}
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
                f"{package} is {mine} at the scheduler and {version} at {_places(where)}. Install "
                "the same version everywhere."
            )
    return found


def _places(where: set[str]) -> str:
    """Return how many workers and clients these are, and one of them."""
    return (
        f"1 other place ({min(where)})"
        if len(where) == 1
        else (f"{len(where)} other places (such as {min(where)})")
    )


def skew(scheduler: Any) -> Found:
    """Return groups of results one of which is much larger than the others together should be."""
    sizes: dict[str, list[int]] = defaultdict(list)
    held = chain.from_iterable(state.has_what for state in scheduler.workers.values())
    for task in islice(held, SKEW_LOOKED_AT):
        sizes[task.group.name].append(task.nbytes)
    found: Found = {}
    for name, all_of in sizes.items():
        largest, total = max(all_of), sum(all_of)
        if len(all_of) >= SKEW_PARTS and total > SKEW_BYTES and largest > SKEW_SHARE * total:
            found["skew", name] = (
                f"One of {len(all_of)} parts of {key_split(name)} has {largest / total:.0%} of "
                f"its bytes ({format_bytes(largest)}): others wait for it, and it may not fit. "
                "Look for a key that many rows share, or cut the table into more parts."
            )
    return found
