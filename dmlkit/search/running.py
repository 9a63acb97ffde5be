"""Trials on the cluster: side by side on each worker; those of a lost worker are done again."""

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import distributed
from distributed import Client

from dmlkit.boosting.attempts import TOPIC
from dmlkit.boosting.frozen import evict_silent
from dmlkit.cluster.workers import was_retired
from dmlkit.errors import DmlkitError, TrainingError
from dmlkit.search.crew import Room
from dmlkit.search.legs import Leg, Refused, bin_rows, run_leg
from dmlkit.search.staying import Gone, unless_gone

__all__ = ["Run", "Trials", "Work", "run_trials"]

MEMORY = (
    "Each worker holds all rows in bins, about a byte for each value, and once, while it bins "
    "them, four: give workers more memory, or search on a sample."
)

#: Seconds between two looks for lost workers, and for silent ones.
LOOK, LOOK_FOR_SILENT = 1.0, 10.0

#: Where so many workers are lost before a leg ends anywhere, it is not a trial that kills them.
MOST_LOSSES = 10

#: Seconds to wait for any worker where all are gone.
ANY_WORKER = 60.0


class Work(NamedTuple):
    """What workers do: make the rows ready once, then train leg after leg on them.

    Attributes
    ----------
    prepare, leg : callable
    trial_bytes : int
        What a trial takes of a worker's memory while it is trained, beside the rows.
    """

    prepare: Callable[..., Any] = bin_rows
    leg: Callable[..., Any] = run_leg
    trial_bytes: int = 0


@dataclass(frozen=True)
class Run:
    """A trial that is to be trained further.

    Attributes
    ----------
    number : int
    trial : Any
        Optuna's.
    plan : Plan, or what else `Work` takes
        Up to the end of the next leg.
    checkpoint : bytes or None
        The legs that are done.
    losses : int
        Workers that were lost with it.
    """

    number: int
    trial: Any
    plan: Any
    checkpoint: bytes | None = None
    losses: int = 0


#: Boosted trees.
BOOSTING = Work()


class Held(Protocol):
    """Rows in the workers' memory."""

    @property
    def parts(self) -> list[Any]:
        """The futures of them."""


class Trials(Protocol):
    """What decides which trials there are, and which go on."""

    def next(self) -> Run | None:
        """Return a trial to start, or None when there are enough."""

    def after(self, run: Run, leg: Leg) -> Run | None:
        """Return the trial with its next leg, or None when it is finished or not worth it."""

    def failed(self, run: Run, reason: str) -> None:
        """Take note that a trial cannot be trained."""

    def progress(self) -> dict[str, Any]:
        """Tell how many trials are done of how many, and the best so far."""


def run_trials(
    trials: Trials,
    plan: Any,
    data: Held,
    tables: Mapping[str, Held],
    client: Client,
    *,
    max_losses: int,
    patience: float,
    work: Work = BOOSTING,
) -> None:
    """Run trials until there are no more.

    Parameters
    ----------
    trials : Trials
    plan : Plan
        Of any trial: how rows are binned.
    data : TrainingData, or anything with parts
    tables : mapping of str to the same
    client : distributed.Client
    max_losses : int
        A trial whose worker was lost so often is given up: it may be what kills them.
    patience : float
        Seconds without a sign of life, twice as many of which make a worker a frozen one.
    work : Work

    Raises
    ------
    TrainingError
        No worker is left, or rows cannot be binned.
    """
    running = _Running(trials, plan, data, tables, client, max_losses, work)
    about = {"kind": "search", "search": f"search-{uuid.uuid4().hex}", "client": client.id}
    looked = time.monotonic()
    try:
        while running.fill():
            client.log_event(TOPIC, {**about, "state": "running", **trials.progress()})
            running.wait()
            if time.monotonic() - looked > LOOK_FOR_SILENT:
                evict_silent(client, 2 * patience)
                looked = time.monotonic()
    except Exception as error:
        if client.status in ("running", "connecting"):
            raise
        raise TrainingError(
            "The client was closed, or the scheduler is gone, before the search was done. With "
            "storage=FILE, a search goes on where it was."
        ) from error
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.log_event(TOPIC, {**about, "state": "ended", **trials.progress()})
            client.cancel([*running.legs, *running.binned.values()])


