"""What a worker does for a search with a model that learns batch by batch, by `partial_fit`."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from dmlkit.errors import InputError
from dmlkit.positions import chances
from dmlkit.search.legs import Leg, Refused
from dmlkit.search.staying import stays

__all__ = ["Held", "PartialPlan", "Split", "check_lengths", "hold_rows", "learn_on", "split_part"]

#: Of the draw of rows that models are compared on.
COMPARED = 0


@dataclass(frozen=True)
class PartialPlan:
    """A trial up to so many batches.

    Attributes
    ----------
    estimator : Any
        Not fitted, with the trial's parameters.
    rounds : int
        Batches that are learnt from.
    batch_size : int
    scoring : callable or None
        From model, table and labels to a score; the model's own without.
    options : mapping
        What `partial_fit` is given besides, such as ``classes``.
    checkpoint_every : int
        Not looked at: each leg ends with a checkpoint.
    """

    estimator: Any
    rounds: int
    batch_size: int
    scoring: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_every: int = 0


@dataclass(frozen=True)
class Split:
    """A part of a table: rows to learn from, and rows to compare on."""

    train: pd.DataFrame
    train_label: pd.Series
    test: pd.DataFrame
    test_label: pd.Series


@stays
@dataclass(frozen=True)
class Held:
    """All rows, as all trials of a worker share them."""

    rows: Split


def check_lengths(rows: Sequence[int], labels: Sequence[int]) -> None:
    """Raise an InputError where a partition has not as many labels as rows."""
    for there, given in zip(rows, labels, strict=True):
        if there != given:
            raise InputError(
                f"A partition of the table has {there:,} rows, but its labels are {given:,}. Take "
                "both from one frame."
            )


def split_part(part: pd.DataFrame, label: pd.Series, start: int, share: float, seed: int) -> Split:
    """Draw rows to compare on, by their positions in the table."""
    tested = chances(start, len(part), seed, COMPARED) < share
    return Split(part[~tested], label[~tested], part[tested], label[tested])


def hold_rows(
    plan: PartialPlan,  # noqa: ARG001
    parts: Sequence[Split],
    tables: Mapping[str, Sequence[Any]],  # noqa: ARG001
    threads: int,  # noqa: ARG001
) -> Held:
    """Put parts together."""
    names = ("train", "train_label", "test", "test_label")
    return Held(Split(*(pd.concat([getattr(part, name) for part in parts]) for name in names)))


def learn_on(held: Held, plan: PartialPlan, start: bytes | None) -> Leg | Refused:
    """Learn from batch after batch, from the first again after the last, and judge the model."""
    rows = held.rows
    # Between workers of one search only: what is kept of a model is up to its user.
    done, model = (0, clone(plan.estimator)) if start is None else pickle.loads(start)
    count = max(1, -(-len(rows.train) // plan.batch_size))
    try:
        for number in range(done, plan.rounds):
            at = slice(number % count * plan.batch_size, (number % count + 1) * plan.batch_size)
            model.partial_fit(rows.train.iloc[at], rows.train_label.iloc[at], **plan.options)
        if plan.scoring is None:
            score = model.score(rows.test, rows.test_label)
        else:
            score = plan.scoring(model, rows.test, rows.test_label)
    except (ValueError, TypeError, ArithmeticError) as error:
        return Refused(f"{type(error).__name__}: {error}".split("\n", 1)[0])
    return Leg(
        plan.rounds, float(np.asarray(score)), plan.rounds, pickle.dumps((plan.rounds, model))
    )
