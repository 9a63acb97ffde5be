"""What is to be trained, as every process of a training is told it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["LABEL", "WEIGHT", "History", "Plan", "Trained"]

#: Columns beside the features in each part of a table that is trained on.
LABEL, WEIGHT = "__label", "__weight"

#: Metrics by table, metric and round.
History = dict[str, dict[str, list[float]]]


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
    tables : tuple of str
        The evaluation tables, in order.
    checkpoint_every : int or None
        Rounds between two checkpoints; None lets their cost decide.
    """

    parameters: Mapping[str, Any]
    rounds: int
    metrics: tuple[str, ...]
    exact: tuple[str, ...]
    early_stopping_rounds: int | None
    features: tuple[str, ...]
    tables: tuple[str, ...] = ()
    checkpoint_every: int | None = None


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
        Counted from 0, with early stopping.
    """

    raw: bytes
    history: History
    best_iteration: int | None
