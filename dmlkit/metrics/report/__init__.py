"""The report on a job: one HTML file that works offline and prints well."""

from dmlkit.metrics.report.drift import write_drift_report
from dmlkit.metrics.report.inputs import BadRows, Period, ReportInputs, StageTime
from dmlkit.metrics.report.page import write_report

__all__ = ["BadRows", "Period", "ReportInputs", "StageTime", "write_drift_report", "write_report"]
