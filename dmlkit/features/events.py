"""`Events`, the rows that count in windows, and `View`, the windows of rows on them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.features import moment_kernels, order_kernels
from dmlkit.features.bound_kernels import window_starts, window_stops
from dmlkit.features.conditions import Condition
from dmlkit.features.sorted_rows import SortedRows, factorize_by_value

__all__ = ["Events", "View"]


@dataclass(frozen=True)
class Events:
    """The rows that count: those with a value, sorted by entity and time.

    Attributes
    ----------
    codes, times : (m,) int64 arrays
    column : pd.Series
        Their values; none is missing.
    unit : str
        Of the times.
    whole : bool
        Whether all rows of the table are events.
    """

    codes: np.ndarray
    times: np.ndarray
    column: pd.Series
    unit: str
    whole: bool

    @classmethod
    def of(cls, rows: SortedRows, value: str, condition: Condition | None) -> "Events":
        """Return the rows with a value in a column, that meet a condition."""
        column = rows.event_column(value)
        kept = column.notna().to_numpy() & (rows.event_codes >= 0)
        if condition is not None:
            kept &= condition.mask({name: rows.event_column(name) for name in condition.columns})
        if kept.all():
            return cls(rows.event_codes, rows.event_times, column, rows.unit, True)
        codes, times = rows.event_codes[kept], rows.event_times[kept]
        return cls(codes, times, column[kept], rows.unit, False)

    @cached_property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return pd.api.types.is_numeric_dtype(self.column.dtype)

    @cached_property
    def numbers(self) -> np.ndarray:
        """Return the values as doubles; minus zero becomes zero."""
        return self.column.to_numpy(dtype="float64") + 0.0

    @cached_property
    def moments(self) -> Any:
        """Return what sums and variances over different windows share."""
        return moment_kernels.prepare(self.numbers)

    @cached_property
    def _factorized(self) -> tuple[np.ndarray, pd.Index]:
        return factorize_by_value(pd.Series(self.numbers) if self.is_number else self.column)

    @property
    def values(self) -> np.ndarray:
        """The values as numbers that are in their order: doubles, or places among the levels."""
        return self.numbers if self.is_number else self.levels_of_rows

    @property
    def levels_of_rows(self) -> np.ndarray:
        """The place of each value among the levels."""
        return self._factorized[0]

    @property
    def levels(self) -> pd.Index:
        """The distinct values, sorted."""
        return self._factorized[1]

    @cached_property
    def of_instant(self) -> np.ndarray:
        """Return the largest of the values at the instant of each event."""
        return order_kernels.instant_maximum(self.codes, self.times, self.values)

    @cached_property
    def run_starts(self) -> np.ndarray:
        """Return the first event of those since the value last changed, for each."""
        return order_kernels.run_starts(self.codes, self.times, self.values)

    def stops(self, codes: np.ndarray, times: np.ndarray, delay: int) -> np.ndarray:
        """Return where in the events each row's windows end: after those up to ``t - delay``."""
        found: np.ndarray = window_stops(codes, times, self.codes, self.times, delay)
        return found

    def starts(
        self, codes: np.ndarray, times: np.ndarray, reach: int, stop: np.ndarray
    ) -> np.ndarray:
        """Return where each row's window begins that ends at `stop`: after ``t - reach``."""
        found: np.ndarray = window_starts(codes, times, self.codes, self.times, reach, stop)
        return found

    def restored(self, places: np.ndarray) -> Any:
        """Return the levels at some places as a column of the values' type; -1 is missing."""
        if self.is_number:
            return np.where(places < 0, np.nan, np.r_[self.levels.to_numpy(), np.nan][places])
        if isinstance(self.column.dtype, pd.CategoricalDtype):
            of_dtype = np.r_[self.column.cat.categories.get_indexer(self.levels), -1]
            return pd.Categorical.from_codes(of_dtype[places], dtype=self.column.dtype)
        levels = pd.Series(self.levels, dtype=self.column.dtype).array
        return levels.take(places, allow_fill=True)


@dataclass(frozen=True)
class View:
    """The windows of some rows on events: what aggregates are computed from.

    Attributes
    ----------
    events : Events
    codes, times : (n,) int64 arrays
        Of the rows that the windows are for.
    window, delay : int
        In the events' unit.
    bounds : two (n,) int64 arrays
        Where among the events each window starts and stops.
    """

    events: Events
    codes: np.ndarray
    times: np.ndarray
    window: int
    delay: int
    bounds: tuple[np.ndarray, np.ndarray]

    @cached_property
    def count(self) -> np.ndarray:
        """Return the number of events in each window."""
        start, stop = self.bounds
        return stop - start

    @cached_property
    def sum(self) -> np.ndarray:
        """Return the sum of the values in each window."""
        return moment_kernels.sliding_sum(self.events.moments, *self.bounds)

    @cached_property
    def variance(self) -> np.ndarray:
        """Return the variance of the values in each window."""
        return moment_kernels.sliding_variance(self.events.moments, *self.bounds)

    def per_event(self, total: np.ndarray) -> np.ndarray:
        """Divide what is 0 without events by their number; missing where there are none."""
        with np.errstate(invalid="ignore"):
            return np.true_divide(total, self.count)

    def event(self, number: np.ndarray) -> np.ndarray:
        """Return the numbers of events, and -1 for an empty window."""
        return np.where(self.count > 0, number, -1)

    def value_at(self, number: np.ndarray) -> Any:
        """Return the instant's value at an event of each window."""
        values = self.events.of_instant
        if self.events.is_number:
            return np.r_[values, np.nan][self.event(number)]
        return self.events.restored(np.r_[values, -1][self.event(number)])
