"""Has a table changed against an earlier one: column by column, and like with like by season."""

from dmlkit.drift.seasons import SEASONS, SeasonalDrift, compare_seasons
from dmlkit.drift.tables import compare_tables

__all__ = ["SEASONS", "SeasonalDrift", "compare_seasons", "compare_tables"]
