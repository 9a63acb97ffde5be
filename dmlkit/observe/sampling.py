"""One look a second at the scheduler: what workers do, how far stages are."""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dmlkit.observe.places import Place
from dmlkit.observe.runs import StageProgress
from dmlkit.observe.schema import WorkerState
from dmlkit.observe.story import Story

__all__ = ["Groups", "look_at_workers"]

#: Seconds without a heartbeat after which a worker is shown as silent, at least.
SILENT = 5.0

#: Task groups of a client that are counted, at most.
GROUPS = 1000


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

    def clients_of(self, group: Any) -> list[str]:
        """Return the clients whose graphs a group is of."""
        return [client for client, groups in self._of_client.items() if id(group) in groups]

    def forget(self, client: str) -> None:
        """Take in that a client is gone."""
        self._of_client.pop(client, None)

    def count(self, now: float, client: str, stage: StageProgress, threads: int) -> None:
        """Tell a stage how many tasks are done, and how much computing is left."""
        done = total = 0
        work = 0.0
        groups = self._of_client.get(client, {})
        for group in groups.values():
            states = group.states
            over = states["memory"] + states["released"] + states["forgotten"] + states["erred"]
            every = sum(states.values())
            done, total = done + over, total + every
            mean = group.prefix.duration_average
            work += (every - over) * (mean if mean > 0 else 0.5)
        stage.count(now, done, total, work / max(threads, 1) if total else None)
        for flow in stage.flows.values():
            own = (group for group in groups.values() if group.name in flow.groups)
            flow.tick(now, sum(sum(group.states.values()) for group in own))


def look_at_workers(story: Story, scheduler: Any, interval: float) -> None:
    """Take over what each worker told with its last heartbeat."""
    wall, lending = time.time(), story.trainings.lending()
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
        if place.state == "idle" and address in lending:
            place.state = "busy"
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
