"""What the scheduler knows of running trainings: who is ready, which round, the last checkpoint.

Every worker reaches the scheduler, and it outlives them: so it is here that the processes of a
training learn of each other, and that a checkpoint is safe from a worker's death. A client installs
this on any running scheduler; it needs no XGBoost.
"""

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

from dmlkit.boosting.frozen import is_silent
from dmlkit.cluster import PROGRESS

__all__ = ["Failure", "Sight", "begin", "end", "look", "report_from"]

#: Of the scheduler's handlers, by which workers report.
HANDLER = "dmlkit_training_report"

#: Events of a training are told under this topic; `dmlkit.observe` listens to it.
TOPIC = "dmlkit"

#: Seconds after which a training that no client looks at is forgotten.
FORGOTTEN = 600.0

#: Seconds after which what a worker told of its processes is old.
RECENT = 3.0

News = Sequence[tuple[str, int, Any]]


@dataclass(frozen=True)
class Failure:
    """Why an attempt cannot go on.

    Attributes
    ----------
    kind : str
        ``"failed"`` (XGBoost refuses), ``"peer-lost"``, ``"died"``, ``"memory"`` (the system, which
        had none left, ended a process), ``"froze"``, ``"lost"``, ``"task"``, ``"unreachable"`` or
        ``"stalled"``.
    worker, reason : str
    """

    kind: str
    worker: str
    reason: str


@dataclass(frozen=True)
class Sight:
    """An attempt as its client sees it.

    Attributes
    ----------
    rounds : int
        The last one that was told.
    checkpoint : bytes or None
        The last one, if the client has not got it yet.
    checkpoints : int
        How many there were.
    result : bytes or None
        The finished model.
    failures : tuple of Failure
    gone, silent : tuple of str
        Workers of the attempt that left, and those that gave no sign for too long.
    loaded : bool
        All processes have their rows.
    stalled : bool
        All processes are alive, and each has been waiting for the others for too long.
    """

    rounds: int
    checkpoint: bytes | None
    checkpoints: int
    result: bytes | None
    failures: tuple[Failure, ...]
    gone: tuple[str, ...]
    silent: tuple[str, ...]
    loaded: bool
    stalled: bool


@dataclass
class _Attempt:
    shards: int
    token: str
    ready: set[int] = field(default_factory=set)
    loaded: set[int] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)
    reported: dict[str, float] = field(default_factory=dict)
    #: For each rank, when that was told and since when it has been waiting.
    waits: dict[int, tuple[float, float]] = field(default_factory=dict)
    rounds: int = 0
    checkpoint: bytes | None = None
    checkpoints: int = 0
    result: bytes | None = None
    failures: list[Failure] = field(default_factory=list)
    peers: dict[str, Any] = field(default_factory=dict)
    looked: float = field(default_factory=time.monotonic)


