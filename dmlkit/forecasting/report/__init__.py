"""The report on forecasts: one HTML file that works offline."""

from dmlkit.forecasting.report.page import DrawnSeries, ForecastReport, write_forecast_report

__all__ = ["DrawnSeries", "ForecastReport", "write_forecast_report"]
