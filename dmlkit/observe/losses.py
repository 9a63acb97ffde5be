"""Workers that went: why, what went with them, and what it took to make up for it."""

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dask.utils import key_split

from dmlkit.observe import schema
from dmlkit.observe.causes import PLANNED, Facts, judge

__all__ = ["LossRecord", "Losses"]

#: Losses that are kept in full; older ones are only counted, by cause.
KEPT = 1000

#: Losses that a snapshot has.
SHOWN = 100

#: Workers whose facts are kept, of which most have never been lost.
FACTS = 20_000

Outcome = Literal["went on", "computing again", "nothing lost", "failed", "given up"]


@dataclass
class LossRecord:
    """A worker that went, and the results to be computed again for it."""

    number: int
    time: float
    worker: str
    name: str
    place: int
    facts: Facts
    evidence: list[str]
    lost: set[Hashable]
    running: int
    held_tasks: int = 0
    held_bytes: int = 0
    workflow: str = ""
    stage: str = ""
    prefixes: list[tuple[str, int]] = field(default_factory=list)
    lost_tasks: int = 0
    recomputed: int = 0
    recompute_seconds: float = 0.0
    seconds: float | None = None
    failed: bool = False
    back_after: float | None = None

    @property
    def cause(self) -> schema.CauseKind:
        """Why, as the facts tell so far."""
        return judge(self.facts).kind

    @property
    def planned(self) -> bool:
        """Whether somebody asked for it."""
        return self.facts.expected or self.cause in PLANNED

    @property
    def outcome(self) -> Outcome:
        """What came of it."""
        if self.failed:
            return "failed"
        if self.lost:
            return "computing again"
        if self.lost_tasks and not self.recomputed:
            return "given up"
        return "went on" if self.lost_tasks or self.running else "nothing lost"

    @property
    def _seconds(self) -> float | None:
        """What it cost, with the time that a silent worker was waited for."""
        if self.lost or (self.seconds is None and not self.facts.silence):
            return None
        return round((self.seconds or 0.0) + self.facts.silence, 2)

    def view(self) -> schema.Loss:
        """Return it as a snapshot has it."""
        cause = judge(self.facts)
        return {
            "id": self.number,
            "time": self.time,
            "worker": self.worker,
            "name": self.name,
            "place": self.place,
            "cause": cause.kind,
            "text": cause.text,
            "evidence": list(self.evidence),
            "expected": self.planned,
            "workflow": self.workflow,
            "stage": self.stage,
            "held_tasks": self.held_tasks,
            "held_bytes": self.held_bytes,
            "lost_tasks": self.lost_tasks,
            "running_tasks": self.running,
            "recomputed": self.recomputed,
            "recompute_seconds": round(self.recompute_seconds, 2),
            "seconds": self._seconds,
            "prefixes": self.prefixes,
            "outcome": self.outcome,
            "back_after": None if self.back_after is None else round(self.back_after, 2),
        }


class Losses:
    """The losses, and what is known of workers' ends before and after they are lost."""

    def __init__(self) -> None:
        self._kept: deque[LossRecord] = deque(maxlen=KEPT)
        self._dropped: Counter[str] = Counter()
        self._number = 0
        self._facts: dict[str, tuple[Facts, list[str]]] = {}
        self._again: dict[Hashable, LossRecord] = {}

    def __iter__(self) -> Iterable[LossRecord]:
        return iter(self._kept)

    @property
    def awaited(self) -> Mapping[Hashable, LossRecord]:
        """The results that are to be computed again, with the loss that took them."""
        return self._again

    def joined(self, worker: str) -> None:
        """Take in that a worker is new: what was told of an earlier one there is not its."""
        self._facts.pop(worker, None)

    def learn(self, worker: str, evidence: str, **facts: object) -> None:
        """Take in a fact of a worker's end, before or after it; the cause is judged anew."""
        known, told = self._of(worker)
        for name, value in facts.items():
            setattr(known, name, value)
        told.append(evidence)

    def facts(self, worker: str) -> Facts:
        """Return what is known of a worker's end."""
        return self._of(worker)[0]

    def add(
        self,
        now: float,
        worker: str,
        name: str,
        place: int,
        lost: Iterable[Hashable],
        running: int,
    ) -> LossRecord:
        """Take in that a worker went, and which results went with it."""
        facts, evidence = self._of(worker)
        self._number += 1
        keys = set(lost)
        loss = LossRecord(
            self._number, now, worker, name, place, facts, evidence, keys, running=running
        )
        loss.lost_tasks = len(keys)
        # Names of callables may have arguments in them, such as paths.
        names = (key_split(key).partition("(")[0] for key in keys)
        loss.prefixes = Counter(names).most_common(5)
        if len(self._kept) == KEPT:
            self._dropped[self._kept[0].cause] += 1
        self._kept.append(loss)
        for key in keys:
            self._again[key] = loss
        return loss

    def computed(self, now: float, key: Hashable, seconds: float) -> None:
        """Take in that a lost result is there again, after so many seconds of computing."""
        if (loss := self._done(now, key)) is not None:
            loss.recomputed += 1
            loss.recompute_seconds += seconds

    def unwanted(self, now: float, key: Hashable) -> None:
        """Take in that nobody wants a lost result any more."""
        self._done(now, key)

    def back(self, now: float, place: int) -> None:
        """Take in that a place has a worker again."""
        for loss in reversed(self._kept):
            if loss.place == place and loss.back_after is None:
                loss.back_after = now - loss.time
                return

    def counts(self) -> dict[str, int]:
        """Return how many there were by cause, those included that are no longer kept."""
        return dict(self._dropped + Counter(loss.cause for loss in self._kept))

    def views(self) -> list[schema.Loss]:
        """Return the newest as a snapshot has them."""
        return [loss.view() for loss in list(self._kept)[: -SHOWN - 1 : -1]]

    def _of(self, worker: str) -> tuple[Facts, list[str]]:
        if worker not in self._facts:
            while len(self._facts) >= FACTS:
                del self._facts[next(iter(self._facts))]
            self._facts[worker] = (Facts(), [])
        return self._facts[worker]

    def _done(self, now: float, key: Hashable) -> LossRecord | None:
        loss = self._again.pop(key, None)
        if loss is not None:
            loss.lost.discard(key)
            if not loss.lost:
                loss.seconds = now - loss.time
        return loss
