"""What a worker does for a search over folds: bin each once, train all of a trial side by side.

Which rows a fold trains and tests on is told by marks beside the rows, so that these are held once
and not for each fold. A trial is judged by the mean over its folds after each round.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from dmlkit.boosting.checkpoint import Checkpoint
from dmlkit.boosting.matrices import batch_rows, batches, matrix_of_batches
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.refusals import refusal_in_words
from dmlkit.boosting.rounds import boost, is_higher_better
from dmlkit.boosting.shards import Piece
from dmlkit.boosting.stored_rows import rows_of
from dmlkit.errors import InputError
from dmlkit.search.crew import Crew
from dmlkit.search.legs import Binned, Leg, Refused, judged
from dmlkit.search.staying import stays

__all__ = ["MARKS", "TESTED", "TRAINED", "BinnedFolds", "bin_folds", "run_folds"]

#: What the marks are called among the tables of a search.
MARKS = "folds"

#: A fold's mark for a row that it trains on, and for one that it tests on; 0 for others.
TRAINED, TESTED = 1, 2


@stays
@dataclass(frozen=True)
class BinnedFolds:
    """The rows of all folds in bins, as all trials of a worker share them."""

    folds: tuple[Binned, ...]


def bin_folds(
    plan: Plan,
    parts: Sequence[Any],
    tables: Mapping[str, Sequence[NDArray[np.int8]]],
    threads: int,
) -> BinnedFolds:
    """Bin the training rows of each fold, and those it tests on into the same bins.

    Parameters
    ----------
    plan : Plan
    parts : sequence of DataFrame
        All rows.
    tables : mapping of str to sequence
        Under `MARKS` an (n, folds) array for each part.
    threads : int

    Raises
    ------
    InputError
        Rows and marks do not match.
    """
    marks = tables[MARKS]
    for part, of_part in zip(parts, marks, strict=True):
        if len(part) != len(of_part):
            raise InputError(
                f"A partition has {len(part):,} rows now, and had {len(of_part):,} when they were "
                "dealt out to folds. Persist the table, or write it down, where what it is made of "
                "changes."
            )
    folds, crew = [], Crew(threads)
    with xgboost.config_context(verbosity=0):
        for number in range(marks[0].shape[1]):
            chosen = (parts, marks, number)
            training = _matrix(plan, *chosen, TRAINED, threads, None)
            tested = _matrix(plan, *chosen, TESTED, threads, training)
            folds.append(Binned(training, ((tested, plan.tables[-1]),), crew))
    return BinnedFolds(tuple(folds))


def run_folds(binned: BinnedFolds, plan: Plan, start: bytes | None) -> Leg | Refused:
    """Train a model on each fold up to the last round of a plan, or until early stopping.

    All of them stop where the mean over folds has not improved for ``early_stopping_rounds``, so
    that a trial has one best round.

    Parameters
    ----------
    binned : BinnedFolds
    plan : Plan
    start : bytes or None
        The checkpoints to go on from.
    """
    before: list[Checkpoint | None] = [None] * len(binned.folds)
    if start is not None:
        before = [Checkpoint.from_bytes(each) for each in pickle.loads(start)]
    done = 0 if before[0] is None else before[0].rounds
    patience = plan.early_stopping_rounds
    # No fold can stop before as many rounds: looking at the mean that often is enough.
    step = patience or plan.rounds
    curve: NDArray[np.float64] = np.empty((len(binned.folds), 0))
    stopped = False
    try:
        while done < plan.rounds and not stopped:
            asked = min(done + step, plan.rounds)
            trained = [
                _up_to(asked, fold, plan, kept)
                for fold, kept in zip(binned.folds, before, strict=True)
            ]
            before = [checkpoint for checkpoint, _ in trained]
            done = min(len(values) for _, values in trained)
            curve = np.array([values[:done] for _, values in trained])
            # A callback of the user's may end a training, too.
            stopped = done < asked or _stops(curve.mean(axis=0), plan) < done
    except xgboost.core.XGBoostError as error:
        return Refused(refusal_in_words(error))
    rounds = _stops(curve.mean(axis=0), plan)
    mean = curve.mean(axis=0)[:rounds]
    best = rounds - 1 if patience is None else _best(mean, plan)
    kept = [b"" if each is None else each.to_bytes() for each in before]
    return Leg(rounds, float(mean[best]), best, pickle.dumps(kept), tuple(curve[:, best].tolist()))


def _up_to(
    rounds: int, fold: Binned, plan: Plan, before: Checkpoint | None
) -> tuple[Checkpoint | None, list[float]]:
    """Train on a fold up to a round; return the checkpoint and the metric of each round."""
    kept: list[Checkpoint] = []
    one = replace(plan, rounds=rounds, checkpoint_every=rounds, early_stopping_rounds=None)
    matrices = (fold.training, fold.watched, fold.crew.share)
    with fold.crew.joined(), xgboost.config_context(verbosity=0):
        trained = boost(one, *matrices, before, tell=lambda *_: None, keep=kept.append)
    return kept[-1] if kept else before, judged(plan, trained.history)


def _stops(mean: NDArray[np.float64], plan: Plan) -> int:
    """Return after how many rounds early stopping ends a training, or all of them."""
    if plan.early_stopping_rounds is None:
        return len(mean)
    best = 0
    for number in range(len(mean)):
        if _best(mean[[best, number]], plan):
            best = number
        if number - best >= plan.early_stopping_rounds:
            return number + 1
    return len(mean)


def _best(mean: NDArray[np.float64], plan: Plan) -> int:
    """Return the first of the best rounds."""
    higher = is_higher_better(plan.metrics[-1])
    return int(np.argmax(mean) if higher else np.argmin(mean))


def _matrix(
    plan: Plan,
    parts: Sequence[Any],
    marks: Sequence[NDArray[np.int8]],
    fold: int,
    mark: int,
    threads: int,
    ref: Any,
) -> Any:
    def pieces() -> Iterator[Piece]:
        # One after the other: a fold's rows are never all held beside the table.
        for part, of_part in zip(parts, marks, strict=True):
            rows: pd.DataFrame = rows_of(part)[of_part[:, fold] == mark]
            yield Piece(rows, 0, len(rows))

    size = batch_rows(len(plan.features))
    return matrix_of_batches(plan, lambda: batches(pieces(), size), threads, ref)
