"""Forecasts of many series: one model for a long panel, backtests, baselines, intervals."""

from dmlkit.forecasting.backtest import interval_margins
from dmlkit.forecasting.forecaster import Forecaster
from dmlkit.forecasting.frequency import Frequency
from dmlkit.forecasting.hierarchy import add_sums
from dmlkit.forecasting.intervals import add_bounds, quantile_name
from dmlkit.forecasting.metrics import ForecastEvaluation, evaluate_forecasts
from dmlkit.forecasting.panel import gather_series, regular_panel
from dmlkit.forecasting.reconciliation import reconcile
from dmlkit.forecasting.transforms import (
    Differences,
    LocalBoxCox,
    LocalStandardScaler,
    Log1p,
    transform_from_dict,
)

__all__ = [
    "Differences",
    "ForecastEvaluation",
    "Forecaster",
    "Frequency",
    "LocalBoxCox",
    "LocalStandardScaler",
    "Log1p",
    "add_bounds",
    "add_sums",
    "evaluate_forecasts",
    "gather_series",
    "interval_margins",
    "quantile_name",
    "reconcile",
    "regular_panel",
    "transform_from_dict",
]
