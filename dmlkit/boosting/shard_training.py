"""What one worker does in a training: its shard into matrices, then rounds of boosting."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import distributed
import pandas as pd
import xgboost
from distributed.worker import thread_state
from xgboost import collective
from xgboost.callback import EarlyStopping, TrainingCallback

from dmlkit.boosting.exact_metrics import ExactMetrics
from dmlkit.boosting.shards import Piece
from dmlkit.boosting.training_data import LABEL, WEIGHT

__all__ = ["History", "Plan", "train_shard"]

History = dict[str, dict[str, list[float]]]

#: Rounds are told under this topic; `dmlkit.observe` listens to it.
TOPIC = "dmlkit"

#: At most one message in so many seconds.
MESSAGE_INTERVAL = 0.25

#: Matrices are built from batches of so many rows, whatever the partitions: XGBoost's quantiles
#: depend on the batches.
BATCH_ROWS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes
    ----------
    parameters : mapping
        As `xgboost.train` takes them, without evaluation metrics.
    rounds : int
        Boosting rounds, at most.
    metrics : tuple of str
        Evaluated on each evaluation table in each round.
    exact : tuple of str
        Those of them that `ExactMetrics` evaluates.
    early_stopping_rounds : int or None
        Stop when the last metric on the last table has not improved for so many rounds.
    features : tuple of str
    """

    parameters: Mapping[str, Any]
    rounds: int
    metrics: tuple[str, ...]
    exact: tuple[str, ...]
    early_stopping_rounds: int | None
    features: tuple[str, ...]


def train_shard(
    plan: Plan,
    training: Sequence[tuple[pd.DataFrame, int, int]],
    evaluations: Mapping[str, Sequence[tuple[pd.DataFrame, int, int]] | None],
    arguments: Mapping[str, Any],
    rank: int,
) -> tuple[bytes, History, int | None] | None:
    """Train on a shard, together with the workers that have the others.

    Parameters
    ----------
    plan : Plan
    training : sequence of (part, start, stop)
        The rows of the shard.
    evaluations : mapping of str to such a sequence
        None stands for the training rows.
    arguments : mapping
        By which the workers find each other; empty for a single one.
    rank : int
        The number of the shard.

    Returns
    -------
    (bytes, History, int or None) or None
        The model as UBJ, its metrics, and the best round with early stopping; from the first shard
        only, since all have the same.
    """
    threads = distributed.get_worker().state.nthreads
    with xgboost.config_context(verbosity=0), _together(arguments, rank):
        matrix = _matrix(plan, training, threads, ref=None)
        watched = [
            (matrix if rows is None else _matrix(plan, rows, threads, ref=matrix), name)
            for name, rows in evaluations.items()
        ]
        history: History = {}
        booster = xgboost.train(
            {**_with_metrics(plan), "nthread": threads},
            matrix,
            num_boost_round=plan.rounds,
            evals=watched,
            custom_metric=ExactMetrics(plan.exact) if plan.exact and watched else None,
            callbacks=_callbacks(plan, list(evaluations)),
            evals_result=history,
            verbose_eval=False,
        )
    if rank > 0:
        return None
    best = None if plan.early_stopping_rounds is None else int(booster.best_iteration)
    kept = booster if best is None else booster[: best + 1]
    return bytes(kept.save_raw("ubj")), _plain(history), best


def _together(arguments: Mapping[str, Any], rank: int) -> Any:
    """Join the other workers of the training, if there are any."""
    if not arguments:
        return contextlib.nullcontext()
    return collective.CommunicatorContext(**arguments, dmlc_task_id=f"{rank:08d}")


class _Batches(xgboost.DataIter):
    """The rows of pieces in batches of `BATCH_ROWS`, each put together when XGBoost asks."""

    def __init__(self, pieces: Sequence[Piece], features: Sequence[str]) -> None:
        self._pieces, self._features = pieces, features
        self._batches = batches(pieces)
        super().__init__(release_data=True)

    def next(self, input_data: Any) -> bool:
        for rows in self._batches:
            input_data(**_arguments(rows, self._features))
            return True
        return False

    def reset(self) -> None:
        self._batches = batches(self._pieces)


def batches(pieces: Sequence[Piece], size: int = BATCH_ROWS) -> Iterator[pd.DataFrame]:
    """Give the rows of pieces, in order, in batches of `size`; the last one may be smaller."""
    waiting: list[pd.DataFrame] = []
    rows = 0
    for piece in pieces:
        start = piece.start
        while start < piece.stop:
            stop = min(piece.stop, start + size - rows)
            waiting.append(piece.part.iloc[start:stop])
            rows, start = rows + stop - start, stop
            if rows == size:
                yield _concatenated(waiting)
                waiting, rows = [], 0
    if waiting:
        yield _concatenated(waiting)


def _concatenated(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _matrix(
    plan: Plan, rows: Sequence[tuple[pd.DataFrame, int, int]], threads: int, ref: Any
) -> Any:
    pieces = [Piece(*piece) for piece in rows]
    common = {"nthread": threads, "enable_categorical": True}
    if plan.parameters.get("tree_method", "hist") in ("hist", "auto"):
        bins = int(plan.parameters.get("max_bin", 256))
        return xgboost.QuantileDMatrix(
            _Batches(pieces, plan.features), max_bin=bins, ref=ref, **common
        )
    everything = _concatenated(list(batches(pieces)))
    return xgboost.DMatrix(**_arguments(everything, plan.features), **common)


def _arguments(rows: pd.DataFrame, features: Sequence[str]) -> dict[str, Any]:
    weight = {"weight": rows[WEIGHT]} if WEIGHT in rows.columns else {}
    return {"data": rows[list(features)], "label": rows[LABEL], **weight}


def _with_metrics(plan: Plan) -> dict[str, Any]:
    own = [name for name in plan.metrics if name not in plan.exact]
    if own:
        return {**plan.parameters, "eval_metric": own}
    return {**plan.parameters, "disable_default_eval_metric": True}


def _callbacks(plan: Plan, tables: Sequence[str]) -> list[TrainingCallback]:
    callbacks: list[TrainingCallback] = [_TellRounds(plan.rounds)]
    if plan.early_stopping_rounds is not None:
        stop = EarlyStopping(
            rounds=plan.early_stopping_rounds, metric_name=plan.metrics[-1], data_name=tables[-1]
        )
        callbacks.append(stop)
    return callbacks


class _TellRounds(TrainingCallback):
    """Tells the cluster of each round, now and then, and leaves when the training is cancelled."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._told = 0.0
        self._worker = distributed.get_worker()
        self._task = self._worker.state.tasks.get(thread_state.key)
        super().__init__()

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        if self._task is not None and self._task.state == "cancelled":
            raise RuntimeError("The training was cancelled.")
        now = time.monotonic()
        last = epoch + 1 == self._total
        if collective.get_rank() == 0 and (last or now - self._told > MESSAGE_INTERVAL):
            self._told = now
            metrics = {
                f"{table}-{metric}": float(values[-1])
                for table, by_metric in evals_log.items()
                for metric, values in by_metric.items()
            }
            told = {"round": epoch + 1, "total": self._total, "metrics": metrics}
            self._worker.log_event(TOPIC, {"kind": "training-round", **told})
        return False


def _plain(history: Any) -> History:
    return {
        table: {metric: [float(value) for value in values] for metric, values in of.items()}
        for table, of in history.items()
    }
