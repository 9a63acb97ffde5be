"""Training that outlives workers: attempt after attempt, each from the last checkpoint.

Seen from the client. The rows are cut into shards once; whatever happens to workers, a shard has
the same rows and the same number in each attempt, so that the model is the same too.
"""

import contextlib
import pickle
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distributed import Client

from dmlkit.boosting import attempts
from dmlkit.boosting.attempts import Failure, Sight
from dmlkit.boosting.checkpoint import Checkpoint, save_checkpoint
from dmlkit.boosting.frozen import evict_frozen
from dmlkit.boosting.hosted_shard import HostOrders
from dmlkit.boosting.placement import at_seats, brought, by_shard
from dmlkit.boosting.plan import Plan, Trained
from dmlkit.boosting.reach import cause_of_stall
from dmlkit.boosting.restarts import Endurance, Restart, Restarts
from dmlkit.boosting.seats import Seat, machines_for, process_count, seats
from dmlkit.boosting.shard_host import train_shards
from dmlkit.boosting.shards import shard_count
from dmlkit.boosting.training_data import TrainingData, in_files
from dmlkit.cluster import lost_workers
from dmlkit.errors import TrainingError

__all__ = ["train"]

#: Seconds between two looks at an attempt: first, and at most.
LOOK_FIRST, LOOK = 0.02, 0.25

#: Seconds in which a scheduler learns that a worker's process has ended, so that a process which
#: lost its peer is not blamed for it.
SECONDS_TO_LEARN = 3.0

#: Seconds to wait for a worker in the place of a lost one (a nanny's takes two or three), and of
#: one that was let go.
REPLACEMENT, LET_GO = 15.0, 5.0

#: Seconds to wait for any worker where all are gone.
ANY_WORKER = 60.0


def train(
    plan: Plan,
    data: TrainingData,
    evaluations: Mapping[str, TrainingData],
    client: Client,
    endurance: Endurance,
    start: Checkpoint | None = None,
) -> tuple[Trained, tuple[Restart, ...]]:
    """Train, with a shard of the rows for each machine; small tables in one shard.

    The rows of a shard depend on their order alone, not on partitions or on where they lie. Where
    a process is ended for want of memory, rows and bins go to files, which makes the same model.

    Parameters
    ----------
    plan : Plan
    data : TrainingData
    evaluations : mapping of str to TrainingData
    client : distributed.Client
    endurance : Endurance
        How much is put up with.
    start : Checkpoint, optional
        Where to go on.

    Returns
    -------
    (Trained, tuple of Restart)

    Raises
    ------
    TrainingError
        XGBoost refuses the parameters, too much went wrong, or no worker is left.
    """
    workers = _workers(client)
    rows = [table.summary.rows for table in (data, *evaluations.values())]
    machines = machines_for(plan, client, workers)
    shards = endurance.shards or shard_count(rows, process_count(machines, client.nthreads()))
    shards = min(shards, *(table.most_shards for table in (data, *evaluations.values())))
    restarts = Restarts(client, endurance)
    try:
        trained = _outlasting(plan, data, evaluations, machines, shards, restarts, start)
    except BaseException:
        restarts.end(done=False)
        raise
    survived = restarts.all()
    restarts.end(done=True)
    return trained, survived


def _outlasting(
    plan: Plan,
    data: TrainingData,
    evaluations: Mapping[str, TrainingData],
    machines: Sequence[Sequence[str]],
    shards: int,
    restarts: Restarts,
    start: Checkpoint | None,
) -> Trained:
    """Make attempt after attempt until one comes to the end."""
    client, endurance = restarts.client, restarts.endurance
    checkpoint = None if start is None else start.to_bytes()
    while True:
        placed = seats(shards, machines, client.nthreads())
        if plan.external_memory:
            timeout = endurance.worker_timeout
            data, evaluations = brought(data, evaluations, shards, placed, client, timeout)
        attempt = _Attempt(
            [part for table in (data, *evaluations.values()) for part in table.parts],
            HostOrders(uuid.uuid4().hex, plan, checkpoint, shards, endurance.worker_timeout),
            placed,
            client,
            endurance,
        )
        ended = attempt.run(by_shard(data, evaluations, shards), restarts)
        if isinstance(ended, Trained):
            return ended
        checkpoint = attempt.checkpoint
        _check_data([data, *evaluations.values()], restarts)
        restarts.add(ended, attempt.rounds, checkpoint)
        patience = LET_GO if _was_let_go(ended, client) else REPLACEMENT
        workers = _wait_for_workers(client, sum(map(len, machines)), patience, restarts)
        machines = machines_for(plan, client, workers)
        if endurance.may_use_files and not plan.external_memory and _was_memory(ended, client):
            plan = replace(plan, external_memory=True)
            data, evaluations = in_files(data, evaluations, client, endurance.worker_timeout)


