"""Forecasts of many series: one model for a long panel, backtests, baselines, intervals."""

from dmlkit.forecasting.forecaster import Forecaster
from dmlkit.forecasting.frequency import Frequency
from dmlkit.forecasting.panel import gather_series, regular_panel
from dmlkit.forecasting.transforms import Differences, LocalBoxCox, LocalStandardScaler, Log1p

__all__ = [
    "Differences",
    "Forecaster",
    "Frequency",
    "LocalBoxCox",
    "LocalStandardScaler",
    "Log1p",
    "gather_series",
    "regular_panel",
]
