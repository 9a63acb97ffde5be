"""What is to be trained, as every process of a training is told it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["History", "Plan", "Trained"]

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
        Evaluated on each evaluation table in each round; functions by their names.
    exact : tuple of str
        Those of them that `ExactMetrics` evaluates.
    own : tuple of str
        Those of them that are functions.
    functions : bytes
        The objective and the metrics that are functions, as `functions.packed` gave them.
    callbacks : bytes
        As `callbacks.packed_callbacks` gave them.
    early_stopping_rounds : int or None
        Stop when the last metric on the last table has not improved for so many rounds.
    features : tuple of str
    tables : tuple of str
        The evaluation tables, in order.
    checkpoint_every : int or None
        Rounds between two checkpoints; None lets their cost decide.
    learning_rates : tuple of float
        That of each round, where it is not the same in all.
    base : bytes
        A booster as UBJ to which rounds are added; empty for none.
    base_rounds : int
        How many it has.
    external_memory : bool
        Whether rows and bins are kept in files of the workers, and not in their memory.
    made_for : str
        The same for two trainings only if one can go on from a checkpoint of the other.
    """

    parameters: Mapping[str, Any]
    rounds: int
    metrics: tuple[str, ...]
    exact: tuple[str, ...]
    early_stopping_rounds: int | None
    features: tuple[str, ...]
    tables: tuple[str, ...] = ()
    checkpoint_every: int | None = None
    own: tuple[str, ...] = ()
    functions: bytes = b""
    callbacks: bytes = b""
    learning_rates: tuple[float, ...] = ()
    base: bytes = b""
    base_rounds: int = 0
    external_memory: bool = False
    made_for: str = ""

    @property
    def native_metrics(self) -> tuple[str, ...]:
        """The metrics that XGBoost evaluates."""
        return tuple(name for name in self.metrics if name not in (*self.exact, *self.own))


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
    callbacks : list of dict
        What is kept of each callback's attributes.
    """

    raw: bytes
    history: History
    best_iteration: int | None
    callbacks: list[dict[str, Any]] = field(default_factory=list)
