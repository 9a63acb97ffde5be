"""Where workers run: a place keeps its number and lane when a nanny starts another worker there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dmlkit.observe import schema
from dmlkit.observe.lanes import Lanes

__all__ = ["Place", "Places"]

#: Places that are kept; those left longest ago go first.
KEPT = 2000

#: Seconds that a place without a worker is said to be away, not gone.
AWAY = 60.0

#: The host in a worker's address.
HOST = re.compile(r"^\w+://(.*?)(?::\d+)?$")

LETTERS = {"idle": "i", "busy": "b", "spilling": "s", "paused": "p", "silent": "f"}


@dataclass
class Place:
    """A place, with the worker that is there or was there last."""

    id: int
    key: str
    name: str
    address: str
    host: str
    threads: int
    memory_limit: int
    joined: float
    state: schema.WorkerState = "idle"
    left: float | None = None
    planned: bool = False
    processing: int = 0
    held: int = 0
    held_bytes: int = 0
    memory: int = 0
    spilled: int = 0
    cpu: float = 0.0
    spilling_since: float | None = None
    losses: int = 0
    restarts: int = 0

    def view(self, lane: str) -> schema.Worker:
        """Return it as a snapshot has it."""
        return {
            "id": self.id,
            "name": self.name,
            "address": self.address,
            "host": self.host,
            "state": self.state,
            "threads": self.threads,
            "processing": self.processing,
            "memory": self.memory,
            "memory_limit": self.memory_limit,
            "spilled": self.spilled,
            "cpu": self.cpu,
            "joined": self.joined,
            "losses": self.losses,
            "restarts": self.restarts,
            "lane": lane,
        }


class Places:
    """All places, by the address of their nanny, or of the worker where there is none."""

    def __init__(self, now: float) -> None:
        self.lanes = Lanes(now)
        self._all: dict[str, Place] = {}
        self._by_worker: dict[str, Place] = {}
        self._number = 0

    def __iter__(self) -> Iterator[Place]:
        return iter(self._all.values())

    def of(self, worker: str) -> Place | None:
        """Return where a worker is, or was last."""
        return self._by_worker.get(worker)

    def join(
        self, now: float, worker: str, nanny: str, name: str, threads: int, memory_limit: int
    ) -> Place:
        """Take in a worker; the place is an old one where its nanny is known."""
        key = nanny or worker
        place = self._all.get(key)
        if place is None:
            host = HOST.sub(r"\1", worker)
            place = Place(self._number, key, name, worker, host, threads, memory_limit, now)
            self._number += 1
            self._all[key] = place
        else:
            self._by_worker.pop(place.address, None)
            place.restarts += 1
            place.address, place.name = worker, name
            place.threads, place.memory_limit, place.joined = threads, memory_limit, now
        place.state, place.left, place.spilling_since = "idle", None, None
        self._by_worker[worker] = place
        self._drop()
        return place

    def leave(self, now: float, worker: str) -> Place | None:
        """Take in that a worker went."""
        place = self._by_worker.get(worker)
        if place is not None:
            place.left, place.state = now, "away"
            place.processing = place.memory = place.spilled = 0
            place.cpu = 0.0
        return place

    def tick(self, now: float) -> None:
        """Paint the state of each place on its lane."""
        for place in self._all.values():
            if place.left is not None and (place.planned or now - place.left > AWAY):
                place.state = "gone"
        self.lanes.paint(
            now,
            {
                place.id: LETTERS[place.state]
                for place in self._all.values()
                if place.state in LETTERS
            },
        )

    def begin_axis(self, now: float) -> None:
        """Begin the lanes anew; places that have been left for good go."""
        self.lanes.restart(now)
        for key in [key for key, place in self._all.items() if place.left is not None]:
            self._remove(key)

    def views(self) -> list[schema.Worker]:
        """Return them as a snapshot has them."""
        return [place.view(self.lanes.text(place.id)) for place in self._all.values()]

    def _drop(self) -> None:
        if len(self._all) > KEPT:
            left = [place for place in self._all.values() if place.left is not None]
            if left:
                self._remove(min(left, key=lambda place: place.left or 0.0).key)

    def _remove(self, key: str) -> None:
        place = self._all.pop(key)
        self._by_worker.pop(place.address, None)
        self.lanes.forget(place.id)
