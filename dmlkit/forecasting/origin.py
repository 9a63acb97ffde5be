"""Where forecasts begin: for each series, how many of its rows are past and which are future."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.panel_series import SeriesRows, time_numbers
from dmlkit.forecasting.frequency import Frequency
from dmlkit.forecasting.panel import SERIES, TIME, VALUE

__all__ = ["Cutoff", "Origins", "end_of", "future_rows", "origins_of", "past_of"]


@dataclass(frozen=True)
class Cutoff:
    """The last time that is past; rows behind it tell what is known of the future.

    Attributes
    ----------
    last : timestamp, int or None
        The same for all series: one that has no row there is not forecast, since it has ended or
        not begun. None for each series' own last row with a value.
    back : int
        Steps before that.
    """

    last: Any
    back: int = 0


@dataclass(frozen=True)
class Origins:
    """The series that are forecast, and where in the rows their past ends.

    Attributes
    ----------
    firsts, stops : (series,) int64 arrays
        The first row, and the first that is not past any more.
    ends : (series,) int64 array
        Where the rows of the series end.
    """

    firsts: np.ndarray
    stops: np.ndarray
    ends: np.ndarray

    def history(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the past rows, and where each series begins among them."""
        lengths = self.stops - self.firsts
        starts = np.r_[0, np.cumsum(lengths)].astype(np.int64)
        taken = np.arange(starts[-1]) + np.repeat(self.firsts - starts[:-1], lengths)
        return taken, starts


def origins_of(rows: SeriesRows, cutoff: Cutoff, frequency: Frequency) -> Origins:
    """Find where the forecasts of each series begin; series without any past are left out."""
    frame, firsts, ends = rows.frame, rows.starts[:-1], rows.starts[1:]
    known = frame[VALUE].notna().to_numpy()
    if cutoff.last is None:
        newest = np.maximum.accumulate(np.where(known, np.arange(len(frame)), -1))
        stops = np.maximum(newest[ends - 1] + 1 - cutoff.back, firsts)
        chosen = stops > firsts
    else:
        until = time_numbers(end_of(rows, cutoff, frequency))[0]
        times = time_numbers(frame[TIME])
        stops = firsts + _counts(times <= until, rows.starts)
        chosen = stops > firsts
        chosen[chosen] = times[stops[chosen] - 1] == until
    seen = np.r_[0, np.cumsum(known)]
    chosen &= seen[stops] > seen[firsts]
    return Origins(firsts[chosen], stops[chosen], ends[chosen])


def past_of(rows: SeriesRows, cutoff: Cutoff, frequency: Frequency) -> Origins:
    """Return all series with a row before or at a cutoff, also those that ended before it."""
    until = time_numbers(end_of(rows, cutoff, frequency))[0]
    firsts, ends = rows.starts[:-1], rows.starts[1:]
    stops = firsts + _counts(time_numbers(rows.frame[TIME]) <= until, rows.starts)
    begun = stops > firsts
    return Origins(firsts[begun], stops[begun], ends[begun])


def end_of(rows: SeriesRows, cutoff: Cutoff, frequency: Frequency) -> pd.Series:
    """Return the last time that is past, as a column of one row."""
    last = pd.Series([cutoff.last]).astype(rows.frame[TIME].dtype)
    return frequency.ahead(last, -cutoff.back)


def future_rows(
    rows: SeriesRows, origins: Origins, horizon: int, frequency: Frequency, known: list[str]
) -> pd.DataFrame:
    """Return the rows to forecast, step after step, each with the series in their order.

    Rows that are not there are those before with a time of their own: static columns stay.

    Raises
    ------
    InputError
        Columns that must be known of the future are not.
    """
    step = np.repeat(np.arange(horizon), len(origins.stops))
    stops, ends = np.tile(origins.stops, horizon), np.tile(origins.ends, horizon)
    place = stops + step
    there = place < ends
    future = rows.frame.iloc[np.where(there, place, stops - 1)].reset_index(drop=True)
    past = rows.frame[TIME].iloc[origins.stops - 1].reset_index(drop=True)
    last = pd.concat([past] * horizon, ignore_index=True)
    future[TIME] = frequency.ahead(last, step + 1)
    future[VALUE] = future[VALUE].where(there)
    lacking = ~there | (future[known].isna().any(axis=1).to_numpy() if known else False)
    if known and lacking.any():
        row = future.iloc[int(np.flatnonzero(lacking)[0])]
        raise InputError(
            f"{', '.join(map(repr, known))} must be known {horizon} steps ahead, but "
            f"{int(lacking.sum()):,} rows are missing, such as {row[TIME]} of series "
            f"{row[SERIES]!r}. Give them with `future`, or name columns that never change in "
            "`static`."
        )
    return future


def _counts(chosen: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return how many rows of each series are chosen."""
    total = np.r_[0, np.cumsum(chosen)]
    return total[starts[1:]] - total[starts[:-1]]
