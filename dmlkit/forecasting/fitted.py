"""`Fitted`: what workers need to forecast the series of a partition; forecasts of a whole panel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.features.panel_groups import GroupSums
from dmlkit.features.panel_series import SeriesRows, sort_panel
from dmlkit.forecasting.baselines import naive2, naive_scales, seasonal_naive
from dmlkit.forecasting.design import Design
from dmlkit.forecasting.groups import merged, partial_sums, sums_of_groups
from dmlkit.forecasting.intervals import FORECAST, add_bounds, interval_scale, quantile_name
from dmlkit.forecasting.origin import Cutoff, Origins, future_rows, origins_of
from dmlkit.forecasting.panel import SERIES, TIME, VALUE
from dmlkit.forecasting.recursion import Beginning, Course, next_step, sums_of_latest, undone
from dmlkit.graph import add_up, for_all, for_each

__all__ = ["Fitted", "forecast_lazily"]


@dataclass(frozen=True)
class Known:
    """What a partition knows before its first forecast.

    Attributes
    ----------
    beginning : Beginning
    columns : pd.DataFrame
        Of the rows to forecast, step after step: all but the forecasts.
    """

    beginning: Beginning
    columns: pd.DataFrame


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

    def known(
        self,
        panel: pd.DataFrame,
        sums: Sequence[GroupSums],
        horizon: int,
        cutoff: Cutoff,
        judged: bool,
    ) -> Known:
        """Return what the series of a partition are before the first step.

        Parameters
        ----------
        panel : pd.DataFrame
            Whole series, with a row at each step.
        sums : sequence of GroupSums
            Of the groups of these series up to the cutoff, one for each of the design's `groups`.
        horizon : int
        cutoff : Cutoff
        judged : bool
            With what happened, the baselines, and the scales that errors are measured by, but
            without calibrated bounds.
        """
        rows = sort_panel(panel, SERIES, TIME)
        frequency = self.design.frequency
        origins = origins_of(rows, cutoff, frequency)
        future = future_rows(rows, origins, horizon, frequency, self.design.known)
        columns = self._columns(rows, origins, future, horizon, judged)
        return Known(Beginning.of(self.design, rows, origins, future, sums), columns)

    def next_step(
        self, known: Known, course: Course | None, sums: Sequence[GroupSums] | None = None
    ) -> Course:
        """Forecast one more step; without a course, the first one."""
        begun = Course.begun(known.beginning) if course is None else course
        models, size = self.models, self.steps_per_model
        return next_step(self.design, models, size, known.beginning, begun, sums)

    def frame(self, known: Known, course: Course) -> pd.DataFrame:
        """Return forecasts as a table, step after step."""
        found = undone(self.design, known.beginning, course)
        if self.minimum is not None:
            found = np.maximum(found, self.minimum)
        # Of the column "step" on: the forecasts come right behind it.
        before, after = known.columns.iloc[:, :3], known.columns.iloc[:, 3:]
        predictions = {name: found[:, :, k].T.ravel() for k, name in self._predictions()}
        whole = pd.concat([before.assign(**predictions), after], axis=1)
        if VALUE in whole:
            return whole
        bounded = add_bounds(whole, self.quantiles, self.margins, self.minimum)
        return bounded.drop(columns="scale")

    def _columns(
        self, rows: SeriesRows, origins: Origins, future: pd.DataFrame, horizon: int, judged: bool
    ) -> pd.DataFrame:
        taken, starts = origins.history()
        values = rows.frame[VALUE].to_numpy(dtype=np.float64, na_value=np.nan)[taken]
        absolute, squared = naive_scales(values, starts, self.season)
        columns: dict[str, Any] = {SERIES: future[SERIES], TIME: future[TIME]}
        columns["step"] = np.repeat(np.arange(1, horizon + 1, dtype=np.int32), len(starts) - 1)
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

    def _predictions(self) -> list[tuple[int, str]]:
        own = [(place, quantile_name(level)) for place, level in enumerate(self.quantiles)]
        return [(len(self.quantiles) // 2, FORECAST), *own]


def forecast_lazily(
    fitted: Fitted, panel: Any, horizon: int, cutoff: Cutoff, *, judged: bool
) -> Any:
    """Return the forecasts of all series of a Dask frame, as lazily as it is.

    Where features look at groups, all partitions make a step before any makes the next.
    """
    design, shared = fitted.design, for_all(_same, fitted)
    parts = panel.to_delayed()
    empty = fitted.known(
        panel._meta, partial_sums(panel._meta, design, cutoff), horizon, cutoff, judged
    )
    no_course = Course.begun(empty.beginning)
    nothing = np.empty((0, max(len(fitted.quantiles), 1)))
    meta = fitted.frame(empty, Course((nothing,) * horizon, no_course.points, no_course.groups))
    if not design.groups:
        found = for_each(_forecast, parts, shared, horizon, cutoff, judged, meta)
        return dd.from_delayed(found, meta=meta, verify_meta=False, prefix="forecast")
    sums = sums_of_groups(panel, design, cutoff)
    known = for_each(_known, parts, sums, shared, horizon, cutoff, judged)
    courses = for_each(_next_step, known, shared, None, None)
    for _ in range(1, horizon):
        latest = add_up(for_each(_sums_of_latest, known, courses), merged)
        courses = for_each(_next_step, known, shared, courses, latest)
    found = for_each(_frame, known, shared, courses, meta)
    return dd.from_delayed(found, meta=meta, verify_meta=False, prefix="forecast")


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
    known = fitted.known(panel, (), horizon, cutoff, judged)
    course = None
    for _ in range(horizon if len(known.columns) else 0):
        course = fitted.next_step(known, course)
    return meta if course is None else fitted.frame(known, course)


def _known(
    panel: pd.DataFrame,
    sums: list[GroupSums],
    fitted: Fitted,
    horizon: int,
    cutoff: Cutoff,
    judged: bool,
) -> Known:
    return fitted.known(panel, sums, horizon, cutoff, judged)


def _next_step(
    known: Known, fitted: Fitted, course: Course | None, sums: list[GroupSums] | None
) -> Course:
    return fitted.next_step(known, course, sums)


def _sums_of_latest(known: Known, course: Course) -> list[GroupSums]:
    return sums_of_latest(known.beginning, course)


def _frame(known: Known, fitted: Fitted, course: Course, meta: pd.DataFrame) -> pd.DataFrame:
    return fitted.frame(known, course) if len(known.columns) else meta