@dataclass
class _Running:
    """Which worker does what; each trains as many trials side by side as it has threads."""

    trials: Trials
    plan: Any
    data: Held
    tables: Mapping[str, Held]
    client: Client
    max_losses: int
    work: Work
    binned: dict[str, Any] = field(default_factory=dict)
    legs: dict[Any, tuple[str, Run]] = field(default_factory=dict)
    waiting: list[Run] = field(default_factory=list)
    losses: int = 0

    def fill(self) -> bool:
        """Give trials to workers that have room for them; tell whether any is running."""
        workers = self._workers()
        for worker in {*self.binned, *(worker for worker, _ in self.legs.values())} - {*workers}:
            self._lost(worker)
        while (found := self._next(workers)) is not None:
            worker, run = found
            self._start(worker, workers[worker].threads, run)
        return bool(self.legs)

    def wait(self) -> None:
        """Wait for a leg to end, and see to those that have."""
        with contextlib.suppress(TimeoutError):
            distributed.wait(list(self.legs), timeout=LOOK, return_when="FIRST_COMPLETED")
        for future in [each for each in self.legs if each.status != "pending"]:
            self._ended(future)

    def _next(self, workers: Mapping[str, Room]) -> tuple[str, Run] | None:
        """Return a trial and the worker that is to train it, or None.

        A trial whose worker was lost may be what kills them: it is trained alone, so that no other
        trial is lost with it again.
        """
        busy = Counter(worker for worker, _ in self.legs.values())
        alone = {worker for worker, run in self.legs.values() if run.losses}
        room = {name: workers[name].trials for name in workers if name not in alone}
        free = sorted((name for name in room if busy[name] < room[name]), key=busy.__getitem__)
        suspects = [run for run in self.waiting if run.losses]
        if suspects and free:
            if not busy[free[0]]:
                self.waiting.remove(suspects[0])
                return free[0], suspects[0]
            free = free[1:]  # it will be idle soon
        if not free:
            return None
        others = [run for run in self.waiting if not run.losses]
        if others:
            self.waiting.remove(others[0])
        run = others[0] if others else self.trials.next()
        return None if run is None else (free[0], run)

    def _start(self, worker: str, threads: int, run: Run) -> None:
        here = {"workers": [worker], "allow_other_workers": False, "pure": False, "retries": 0}
        if worker not in self.binned:
            parts = {name: table.parts for name, table in self.tables.items()}
            given = (self.plan, self.data.parts, parts, threads)
            self.binned[worker] = self.client.submit(self.work.prepare, *given, **here)
        key = f"trial-{run.number}-to-round-{run.plan.rounds}-{uuid.uuid4().hex}"
        leg = (self.binned[worker], run.plan, run.checkpoint)
        future = self.client.submit(unless_gone, self.work.leg, *leg, key=key, **here)
        self.legs[future] = worker, run

    def _ended(self, future: Any) -> None:
        if future not in self.legs:  # lost with another one of the same worker
            return
        worker, run = self.legs[future]
        error = future.exception() if future.status == "error" else None
        if future.status in ("cancelled", "lost") or isinstance(error, distributed.KilledWorker):
            self._lost(worker)
            return
        del self.legs[future]
        self.losses = 0
        if error is None:
            self._arrived(worker, run, future.result())
            return
        rows = self.binned.get(worker)
        if rows is not None and rows.status == "error":
            raise _not_binned(error, worker)
        self.trials.failed(run, _told(error))

    def _arrived(self, worker: str, run: Run, leg: Leg | Refused | Gone) -> None:
        if isinstance(leg, Gone):  # they are made ready there anew
            self.binned.pop(worker, None)
            self.waiting.append(run)
        else:
            self._go_on(run, leg)

    def _go_on(self, run: Run, leg: Leg | Refused) -> None:
        if isinstance(leg, Refused):
            self.trials.failed(run, leg.reason)
            return
        further = self.trials.after(run, leg)
        if further is not None:
            self.waiting.append(further)

    def _lost(self, worker: str) -> None:
        """Have all trials of a worker trained again; one that was retired is no loss."""
        self.binned.pop(worker, None)
        lost = [future for future, (name, _) in self.legs.items() if name == worker]
        died = bool(lost) and not was_retired(self.client, worker)
        self.losses += died
        if self.losses >= MOST_LOSSES:
            raise TrainingError(f"{self.losses} workers were lost one after the other. {MEMORY}")
        for future in lost:
            _, run = self.legs.pop(future)
            self.client.cancel(future)
            run = replace(run, losses=run.losses + died)
            if run.losses < self.max_losses:
                self.waiting.append(run)
            else:
                reason = f"{run.losses} workers were lost while they trained it"
                self.trials.failed(run, reason)

    def _workers(self) -> dict[str, Room]:
        """Return what each worker has; wait where there is none."""
        began = time.monotonic()
        while True:
            found = self.client.scheduler_info(n_workers=-1)["workers"]
            if found:
                return {name: Room.of(told, self.work.trial_bytes) for name, told in found.items()}
            if time.monotonic() - began > ANY_WORKER:
                raise TrainingError(
                    f"The cluster has had no worker for {ANY_WORKER:g} s. Start some, then search "
                    "again with the same storage: finished trials are kept there."
                )
            time.sleep(LOOK)


def _not_binned(error: BaseException, worker: str) -> BaseException:
    if isinstance(error, DmlkitError):
        return error
    told = TrainingError(f"The rows could not be binned by {worker}: {_told(error)}. {MEMORY}")
    told.__cause__ = error
    return told


def _told(error: BaseException) -> str:
    text = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
