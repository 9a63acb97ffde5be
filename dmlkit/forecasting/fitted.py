"""`Fitted`: what workers need to forecast the series of a partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.panel_series import sort_panel
from dmlkit.forecasting.baselines import naive2, naive_scales, seasonal_naive
from dmlkit.forecasting.design import Design
from dmlkit.forecasting.origin import Cutoff, future_rows, origins_of
from dmlkit.forecasting.panel import SERIES, TIME, VALUE
from dmlkit.forecasting.recursion import forecast_series
from dmlkit.graph import for_all, for_each

__all__ = [
    "FORECAST",
    "Fitted",
    "add_bounds",
    "bound_names",
    "forecast_lazily",
    "own_bounds",
    "quantile_name",
]

#: The column with the expected course of a series.
FORECAST = "yhat"


@dataclass(frozen=True)
class Fitted:
    """Models with what is done before and after them.

    Attributes
    ----------
    design : Design
    models : tuple
        Fitted.
    steps_per_model : int or None
    quantiles : tuple of float
        What the predictions of a model are, where they are several; the middle one is the
        forecast.
    season : int
        Rows of a season.
    minimum : float or None
        No forecast is below it.
    margins : mapping of float to (horizon,) array
        For each level of intervals, in percent: how far bounds lie outside of the model's own,
        in units of the series' scale, for each step.
    """

    design: Design
    models: tuple[Any, ...]
    steps_per_model: int | None
    quantiles: tuple[float, ...]
    season: int
    minimum: float | None
    margins: Mapping[float, np.ndarray] = field(default_factory=dict)

    def forecast(
        self, panel: pd.DataFrame, horizon: int, cutoff: Cutoff, *, judged: bool = False
    ) -> pd.DataFrame:
        """Return the forecasts of a partition's series, step after step.

        Parameters
        ----------
        panel : pd.DataFrame
            Whole series, with a row at each step.
        horizon : int
        cutoff : Cutoff
        judged : bool
            With what happened, the baselines, and the scales that errors are measured by, but
            without calibrated bounds.
        """
        rows = sort_panel(panel, SERIES, TIME)
        design = self.design
        origins = origins_of(rows, cutoff, design.frequency)
        future = future_rows(rows, origins, horizon, design.frequency, design.known)
        found = np.empty((0, horizon, max(len(self.quantiles), 1)))
        if len(origins.stops):
            found = forecast_series(
                design, self.models, self.steps_per_model, rows, origins, future
            )
        if self.minimum is not None:
            found = np.maximum(found, self.minimum)
        taken, starts = origins.history()
        values = rows.frame[VALUE].to_numpy(dtype=np.float64, na_value=np.nan)[taken]
        absolute, squared = naive_scales(values, starts, self.season)
        series = len(starts) - 1
        columns: dict[str, Any] = {SERIES: future[SERIES], TIME: future[TIME]}
        columns["step"] = np.repeat(np.arange(1, horizon + 1, dtype=np.int32), series)
        columns |= {name: found[:, :, k].T.ravel() for k, name in self._predictions()}
        columns["scale"] = np.tile(interval_scale(absolute, squared), horizon)
        if judged:
            cut = rows.frame[TIME].iloc[origins.stops - 1]
            columns["cutoff"] = pd.concat([cut] * horizon, ignore_index=True)
            columns[VALUE] = future[VALUE].astype("float64")
            baseline = naive2(values, starts, self.season, horizon)
            seasonal = seasonal_naive(values, starts, self.season, horizon)
            columns["seasonal_naive"] = np.where(np.isnan(seasonal), baseline, seasonal).T.ravel()
            columns["naive2"] = baseline.T.ravel()
            columns["scale_mase"] = np.tile(absolute, horizon)
            columns["scale_rmsse"] = np.tile(squared, horizon)
            return pd.DataFrame(columns)
        bounded = add_bounds(pd.DataFrame(columns), self.quantiles, self.margins, self.minimum)
        return bounded.drop(columns="scale")

    def _predictions(self) -> list[tuple[int, str]]:
        own = [(place, quantile_name(level)) for place, level in enumerate(self.quantiles)]
        return [(len(self.quantiles) // 2, FORECAST), *own]


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


def forecast_lazily(
    fitted: Fitted, panel: Any, horizon: int, cutoff: Cutoff, *, judged: bool
) -> Any:
    """Return the forecasts of all series of a Dask frame, as lazily as it is."""
    shared = for_all(_same, fitted)
    meta = fitted.forecast(panel._meta, horizon, cutoff, judged=judged)
    parts = for_each(_forecast, panel.to_delayed(), shared, horizon, cutoff, judged, meta)
    return dd.from_delayed(parts, meta=meta, verify_meta=False, prefix="forecast")


def _same(fitted: Fitted) -> Fitted:
    return fitted


def _forecast(
    panel: pd.DataFrame,
    fitted: Fitted,
    horizon: int,
    cutoff: Cutoff,
    judged: bool,
    meta: pd.DataFrame,
) -> pd.DataFrame:
    found = fitted.forecast(panel, horizon, cutoff, judged=judged)
    return found if len(found) else meta
