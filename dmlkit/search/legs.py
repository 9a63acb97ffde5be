"""What a worker does for a search: bin the rows once, then train trial after trial on them.

A trial is trained in legs. Between two of them the client decides whether it is worth going on;
a leg ends with a checkpoint, so that any worker can do the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import xgboost
from pandas.api.types import is_numeric_dtype

from dmlkit.boosting.checkpoint import Checkpoint
from dmlkit.boosting.matrices import batch_rows, batches, matrix_of_batches
from dmlkit.boosting.plan import History, Plan
from dmlkit.boosting.refusals import refusal_in_words
from dmlkit.boosting.roles import arguments_of
from dmlkit.boosting.rounds import boost
from dmlkit.boosting.shards import Piece
from dmlkit.boosting.stored_rows import rows_of
from dmlkit.search.crew import Crew
from dmlkit.search.staying import stays

__all__ = ["Binned", "Leg", "Refused", "bin_rows", "judged", "run_leg"]

#: A table to judge of up to so many values (16 MiB) is not binned.
UNBINNED_VALUES = 1 << 22


@stays
@dataclass(frozen=True)
class Binned:
    """The rows of all tables in bins, as all trials of a worker share them.

    Attributes
    ----------
    training : QuantileDMatrix
    watched : tuple of (DMatrix, str)
    crew : Crew
        The threads that trials share.
    """

    training: Any
    watched: tuple[tuple[Any, str], ...]
    crew: Crew


@dataclass(frozen=True)
class Leg:
    """How a leg of a trial ended.

    Attributes
    ----------
    rounds : int
        Done in all.
    score : float
        The last metric on the last table: at the best round with early stopping, else at the last.
    best_iteration : int
    checkpoint : bytes
        Empty where early stopping ended it.
    folds : tuple of float
        The score of each fold, whose mean is the score; empty without folds.
    """

    rounds: int
    score: float
    best_iteration: int
    checkpoint: bytes
    folds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Refused:
    """Why XGBoost does not train a trial: its parameters are wrong, and no worker is to blame."""

    reason: str


def bin_rows(
    plan: Plan,
    training: Sequence[pd.DataFrame],
    watched: Mapping[str, Sequence[pd.DataFrame]],
    threads: int,
) -> Binned:
    """Bin the rows of the training table, and those of the others into the same bins."""
    with xgboost.config_context(verbosity=0):
        matrix = _matrix(plan, training, threads, None)
        tables = tuple(
            (watched_matrix(plan, parts, threads, matrix), name) for name, parts in watched.items()
        )
    return Binned(matrix, tables, Crew(threads))


def watched_matrix(plan: Plan, parts: Sequence[Any], threads: int, training: Any) -> Any:
    """Return the rows of a table to judge: in bins where they are many, else as they are.

    XGBoost scores rows as they are in half the time, and says the same of them.
    """
    rows = [rows_of(part) for part in parts]
    numbers = all(part.dtypes[list(plan.features)].map(is_numeric_dtype).all() for part in rows)
    if not numbers or sum(map(len, rows)) * len(plan.features) > UNBINNED_VALUES:
        return _matrix(plan, parts, threads, training)
    table = pd.concat(rows, ignore_index=True)
    features = table[list(plan.features)]
    return xgboost.DMatrix(features, **arguments_of(table), nthread=threads)


def run_leg(binned: Binned, plan: Plan, start: bytes | None) -> Leg | Refused:
    """Train up to the last round of a plan, or until early stopping.

    Parameters
    ----------
    binned : Binned
    plan : Plan
    start : bytes or None
        The checkpoint to go on from.
    """
    before = None if start is None else Checkpoint.from_bytes(start)
    kept: list[Checkpoint] = []
    matrices = (binned.training, binned.watched, binned.crew.share)
    try:
        with binned.crew.joined(), xgboost.config_context(verbosity=0):
            trained = boost(plan, *matrices, before, tell=lambda *_: None, keep=kept.append)
    except xgboost.core.XGBoostError as error:
        return Refused(refusal_in_words(error))
    values = judged(plan, trained.history)
    best = len(values) - 1 if trained.best_iteration is None else trained.best_iteration
    last = kept[-1].to_bytes() if kept else b""
    return Leg(len(values), values[best], best, last)


def _matrix(plan: Plan, parts: Sequence[pd.DataFrame], threads: int, ref: Any) -> Any:
    pieces = [Piece(part, 0, len(part)) for part in parts]
    size = batch_rows(len(plan.features))
    return matrix_of_batches(plan, lambda: batches(pieces, size), threads, ref)


def judged(plan: Plan, history: History) -> list[float]:
    """Return the last metric on the last table; XGBoost may have completed its name."""
    found = history[plan.tables[-1]]
    last, native = plan.metrics[-1], plan.native_metrics
    return found[list(found)[len(native) - 1] if last in native else last]
