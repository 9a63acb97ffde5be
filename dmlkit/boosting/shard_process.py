"""The process that trains on one shard; its worker feeds it, listens to it, and may kill it."""

import contextlib
import os
import pickle
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd
import xgboost
from xgboost import collective
from xgboost.tracker import RabitTracker

from dmlkit.boosting.checkpoint import Checkpoint
from dmlkit.boosting.effort import Waiting, worked
from dmlkit.boosting.matrices import batch_rows, batches, matrix_of_batches
from dmlkit.boosting.memory_kills import be_ended_first
from dmlkit.boosting.plan import Plan, Trained
from dmlkit.boosting.refusals import refusal_in_words
from dmlkit.boosting.rounds import boost
from dmlkit.boosting.wire import receive, send

__all__ = ["BEAT", "Orders", "serve"]

#: Seconds between two signs of life.
BEAT = 1.0

#: At most one message about rounds in so many seconds, and one about how much this process works.
MESSAGE_INTERVAL, EFFORT_INTERVAL = 0.25, 2.0

#: Of the rounds since the last message about them, the most that go along: enough for a curve.
ROUNDS_IN_MESSAGE = 16

#: Seconds in which the operations of one round must end between processes that are all alive.
COLLECTIVE_TIMEOUT = 300

#: Seconds that the others have to end after the process that brought them together.
PATIENCE = 60

#: In an error of XGBoost's, these tell that another process of the training is gone or late.
LOST_PEER = ("/collective/", "Ring allreduce", "Invalid worker address", "allreduce failed")


@dataclass(frozen=True)
class Orders:
    """What a process is told first.

    Attributes
    ----------
    plan : Plan
    rank : int
        The number of the shard.
    shards : int
        How many there are.
    host : str or None
        Where this process lets all of them find each other, if it is the one that does.
    same_as_training : frozenset of str
        Evaluation tables that are the training rows.
    threads : int
    kept_values : int
        Of a table with no more values, batches are kept while its matrix is built.
    checkpoint : Checkpoint or None
        Where to go on.
    cache : Path or None
        A folder for what does not fit into memory.
    """

    plan: Plan
    rank: int
    shards: int
    host: str | None
    same_as_training: frozenset[str]
    threads: int
    kept_values: int
    checkpoint: Checkpoint | None
    cache: Path | None = None


def serve(connection: Connection) -> None:
    """Train as told over the connection, and end."""
    be_ended_first()
    with_worker = _Worker(connection)
    orders = with_worker.wait_for("orders")
    tracker = None if orders.host is None else _started_tracker(orders.host, orders.shards)
    with_worker.say("ready", {} if tracker is None else tracker.worker_args())
    peers = with_worker.wait_for("go")
    try:
        trained = _train(orders, peers, with_worker)
        if tracker is not None:
            tracker.wait_for(PATIENCE)  # the others may still be saying goodbye
        with_worker.say("done", pickle.dumps(trained) if orders.rank == 0 else None)
    except Exception as error:
        lost = isinstance(error, xgboost.core.XGBoostError) and any(
            sign in str(error) for sign in LOST_PEER
        )
        with_worker.say("peer-lost" if lost else "failed", refusal_in_words(error))
        os._exit(1)


def _started_tracker(host: str, shards: int) -> RabitTracker:
    # Sorted by task, so that a rank stands for the same rows in each run.
    tracker = RabitTracker(n_workers=shards, host_ip=host, sortby="task")
    tracker.start()
    return tracker


def _train(orders: Orders, peers: Mapping[str, Any], worker: "_Worker") -> Trained:
    plan, told = orders.plan, _Sparingly(worker, orders)
    with xgboost.config_context(verbosity=0), _together(peers, orders.rank):
        matrix = _matrix(orders, None, worker, None)
        watched = [(_watched(orders, name, matrix, worker), name) for name in plan.tables]
        worker.say("built")
        return boost(
            plan,
            matrix,
            watched,
            orders.threads,
            orders.checkpoint,
            tell=told.tell,
            keep=lambda checkpoint: worker.say("checkpoint", checkpoint.to_bytes()),
        )


def _watched(orders: Orders, name: str, matrix: Any, worker: "_Worker") -> Any:
    return matrix if name in orders.same_as_training else _matrix(orders, name, worker, matrix)


def _matrix(orders: Orders, table: str | None, worker: "_Worker", training: Any) -> Any:
    size = batch_rows(len(orders.plan.features))
    return matrix_of_batches(
        orders.plan,
        lambda: worker.rows(table, size),
        orders.threads,
        training,
        None if orders.cache is None else orders.cache / (table or "training"),
        orders.kept_values,
    )


@contextlib.contextmanager
def _together(peers: Mapping[str, Any], rank: int) -> Iterator[None]:
    """Join the other processes of the training, if there are any."""
    if not peers:
        yield
        return
    own = {"dmlc_task_id": f"{rank:08d}", "dmlc_timeout": COLLECTIVE_TIMEOUT, "dmlc_retry": 1}
    with contextlib.ExitStack() as joined:
        with _silent():
            joined.enter_context(collective.CommunicatorContext(**peers, **own))
        yield


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Let what native code writes to standard output go: a line for each process that joins."""
    with Path(os.devnull).open("w") as nothing:
        kept = os.dup(1)
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


class _Worker:
    """The connection to the worker. When it is closed, this process ends, whatever it is doing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._came: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        for work in (self._receive, self._beat):
            threading.Thread(target=work, daemon=True).start()

    def say(self, what: str, content: Any = None) -> None:
        with self._sending:
            send(self._connection, (what, content))

    def wait_for(self, what: str) -> Any:
        came, content = self._came.get()
        if came != what:
            raise RuntimeError(f"{came!r} came, not {what!r}")
        return content

    def rows(self, table: str | None, size: int) -> Iterator[pd.DataFrame]:
        """Give the batches of a table; None stands for the training rows."""
        self.say("rows", table)
        while (batch := self.wait_for("batch")) is not None:
            if isinstance(batch, list):  # pieces in files: `size` rows of them at once
                yield from batches(batch, size)
            else:
                yield batch
            self.say("next", table)

    def _receive(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._came.put(receive(self._connection))
        os._exit(0)

    def _beat(self) -> None:
        waiting = Waiting()
        while True:
            try:
                self.say("beat", waiting.look())
            except OSError:
                os._exit(0)
            time.sleep(BEAT)


class _Sparingly:
    """Tells rounds, now and then, and how much of their time this process works."""

    def __init__(self, worker: _Worker, orders: Orders) -> None:
        self._worker, self._orders = worker, orders
        self._told = self._effort_told = 0.0
        self._untold: list[tuple[int, dict[str, float]]] = []
        self._first: tuple[int, float] | None = None

    def tell(self, rounds: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        last = rounds == self._orders.plan.rounds
        if self._orders.rank == 0 and (last or now - self._told > MESSAGE_INTERVAL):
            every = -(-len(self._untold) // ROUNDS_IN_MESSAGE) or 1
            self._worker.say("round", (rounds, dict(metrics), self._untold[::every]))
            self._told, self._untold = now, []
        elif self._orders.rank == 0:
            self._untold.append((rounds, dict(metrics)))
        if self._orders.shards > 1 and (last or now - self._effort_told > EFFORT_INTERVAL):
            self._effort_told = now
            self._tell_effort(rounds)

    def _tell_effort(self, rounds: int) -> None:
        if self._first is None:  # what was before the first round is no part of any
            self._first = rounds, worked()
            return
        first, before = self._first
        if rounds > first:
            told = {"rounds": rounds - first, "worked": round(worked() - before, 4)}
            self._worker.say("effort", told)
