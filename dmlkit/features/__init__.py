"""Features that look back in time and never ahead: windows per entity, calendar, ratios."""

from dmlkit.features.asof import AsOf
from dmlkit.features.cycles import cycles_as_times
from dmlkit.features.feature_set import FeatureSet
from dmlkit.features.holidays import Holidays
from dmlkit.features.panel import PanelLags
from dmlkit.features.ratios import Ratio, ZScore
from dmlkit.features.rowwise import Calendar, Columns
from dmlkit.features.windows import TimeWindows

__all__ = [
    "AsOf",
    "Calendar",
    "Columns",
    "FeatureSet",
    "Holidays",
    "PanelLags",
    "Ratio",
    "TimeWindows",
    "ZScore",
    "cycles_as_times",
]