class _Attempts:
    """The running attempts of one scheduler, by token."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.running: dict[str, _Attempt] = {}

    async def report(self, token: str, worker: str, news: News) -> dict[str, Any]:
        """Take in what a worker tells; answer whether to start, to go on, or to leave off."""
        attempt = self.running.get(token)
        if attempt is None:
            return {"over": True}
        attempt.reported[worker] = time.monotonic()
        for kind, rank, content in news:
            self._take(attempt, worker, kind, rank, content)
        if len(attempt.ready) < attempt.shards:
            return {}
        return {"go": attempt.peers}

    def _take(self, attempt: _Attempt, worker: str, kind: str, rank: int, content: Any) -> None:
        if kind == "ready":
            attempt.ready.add(rank)
            attempt.peers |= content
        elif kind == "round":
            attempt.rounds = content["round"]
            self.scheduler.log_event(
                TOPIC, {"kind": "training-round", "attempt": attempt.token, **content}
            )
        elif kind == "effort":
            facts = {"attempt": attempt.token, "worker": worker, "shard": rank, **content}
            self.scheduler.log_event(PROGRESS, {"kind": "training-effort", **facts})
        elif kind == "checkpoint":
            attempt.checkpoint = content
            attempt.checkpoints += 1
        elif kind == "waits":
            now = time.monotonic()
            attempt.waits[rank] = now, now - content
        elif kind == "done":
            attempt.finished.add(rank)
            attempt.result = content or attempt.result
        elif kind == "built":
            attempt.loaded.add(rank)
        else:
            attempt.failures.append(Failure(kind, worker, content))


def begin(client: Client, token: str, shards: int) -> None:
    """Let the scheduler expect the reports of an attempt with so many shards."""
    client.run_on_scheduler(_begin, token, shards)


def look(client: Client, token: str, workers: Sequence[str], seen: int, silence: float) -> Sight:
    """Return how an attempt stands.

    Parameters
    ----------
    client : distributed.Client
    token : str
    workers : sequence of str
        Those that train.
    seen : int
        How many checkpoints the client knows of.
    silence : float
        Seconds without a sign of life after which a worker is taken for frozen.
    """
    sight: Sight = client.run_on_scheduler(_look, token, list(workers), seen, silence)
    return sight


def end(client: Client, token: str) -> None:
    """Forget an attempt: those still at work on it leave off at their next report."""
    with contextlib.suppress(Exception):  # the scheduler may be gone, and all of it with it
        client.run_on_scheduler(_end, token)


async def report_from(worker: Any, token: str, news: News) -> dict[str, Any]:
    """Report from a worker; return the scheduler's answer."""
    call = getattr(worker.scheduler, HANDLER)
    answer: dict[str, Any] = await call(token=token, worker=worker.address, news=list(news))
    return answer


def _attempts(scheduler: Any) -> _Attempts:
    if HANDLER not in scheduler.extensions:
        attempts = _Attempts(scheduler)
        scheduler.extensions[HANDLER] = attempts
        scheduler.handlers[HANDLER] = attempts.report
    found: _Attempts = scheduler.extensions[HANDLER]
    return found


def _begin(token: str, shards: int, dask_scheduler: Any = None) -> None:
    attempts = _attempts(dask_scheduler)
    for old, attempt in list(attempts.running.items()):
        if time.monotonic() - attempt.looked > FORGOTTEN:
            _end(old, dask_scheduler)
    attempts.running[token] = _Attempt(shards, token)


def _look(
    token: str, workers: list[str], seen: int, silence: float, dask_scheduler: Any = None
) -> Sight:
    attempt = _attempts(dask_scheduler).running[token]
    attempt.looked = time.monotonic()
    there = dask_scheduler.workers
    loaded = len(attempt.loaded) >= attempt.shards
    # Until then, any worker may hold rows that others wait for.
    asked = set(workers) if loaded else set(workers) | set(there)
    done = attempt.result is not None and len(attempt.finished) >= attempt.shards
    return Sight(
        rounds=attempt.rounds,
        checkpoint=attempt.checkpoint if attempt.checkpoints > seen else None,
        checkpoints=attempt.checkpoints,
        result=attempt.result if done else None,
        failures=tuple(attempt.failures),
        gone=tuple(worker for worker in workers if worker not in there),
        silent=tuple(
            worker
            for worker in sorted(asked)
            if worker in there and _is_silent(there[worker], attempt.reported.get(worker), silence)
        ),
        loaded=loaded,
        stalled=not done and _is_stalled(attempt, silence),
    )


def _is_silent(state: Any, reported: float | None, silence: float) -> bool:
    """Tell whether a worker gave no heartbeat, or no report of its training."""
    if is_silent(state, silence):
        return True
    return reported is not None and time.monotonic() - reported > 2 * silence


def _is_stalled(attempt: _Attempt, silence: float) -> bool:
    """Tell whether all processes that are not done have been waiting for so many seconds."""
    unfinished = set(range(attempt.shards)) - attempt.finished
    now = time.monotonic()
    never = (-math.inf, math.inf)
    waits = [attempt.waits.get(rank, never) for rank in unfinished]
    # A worker that has told nothing for some seconds may be frozen: that is something else.
    return all(now - told < RECENT and now - since > silence for told, since in waits)


def _end(token: str, dask_scheduler: Any = None) -> None:
    _attempts(dask_scheduler).running.pop(token, None)
