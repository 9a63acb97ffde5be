"""`SeriesRows`: the rows of a panel, series after series, each by time; where each begins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.step import check_columns

__all__ = ["SeriesRows", "new_instants", "pairs", "sort_panel", "starts_of", "time_numbers"]


@dataclass(frozen=True)
class SeriesRows:
    """A sorted panel.

    Attributes
    ----------
    frame : pd.DataFrame
    starts : (series + 1,) int64 array
        Where in the frame a series begins and the one before ends.
    """

    frame: pd.DataFrame
    starts: np.ndarray


def sort_panel(frame: pd.DataFrame, series: str, time: str) -> SeriesRows:
    """Sort a panel by series and time; one that is sorted already is not copied.

    Raises
    ------
    InputError
        A series has two rows at one time, or a row has no series or no time.
    """
    check_columns(frame, [series, time])
    starts = _starts(frame[series])
    times = time_numbers(frame[time])
    firsts = frame[series].iloc[starts[:-1]]
    if firsts.hasnans or firsts.duplicated().any() or not _rising(times, starts):
        for name in (series, time):
            missing = int(frame[name].isna().sum())
            if missing:
                raise InputError(
                    f"{missing:,} of {len(frame):,} rows have no {name!r}. Leave them out first."
                )
        frame = frame.sort_values([series, time], ignore_index=True)
        starts, times = _starts(frame[series]), time_numbers(frame[time])
        _check_times(frame, series, time, times, starts)
    return SeriesRows(frame, starts)


def time_numbers(time: pd.Series) -> np.ndarray:
    """Return times as whole numbers: of a datetime in its own unit, of whole numbers as they are.

    Raises
    ------
    InputError
        The column is neither.
    """
    if isinstance(time.dtype, np.dtype) and time.dtype.kind in "iuM":
        values = time.to_numpy()
        return values.view(np.int64) if values.dtype.kind == "M" else values.astype(np.int64)
    if pd.api.types.is_integer_dtype(time.dtype) and not time.hasnans:
        return time.to_numpy(dtype=np.int64)
    if pd.api.types.is_datetime64_any_dtype(time.dtype):
        zone = getattr(time.dtype, "tz", None)
        plain = time if zone is None else time.dt.tz_convert("UTC").dt.tz_localize(None)
        return plain.to_numpy(dtype="datetime64[us]").view(np.int64)
    example = time.iloc[0] if len(time) else None
    raise InputError(
        f"Column {time.name!r} is {time.dtype} (such as {example!r}); a series needs datetimes, or "
        "whole numbers that count its steps. Convert it first."
    )


def _starts(series: pd.Series) -> np.ndarray:
    """Return where runs of equal values begin, and the number of rows."""
    if not len(series):
        return np.zeros(1, np.int64)
    codes: Any = series.cat.codes if isinstance(series.dtype, pd.CategoricalDtype) else series
    if not isinstance(codes.dtype, np.dtype):
        codes = pd.Series(pd.factorize(codes)[0])
    return starts_of(codes.to_numpy())


def starts_of(codes: np.ndarray) -> np.ndarray:
    """Return where runs of equal numbers begin, and how many numbers there are."""
    if not len(codes):
        return np.zeros(1, np.int64)
    return np.r_[0, np.flatnonzero(codes[1:] != codes[:-1]) + 1, len(codes)].astype(np.int64)


def new_instants(codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return which sorted rows are of another series or time than the one before."""
    changes = (times[1:] != times[:-1]) | (codes[1:] != codes[:-1])
    return np.r_[True, changes][: len(codes)]


def pairs(codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return series and times of rows as values that can be compared."""
    found = np.empty(len(codes), dtype=[("code", np.int64), ("time", np.int64)])
    found["code"], found["time"] = codes, times
    return found


def _rising(times: np.ndarray, starts: np.ndarray) -> bool:
    rises = times[1:] > times[:-1]
    rises[starts[1:-1] - 1] = True
    return bool(rises.all()) and (not len(times) or times[starts[:-1]].min() > NOT_A_TIME)


#: What a missing datetime is as a number.
NOT_A_TIME = np.iinfo(np.int64).min


def _check_times(
    frame: pd.DataFrame, series: str, time: str, times: np.ndarray, starts: np.ndarray
) -> None:
    same = times[1:] == times[:-1]
    same[starts[1:-1] - 1] = False
    if same.any():
        row = frame.iloc[int(np.flatnonzero(same)[0])]
        raise InputError(
            f"{int(same.sum()):,} rows have the same {series!r} and {time!r} as another, such as "
            f"{row[series]!r} at {row[time]}. A series has one value at a time: add them up, or "
            "drop the repeated ones."
        )
