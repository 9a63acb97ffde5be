"""Forecasts of many series: one model for a long panel, backtests, baselines, intervals."""

from dmlkit.forecasting.forecaster import Forecaster
from dmlkit.forecasting.frequency import Frequency
from dmlkit.forecasting.metrics import ForecastEvaluation, evaluate_forecasts
from dmlkit.forecasting.panel import gather_series, regular_panel
from dmlkit.forecasting.transforms import Differences, LocalBoxCox, LocalStandardScaler, Log1p

__all__ = [
    "Differences",
    "ForecastEvaluation",
    "Forecaster",
    "Frequency",
    "LocalBoxCox",
    "LocalStandardScaler",
    "Log1p",
    "evaluate_forecasts",
    "gather_series",
    "regular_panel",
]
