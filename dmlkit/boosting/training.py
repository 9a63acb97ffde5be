"""One training over the cluster, seen from the client: the seam where faults will be survived."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import distributed
import xgboost
from distributed import Client

from dmlkit.boosting.shard_training import History, Plan, train_shard
from dmlkit.boosting.shards import shard_count, shards_of
from dmlkit.boosting.tracker import running_tracker
from dmlkit.boosting.training_data import TrainingData
from dmlkit.errors import TrainingError

__all__ = ["Trained", "train"]

#: Seconds between two looks at whether all workers of a training are still there.
LOOK = 0.5

#: Seconds in which a scheduler learns that a worker's process has ended.
SECONDS_TO_LEARN = 3.0

#: Two trainings at once would wait for each other's workers.
LOCK = "dmlkit-training"

LOST = (
    "The worker {worker} was lost while training, and with it the rounds done so far. Start again; "
    "`--resume` takes over the stages before the training. If it was killed for memory, use larger "
    "workers or more of them."
)


@dataclass(frozen=True)
class Trained:
    """A finished model.

    Attributes
    ----------
    raw : bytes
        The booster as UBJ, cut after the best round where early stopping was asked for.
    history : dict
        Metrics by table, metric and round.
    best_iteration : int or None
    """

    raw: bytes
    history: History
    best_iteration: int | None


def train(
    plan: Plan, data: TrainingData, evaluations: Mapping[str, TrainingData], client: Client
) -> Trained:
    """Train, with one shard of the rows on each worker; small tables on one worker.

    The rows of a shard depend on their order alone, not on partitions or on where they lie.

    Raises
    ------
    TrainingError
        XGBoost refuses the parameters, or a worker was lost.
    """
    addresses = _addresses(client)
    rows = [table.summary.rows for table in (data, *evaluations.values())]
    shards = shard_count(rows, len(addresses))
    workers = addresses[:shards]
    with _alone(shards), _arguments(client, shards) as arguments:
        futures = _submit(plan, data, evaluations, workers, arguments, client)
        try:
            _wait(futures, workers, client)
            found = [future.result() for future in futures]
        except (xgboost.core.XGBoostError, ValueError, OSError) as error:
            _blame_lost_worker(workers, client)
            raise TrainingError(_explain(error)) from error
        finally:
            client.cancel(futures)
    return Trained(*found[0])


def _addresses(client: Client) -> list[str]:
    """Return the workers in an order that does not depend on their ports where they have names."""
    info = client.scheduler_info(n_workers=-1)["workers"]
    if not info:
        raise TrainingError("The cluster has no workers to train on. Start some, then try again.")
    return sorted(info, key=lambda address: (str(info[address]["name"]), address))


@contextlib.contextmanager
def _alone(shards: int) -> Iterator[None]:
    if shards == 1:
        yield
        return
    with distributed.Lock(LOCK):
        yield


def _arguments(client: Client, shards: int) -> Any:
    return running_tracker(client, shards) if shards > 1 else contextlib.nullcontext({})


def _submit(
    plan: Plan,
    data: TrainingData,
    evaluations: Mapping[str, TrainingData],
    workers: Sequence[str],
    arguments: Mapping[str, Any],
    client: Client,
) -> list[Any]:
    training = _pieces(data, len(workers))
    watched = {
        name: [None] * len(workers) if table is data else _pieces(table, len(workers))
        for name, table in evaluations.items()
    }
    return [
        client.submit(
            train_shard,
            plan,
            training[rank],
            {name: pieces[rank] for name, pieces in watched.items()},
            arguments,
            rank,
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
            key=f"train-shard-{rank}-{distributed.utils.time()}",
        )
        for rank, worker in enumerate(workers)
    ]


def _pieces(table: TrainingData, shards: int) -> list[Any]:
    """Return for each shard its pieces, with the futures of their partitions."""
    return [
        [(table.parts[piece.part], piece.start, piece.stop) for piece in pieces]
        for pieces in shards_of(table.lengths, shards)
    ]


def _wait(futures: Sequence[Any], workers: Sequence[str], client: Client) -> None:
    """Wait for all shards, the first error, or the loss of a worker."""
    while any(future.status == "pending" for future in futures):
        if any(future.status in ("error", "cancelled", "lost") for future in futures):
            break
        with contextlib.suppress(TimeoutError):
            distributed.wait(futures, timeout=LOOK, return_when="FIRST_COMPLETED")
        _check_workers(workers, client)
    _check_workers(workers, client)


def _blame_lost_worker(workers: Sequence[str], client: Client) -> None:
    """Raise if a worker is gone: the others often fail before the scheduler knows of it."""
    if len(workers) > 1:
        until = time.monotonic() + SECONDS_TO_LEARN
        while time.monotonic() < until:
            _check_workers(workers, client)
            time.sleep(LOOK)


def _check_workers(workers: Sequence[str], client: Client) -> None:
    there = client.scheduler_info(n_workers=-1)["workers"]
    for worker in workers:
        if worker not in there:
            raise TrainingError(LOST.format(worker=worker))


def _explain(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = next((line for line in lines if "Check failed" in line), lines[0] if lines else "")
    reason = reason.partition("Check failed: ")[2] or reason
    return f"XGBoost cannot train: {reason or type(error).__name__}"
