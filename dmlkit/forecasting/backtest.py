"""Origins of a backtest, and what is learned of intervals from one."""

from collections.abc import Iterator, Sequence
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.forecasting.intervals import FORECAST, own_bounds, quantile_name
from dmlkit.forecasting.origin import Cutoff
from dmlkit.forecasting.panel import VALUE

__all__ = ["cutoffs_of", "interval_margins"]


def cutoffs_of(end: Cutoff, horizon: int, windows: int, step: int) -> Iterator[Cutoff]:
    """Return the origins of a backtest, the earliest first.

    Raises
    ------
    ConfigurationError
        A number is below 1.

    Examples
    --------
    >>> [cutoff.back for cutoff in cutoffs_of(Cutoff(None), horizon=7, windows=2, step=3)]
    [10, 7]
    """
    for name, number in (("horizon", horizon), ("windows", windows), ("step", step)):
        if number < 1:
            raise ConfigurationError(f"{name} is {number}: write 1 or more.")
    for window in reversed(range(windows)):
        yield Cutoff(end.last, end.back + horizon + window * step)


def interval_margins(
    backtest: Any, quantiles: Sequence[float], levels: Sequence[float]
) -> dict[float, np.ndarray]:
    """Return, for each level in percent, how far bounds must lie outside of the model's own.

    Parameters
    ----------
    backtest : dask or pandas DataFrame
        From `Forecaster.cross_validate`.
    quantiles : sequence of float
        Of the model; empty where it has none.
    levels : sequence of float

    Returns
    -------
    dict of float to (horizon,) float64 array
        In units of each series' scale; may be below 0 where the model's own are too wide.

    Raises
    ------
    InputError
        A step of the backtest has no known value.
    """
    names = [quantile_name(level) for level in quantiles] or [FORECAST]
    columns = backtest[[VALUE, "step", "scale", *names]]
    rows: pd.DataFrame = columns.compute() if isinstance(backtest, dd.DataFrame) else columns
    rows = rows[rows[VALUE].notna() & rows[names[0]].notna()]
    margins = {}
    for level in levels:
        if not 0 < level < 100:
            raise ConfigurationError(f"An interval of {level}%: write a level between 0 and 100.")
        low, high = own_bounds(quantiles, level)
        below, above = rows[names[low]] - rows[VALUE], rows[VALUE] - rows[names[high]]
        outside = np.maximum(below, above) / rows["scale"]
        margins[float(level)] = _by_step(outside, rows["step"], level / 100)
    return margins


def _by_step(outside: pd.Series, step: pd.Series, share: float) -> np.ndarray:
    horizon = int(step.max()) if len(step) else 0
    found = np.full(horizon, np.nan)
    for number, group in outside.groupby(step):
        # One more than there are: what is still to come counts as one of them.
        place = min(int(np.ceil((len(group) + 1) * share)), len(group)) - 1
        found[int(number) - 1] = np.sort(group.to_numpy())[place]
    if not horizon or np.isnan(found).any():
        missing = 1 if not horizon else int(np.flatnonzero(np.isnan(found))[0]) + 1
        raise InputError(
            f"The backtest has no known value {missing} steps ahead: intervals can't be "
            "calibrated. Take earlier or more windows."
        )
    return found