@dataclass
class _Attempt:
    """One go at a training, from the last checkpoint until its end or the first failure."""

    parts: Sequence[Any]
    orders: HostOrders
    placed: Sequence[Seat]
    client: Client
    endurance: Endurance
    checkpoint: bytes | None = field(init=False)
    rounds: int = 0
    _seen: int = 0
    _links_seen: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.checkpoint = self.orders.checkpoint

    def run(self, shards: Sequence[Any], restarts: Restarts) -> Trained | Failure:
        """Return the model, or why there is none yet."""
        try:
            attempts.begin(self.client, self.orders.token, self.orders.shards)
            spread = {seat.worker: len(seat.ranks) for seat in self.placed}
            lend = [worker for seat in self.placed for worker in seat.team[1:]]
            restarts.attempt(self.orders.token, self.orders.plan, spread, lend)
            pieces = at_seats(shards, self.placed, self.orders.plan, self.client)
        except Exception as error:
            raise _scheduler_lost(error, restarts) from error
        futures = {
            seat.worker: self.client.submit(
                train_shards,
                replace(self.orders, threads=seat.threads, team=len(seat.team)),
                [(rank, *pieces[rank]) for rank in seat.ranks],
                workers=[seat.worker],
                allow_other_workers=False,
                pure=False,
                retries=0,
                key=f"train-shards-{self.orders.token}-{number}",
            )
            for number, seat in enumerate(self.placed)
        }
        try:
            return self._follow(futures, restarts)
        finally:
            attempts.end(self.client, self.orders.token)
            with contextlib.suppress(Exception):  # the scheduler may be gone
                self.client.cancel(list(futures.values()))

    def _follow(self, futures: Mapping[str, Any], restarts: Restarts) -> Trained | Failure:
        pause = LOOK_FIRST
        while True:
            sight = self._look(restarts)
            if sight.result is not None:
                found: Trained = pickle.loads(sight.result)
                return found
            restarts.round_reached(self.rounds)
            failure = self._failure(sight, futures, restarts)
            if failure is not None:
                return failure
            time.sleep(pause)
            pause = min(pause * 1.5, LOOK)

    def _look(self, restarts: Restarts) -> Sight:
        try:
            sight = attempts.look(
                self.client,
                self.orders.token,
                [seat.worker for seat in self.placed],
                self._seen,
                self.endurance.worker_timeout,
            )
        except Exception as error:
            raise _scheduler_lost(error, restarts) from error
        self.rounds = sight.rounds
        if sight.checkpoint is not None:
            self.checkpoint, self._seen = sight.checkpoint, sight.checkpoints
            if self.endurance.checkpoint_path is not None:
                save_checkpoint(sight.checkpoint, self.endurance.checkpoint_path)
        return sight

    def _failure(
        self, sight: Sight, futures: Mapping[str, Any], restarts: Restarts
    ) -> Failure | None:
        patience = self.endurance.worker_timeout
        if sight.silent and (frozen := evict_frozen(self.client, sight.silent, patience)):
            return Failure("froze", frozen[0], f"gave no sign of life for {patience:g} s")
        if sight.gone:
            return Failure("lost", sight.gone[0], "left the cluster")
        for failure in sight.failures:
            if failure.kind != "peer-lost":
                return failure
        for worker, future in futures.items():
            if future.status in ("error", "cancelled", "lost"):
                return Failure("task", worker, _task_error(future))
        if not sight.loaded and any(part.status in ("cancelled", "error") for part in self.parts):
            return Failure("task", self.placed[0].worker, "rows to train on were lost")
        if sight.failures:
            return self._cause(sight.failures[0], restarts)
        return self._stall(sight)

    def _stall(self, sight: Sight) -> Failure | None:
        """Look after the links between workers where nothing goes on."""
        patience = self.endurance.worker_timeout
        waits_for_rows = not sight.loaded and time.monotonic() - self._links_seen > patience
        if not (sight.stalled or waits_for_rows):
            return None
        self._links_seen = time.monotonic()
        return cause_of_stall(self.client, patience if sight.stalled else None)

    def _cause(self, failure: Failure, restarts: Restarts) -> Failure:
        """Wait a little: that a peer is lost is often known before which one, and why."""
        until = time.monotonic() + SECONDS_TO_LEARN
        while time.monotonic() < until:
            time.sleep(LOOK)
            sight = self._look(restarts)
            if sight.gone or any(other.kind != "peer-lost" for other in sight.failures):
                return self._failure(sight, {}, restarts) or failure
        return failure


