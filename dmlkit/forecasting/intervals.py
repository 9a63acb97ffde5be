"""Columns of forecasts and of the bounds of their intervals; bounds from calibrated margins."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError

__all__ = [
    "FORECAST",
    "add_bounds",
    "bound_names",
    "interval_scale",
    "own_bounds",
    "quantile_name",
    "quantiles_of",
]

#: The column with the expected course of a series.
FORECAST = "yhat"


def add_bounds(
    forecasts: pd.DataFrame,
    quantiles: Sequence[float],
    margins: Mapping[float, np.ndarray],
    minimum: float | None = None,
) -> pd.DataFrame:
    """Return forecasts with the bounds of calibrated intervals.

    Parameters
    ----------
    forecasts : pd.DataFrame
        With ``step``, ``scale``, ``yhat`` and the quantiles of the model.
    quantiles : sequence of float
    margins : mapping of float to (horizon,) array
    minimum : float, optional
        No bound is below it.

    Raises
    ------
    InputError
        The margins are for fewer steps.
    """
    names = [quantile_name(level) for level in quantiles] or [FORECAST]
    point, scale = forecasts[FORECAST].to_numpy(), forecasts["scale"].to_numpy()
    step = forecasts["step"].to_numpy()
    columns: dict[str, Any] = {}
    for level, of_step in margins.items():
        if len(step) and step.max() > len(of_step):
            raise InputError(
                f"The intervals are calibrated for {len(of_step)} steps, but {step.max()} are to "
                "be forecast. Calibrate with a backtest over as many."
            )
        margin = scale * np.asarray(of_step)[step - 1]
        low, high = own_bounds(quantiles, level)
        # A negative margin narrows the model's own bounds, but never past the forecast.
        lower = np.minimum(forecasts[names[low]].to_numpy() - margin, point)
        upper = np.maximum(forecasts[names[high]].to_numpy() + margin, point)
        bounds = bound_names(level)
        columns |= {bounds[0]: lower if minimum is None else np.maximum(lower, minimum)}
        columns |= {bounds[1]: upper}
    return forecasts.assign(**columns)


def own_bounds(quantiles: Sequence[float], level: float) -> tuple[int, int]:
    """Return which predictions of a model are its own bounds at a level: the middle one or a pair.

    The pair is that of the quantiles nearest to the level's.
    """
    tail = (1 - level / 100) / 2
    if len(quantiles) < 3:
        return len(quantiles) // 2, len(quantiles) // 2
    lower = int(np.argmin([abs(each - tail) for each in quantiles]))
    upper = int(np.argmin([abs(each - (1 - tail)) for each in quantiles]))
    return lower, upper


def interval_scale(absolute: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Return the unit in which a series' intervals are wide: its seasonal differences.

    Where these tell nothing (a constant or short history), its differences from row to row, or 1.
    """
    scale = np.where(absolute > 0, absolute, np.sqrt(squared))
    return np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)


def quantile_name(level: float) -> str:
    """Return the column of a quantile.

    Examples
    --------
    >>> quantile_name(0.1)
    'yhat_q10'
    """
    return f"{FORECAST}_q{100 * level:g}"


def bound_names(level: float) -> tuple[str, str]:
    """Return the columns of an interval's bounds.

    Examples
    --------
    >>> bound_names(80)
    ('yhat_lo_80', 'yhat_hi_80')
    """
    return f"{FORECAST}_lo_{level:g}", f"{FORECAST}_hi_{level:g}"


def quantiles_of(model: Any) -> tuple[float, ...]:
    """Return the quantiles that a model predicts; empty where it predicts one number.

    Raises
    ------
    ConfigurationError
        They have no middle one.
    """
    levels = model.get_params().get("quantile_alpha")
    if levels is None or not hasattr(levels, "__iter__"):
        return ()
    chosen = tuple(float(level) for level in levels)
    if len(chosen) % 2 == 0:
        raise ConfigurationError(
            f"quantile_alpha is {list(chosen)}: the middle one is the forecast, so name an odd "
            "number of them."
        )
    return chosen if len(chosen) > 1 else ()
