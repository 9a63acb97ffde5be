"""What alarms of failing machines cost: too early, life is thrown away; too late, they fail."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.graph import add_up, for_each

__all__ = ["AlarmCosts", "AlarmEvaluation", "evaluate_alarms"]

#: Thresholds that are tried.
THRESHOLDS = tuple(float(each) for each in np.round(np.linspace(0.01, 0.99, 99), 2))


@dataclass(frozen=True)
class AlarmCosts:
    """What goes with an alarm.

    Parameters
    ----------
    early : float
        The cost of each unit of remaining life that is thrown away.
    late : float
        The cost of a failure: no alarm came, or one with less than `notice` left.
    notice : float
        The least remaining life in which something can still be done.
    """

    early: float = 1.0
    late: float = 100.0
    notice: float = 0.0


@dataclass(frozen=True)
class AlarmEvaluation:
    """Costs of a machine, on average, by the threshold from which on alarm is raised.

    Attributes
    ----------
    thresholds, cost, failed, thrown_away : (n,) float64 array
        `failed` is the share of machines that fail; `thrown_away` the mean remaining life of the
        others when they are stopped.
    machines : int
    """

    thresholds: NDArray[np.float64]
    cost: NDArray[np.float64]
    failed: NDArray[np.float64]
    thrown_away: NDArray[np.float64]
    machines: int

    @property
    def best(self) -> int:
        """The place of the threshold that costs least; of several the highest."""
        return int(len(self.cost) - 1 - np.argmin(self.cost[::-1]))

    def at(self, threshold: float) -> int:
        """Return the place of the nearest threshold."""
        return int(np.argmin(np.abs(self.thresholds - threshold)))


def evaluate_alarms(
    frame: Any,
    *,
    entity: str,
    remaining: str,
    score: str,
    costs: AlarmCosts,
    thresholds: Sequence[float] = THRESHOLDS,
) -> AlarmEvaluation:
    """Stop each machine at its first score above a threshold, and add up what that costs.

    Parameters
    ----------
    frame : dask or pandas DataFrame
        Readings of machines up to their failure.
    entity, remaining, score : str
        Columns with the machine, its remaining life and the score; the life falls with time, so
        that the first alarm is the one with the most life left.
    costs : AlarmCosts
    thresholds : sequence of float

    Returns
    -------
    AlarmEvaluation

    Raises
    ------
    MissingColumnError, InputError
        A column is missing, or there is no row.

    Examples
    --------
    >>> frame = pd.DataFrame({"machine": [1] * 4, "left": [3, 2, 1, 0], "risk": [0, 0.2, 0.6, 1]})
    >>> names = {"entity": "machine", "remaining": "left", "score": "risk"}
    >>> found = evaluate_alarms(frame, **names, costs=AlarmCosts(late=10), thresholds=[0.1, 0.5])
    >>> found.cost.tolist(), found.failed.tolist()
    ([2.0, 1.0], [0.0, 0.0])
    """
    if min(costs.early, costs.late, costs.notice) < 0:
        raise ConfigurationError(f"{costs} must be 0 or more.")
    for name in (entity, remaining, score):
        if name not in frame.columns:
            raise MissingColumnError.of("frame", name, frame.columns)
    columns = frame[[entity, remaining, score]]
    first = partial(_first_alarms, thresholds=tuple(thresholds))
    if isinstance(frame, pd.DataFrame):
        alarms = first(columns)
    else:
        alarms = add_up(for_each(first, columns.to_delayed()), _earliest).compute()
    if not len(alarms):
        raise InputError("There is no machine to judge. Look at the filters before it.")
    return _costs_of(alarms.to_numpy(), np.asarray(thresholds, dtype=np.float64), costs)


def _first_alarms(part: pd.DataFrame, thresholds: Sequence[float]) -> pd.DataFrame:
    """Return each machine's remaining life at its first alarm, -1 where there is none."""
    machine, left, score = (part.iloc[:, place] for place in range(3))
    raised = {
        threshold: np.where(score.to_numpy() >= threshold, left.to_numpy(), -1.0)
        for threshold in thresholds
    }
    return pd.DataFrame(raised, index=part.index).groupby(machine.to_numpy()).max()


def _earliest(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts).groupby(level=0).max()


def _costs_of(
    left: NDArray[np.float64], thresholds: NDArray[np.float64], costs: AlarmCosts
) -> AlarmEvaluation:
    late = (left < 0) | (left < costs.notice)
    cost = np.where(late, costs.late, costs.early * left).mean(axis=0)
    stopped = (~late).sum(axis=0)
    life = np.where(late, 0.0, left).sum(axis=0)
    return AlarmEvaluation(
        thresholds,
        cost,
        late.mean(axis=0),
        np.divide(life, stopped, out=np.full(len(thresholds), np.nan), where=stopped > 0),
        len(left),
    )