def _task_error(future: Any) -> str:
    """Say why a task ended."""
    error = future.exception(timeout=5) if future.status == "error" else None
    if isinstance(error, MemoryError):
        return "out of memory"
    lines = str(error or "").strip().splitlines()
    return lines[0] if lines else f"its task was {future.status}"


def _scheduler_lost(error: Exception, restarts: Restarts) -> TrainingError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return TrainingError(f"The scheduler was lost while training ({lines[0]}). {restarts.advice()}")


def _check_data(tables: Sequence[TrainingData], restarts: Restarts) -> None:
    """Raise if rows went for good with the worker that held them."""
    for table in tables:
        for part in table.parts:
            if part.status in ("cancelled", "error"):
                raise TrainingError(
                    "Rows were lost with a worker and cannot be computed again, since they were "
                    "put into the cluster by hand (`scatter`). Read them from a table, or from a "
                    f"frame of the client's. {restarts.advice()}"
                )


def _workers(client: Client) -> list[str]:
    """Return the workers in an order that does not depend on their ports where they have names."""
    began = time.monotonic()
    while not (info := client.scheduler_info(n_workers=-1)["workers"]):
        if time.monotonic() - began > REPLACEMENT:  # all may have been lost a moment ago
            raise TrainingError(
                f"The cluster has had no workers to train on for {REPLACEMENT:g} s. Start some, "
                "then try again."
            )
        time.sleep(LOOK)
    return sorted(info, key=lambda address: (str(info[address]["name"]), address))


def _was_let_go(failure: Failure, client: Client) -> bool:
    """Tell whether a worker left because somebody wanted it to."""
    lost = (loss["worker"] for loss in lost_workers(client))
    return failure.kind == "unreachable" or (failure.kind == "lost" and failure.worker not in lost)


def _was_memory(failure: Failure, client: Client) -> bool:
    """Tell whether a process was ended for want of memory: by the system, or by a nanny."""
    if failure.kind != "lost":
        return failure.kind == "memory"
    ended = client.get_events("worker-restart-memory") or ()
    return any(event["worker"] == failure.worker for _, event in ended)


def _wait_for_workers(
    client: Client, wanted: int, patience: float, restarts: Restarts
) -> list[str]:
    """Wait a while for as many workers as there were; then go on with those that are there."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(Exception):
            found = client.run_on_scheduler(_there)
            waited = time.monotonic() - began
            if len(found) >= wanted or (found and waited > patience):
                return [address for _, address in sorted(found)]
        if time.monotonic() - began > ANY_WORKER:
            raise TrainingError(
                f"No worker came back in {ANY_WORKER:g} s after the last one was lost. "
                f"{restarts.advice()}"
            )
        time.sleep(LOOK)


def _there(dask_scheduler: Any = None) -> list[tuple[str, str]]:
    return [
        (str(state.name), address)
        for address, state in dask_scheduler.workers.items()
        if state.status.name in ("running", "paused")
    ]
