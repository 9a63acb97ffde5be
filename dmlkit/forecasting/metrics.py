"""How good forecasts are: errors per series, step and group, against seasonal naive and Naive2.

The frame is what `Forecaster.cross_validate` gives. Values that are missing judge nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.step import check_columns
from dmlkit.forecasting.intervals import FORECAST, bound_names
from dmlkit.forecasting.metric_tables import BASELINES, by_group, by_series, by_step, per_row
from dmlkit.forecasting.panel import SERIES, VALUE
from dmlkit.graph import add_up, for_each

__all__ = ["ForecastEvaluation", "evaluate_forecasts"]


@dataclass(frozen=True)
class ForecastEvaluation:
    """How good forecasts are.

    Attributes
    ----------
    metrics : dict of str to float
        Of all series; see `evaluate_forecasts`.
    by_series : pd.DataFrame
        ``unique_id``, ``rows``, and ``smape``, ``mase``, ``rmsse``, ``bias`` of the forecast; and
        ``mase_seasonal_naive``.
    by_step : pd.DataFrame
        ``step``, and ``smape``, ``mase`` of the forecast and of the baselines; ``rmsse``, ``wape``
        and ``bias`` of the forecast; coverages.
    by_group : pd.DataFrame
        ``column``, ``group``, ``series``, ``rows``, ``smape``, ``mase``, ``rmsse``, ``wape``,
        ``bias``, ``mase_seasonal_naive`` and ``lost``, the part of the group's series that are
        worse than seasonal naive. The columns one after the other, each group with the largest
        values first; empty where no groups are named.
    """

    metrics: dict[str, float]
    by_series: pd.DataFrame
    by_step: pd.DataFrame
    by_group: pd.DataFrame


def evaluate_forecasts(
    backtest: Any,
    *,
    levels: Sequence[float] = (),
    quantiles: Sequence[float] = (),
    groups: pd.DataFrame | None = None,
    weights: Mapping[Any, float] | None = None,
) -> ForecastEvaluation:
    """Judge forecasts in one pass.

    Parameters
    ----------
    backtest : dask or pandas DataFrame
        From `Forecaster.cross_validate`; the rows of a series in one partition.
    levels : sequence of float
        In percent, of the intervals whose coverage is counted.
    quantiles : sequence of float
        Whose weighted loss is computed (columns ``yhat_q10``, ...).
    groups : pd.DataFrame, optional
        ``unique_id``, and columns by whose values series are judged together.
    weights : mapping of series to float, optional
        For ``wrmsse``, such as the turnover of each series before the origin (as in M5).

    Returns
    -------
    ForecastEvaluation
        The metrics: ``smape`` (percent, mean of ``200 |y - f| / (|y| + |f|)`` over rows), ``mase``
        (mean over series of the mean absolute error in units of the seasonal naive one in the
        history), ``rmsse`` (likewise of squares and of the naive one), ``owa`` (mean of smape and
        mase over those of Naive2), ``wape`` (sum of absolute errors over the sum of values),
        ``wrmsse`` (rmsse weighted by `weights`, or by the values of each series that are judged),
        ``bias`` (sum of errors over the sum of values, above 0 for forecasts that are too high),
        ``weighted_quantile_loss``,
        ``coverage_80`` and ``width_80`` (in units of the values' mean); with the suffix
        ``.seasonal_naive`` and ``.naive2`` those of the baselines; and ``series_lost_share``, the
        part of the series whose forecast is worse than seasonal naive.

    Raises
    ------
    InputError
        No row has a known value.

    References
    ----------
    Makridakis, Spiliotis, Assimakopoulos: *The M4 Competition* and *The M5 accuracy competition*.
    International Journal of Forecasting 36 (2020) and 38 (2022).

    Examples
    --------
    >>> import pandas as pd
    >>> backtest = pd.DataFrame({
    ...     "unique_id": "a", "step": [1, 2], "y": [10.0, 20.0], "yhat": [12.0, 18.0],
    ...     "seasonal_naive": 15.0, "naive2": 15.0, "scale_mase": 4.0, "scale_rmsse": 16.0})
    >>> evaluate_forecasts(backtest).metrics["mase"]
    0.5
    """
    meta = backtest if isinstance(backtest, pd.DataFrame) else backtest._meta
    needed = [SERIES, VALUE, "step", FORECAST, *BASELINES, "scale_mase", "scale_rmsse"]
    bounds = [name for level in levels for name in bound_names(level)]
    losses = [f"{FORECAST}_q{100 * level:g}" for level in quantiles]
    check_columns(meta, [*needed, *bounds, *losses])
    chosen = backtest[[*needed, *bounds, *losses]]
    if isinstance(chosen, dd.DataFrame):
        parts = for_each(_sums_of, chosen.to_delayed(), tuple(levels), tuple(quantiles))
        of_series, of_step = add_up(parts, _added).compute()
    else:
        of_series, of_step = _sums_of(chosen, levels, quantiles)
    if not len(of_series):
        raise InputError("No forecast has a known value beside it: nothing can be judged.")
    return ForecastEvaluation(
        _metrics(of_series, levels, quantiles, _weights(of_series, weights)),
        by_series(of_series),
        by_step(of_step, levels),
        by_group(of_series, groups),
    )


def _sums_of(
    rows: pd.DataFrame, levels: Sequence[float], quantiles: Sequence[float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the sums of each series, and of each step."""
    rows = rows[rows[VALUE].notna() & rows[FORECAST].notna()]
    y = rows[VALUE]
    columns: dict[str, Any] = {"rows": np.ones(len(rows)), "value": y.abs()}
    columns["scaled_rows"] = (rows["scale_mase"] > 0).astype(float)
    columns["squared_rows"] = (rows["scale_rmsse"] > 0).astype(float)
    for name in (FORECAST, *BASELINES):
        error = rows[name] - y
        total = y.abs() + rows[name].abs()
        columns[f"smape.{name}"] = (200 * error.abs() / total).where(total > 0, 0.0)
        columns[f"absolute.{name}"] = error.abs()
        scaled = error.abs() / rows["scale_mase"].where(rows["scale_mase"] > 0)
        columns[f"scaled.{name}"] = scaled.fillna(0.0)
        squared = error**2 / rows["scale_rmsse"].where(rows["scale_rmsse"] > 0)
        columns[f"squared.{name}"] = squared.fillna(0.0)
        columns[f"error.{name}"] = error
    for level in levels:
        low, high = (rows[name] for name in bound_names(level))
        columns[f"inside.{level:g}"] = ((low <= y) & (y <= high)).astype(float)
        columns[f"width.{level:g}"] = high - low
    for level in quantiles:
        apart = y - rows[f"{FORECAST}_q{100 * level:g}"]
        columns[f"pinball.{level:g}"] = np.maximum(level * apart, (level - 1) * apart)
    sums = pd.DataFrame(columns, index=rows.index)
    of_series = sums.groupby(rows[SERIES].to_numpy(), sort=False, observed=True).sum()
    return of_series, sums.groupby(rows["step"].to_numpy()).sum()


def _added(
    parts: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    of_series, of_step = zip(*parts, strict=True)
    both = pd.concat(of_series), pd.concat(of_step)
    return both[0].groupby(level=0, observed=True).sum(), both[1].groupby(level=0).sum()


def _weights(of_series: pd.DataFrame, weights: Mapping[Any, float] | None) -> pd.Series:
    """Return how much each series counts in ``wrmsse``."""
    if weights is None:
        return of_series["value"]
    given = of_series.index.map(dict(weights).get).to_numpy(dtype=np.float64)
    if np.isnan(given).any() or (given < 0).any():
        name = of_series.index[np.flatnonzero(~(given >= 0))[0]]
        raise InputError(
            f"Series {name!r} has no weight from 0 on in `weights`. Give each series one; 0 leaves "
            "it out of wrmsse."
        )
    return pd.Series(given, index=of_series.index)


def _metrics(
    of_series: pd.DataFrame,
    levels: Sequence[float],
    quantiles: Sequence[float],
    weight: pd.Series,
) -> dict[str, float]:
    total = of_series.sum()
    value = total["value"] or np.nan
    found: dict[str, float] = {}
    for name in (FORECAST, *BASELINES):
        suffix = "" if name == FORECAST else f".{name}"
        found[f"smape{suffix}"] = total[f"smape.{name}"] / total["rows"]
        found[f"mase{suffix}"] = per_row(of_series, f"scaled.{name}", "scaled_rows").mean()
        rmsse = np.sqrt(per_row(of_series, f"squared.{name}", "squared_rows"))
        found[f"rmsse{suffix}"] = rmsse.mean()
        weights = weight.where(rmsse.notna(), 0.0)
        found[f"wrmsse{suffix}"] = (rmsse * weights).sum() / (weights.sum() or np.nan)
        found[f"wape{suffix}"] = total[f"absolute.{name}"] / value
    for name in (FORECAST, "seasonal_naive"):
        suffix = "" if name == FORECAST else f".{name}"
        parts = [found[f"{each}{suffix}"] / found[f"{each}.naive2"] for each in ("smape", "mase")]
        found[f"owa{suffix}"] = float(np.mean(parts))
    found["bias"] = total[f"error.{FORECAST}"] / value
    lost = of_series[f"absolute.{FORECAST}"] > of_series["absolute.seasonal_naive"]
    found["series_lost_share"] = lost.mean()
    for level in levels:
        found[f"coverage_{level:g}"] = total[f"inside.{level:g}"] / total["rows"]
        found[f"width_{level:g}"] = total[f"width.{level:g}"] / value
    if quantiles:
        losses = [2 * total[f"pinball.{level:g}"] / value for level in quantiles]
        found["weighted_quantile_loss"] = float(np.mean(losses))
    found |= {"series": float(len(of_series)), "rows": total["rows"]}
    return {name: float(number) for name, number in found.items()}
