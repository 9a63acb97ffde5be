"""Folds in time, each trained on what lies before its test: expanding, or sliding, with a gap."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.lengths import length_of
from dmlkit.graph import add_up, for_each
from dmlkit.model_selection.columns import check_named

__all__ = ["FoldPeriod", "TimeSeriesSplit"]

Length = str | float


class FoldPeriod(NamedTuple):
    """When a fold is trained and tested; ends are exclusive, and no start means from the first."""

    train_start: Any
    train_end: Any
    test_start: Any
    test_end: Any


@dataclass(frozen=True)
class TimeSeriesSplit:
    """Folds that are tested on one period after the other, and trained on what lies before.

    Parameters
    ----------
    n_splits : int
    test_size : str or number
        The length of each test, such as ``"7d"``; a number where the column of times is one, such
        as a count of cycles. Tests follow each other, and the last one ends with the table.
    max_train_size : str or number, optional
        With it the training slides along, else it expands from the first row on.
    gap : str or number, optional
        What is left out between training and test (an embargo), as long as it takes until labels
        are known.
    until : datetime, str or number, optional
        Where the last test ends (exclusive); without, just after the last row, for which `split`
        makes a pass over the column.

    Raises
    ------
    ConfigurationError
        There is no fold, or a length is not one.

    Notes
    -----
    Parameters are scikit-learn's, in time and not in rows: however many rows a day has, and
    however they lie in partitions, a test never sees a row that is trained on or that happened
    before. For one split with validation, and by whole days, see `TimeSplit`.

    Examples
    --------
    >>> table = pd.DataFrame({"time": pd.date_range("2025-01-01", periods=28, freq="D")})
    >>> folds = TimeSeriesSplit(2, test_size="7d", gap="3d")
    >>> [(len(train), len(test)) for train, test in folds.split(table, "time")]
    [(11, 7), (18, 7)]
    """

    n_splits: int = 5
    test_size: Length = "7d"
    max_train_size: Length | None = None
    gap: Length | None = None
    until: Any = None

    def __post_init__(self) -> None:
        if self.n_splits < 1:
            raise ConfigurationError(f"n_splits is {self.n_splits}; it must be 1 or more.")
        given = {name: getattr(self, name) for name in ("test_size", "max_train_size", "gap")}
        lengths = {name: _length(each) for name, each in given.items() if each is not None}
        kinds = {isinstance(each, pd.Timedelta) for each in lengths.values()}
        if len(kinds) > 1:
            raise ConfigurationError(
                f"Lengths are {given}: all must be of time, such as '7d', or all numbers."
            )
        for name, length in lengths.items():
            nothing = type(length)(0)
            if length < nothing or (length == nothing and name != "gap"):
                raise ConfigurationError(f"{name} is {given[name]!r}; it must be longer.")

    def get_n_splits(self) -> int:
        """Return the number of folds."""
        return self.n_splits

    def periods(self, until: Any) -> list[FoldPeriod]:
        """Return the periods of each fold, the earliest first, where the last test ends `until`.

        Examples
        --------
        >>> for period in TimeSeriesSplit(2, test_size=10, max_train_size=30).periods(100):
        ...     print(*period)
        50 80 80 90
        60 90 90 100
        """
        test, gap = _length(self.test_size), _length(self.gap)
        sliding = _length(self.max_train_size)
        found = []
        for left in range(self.n_splits, 0, -1):
            start = until - left * test
            train_end = start if gap is None else start - gap
            train_start = None if sliding is None else train_end - sliding
            found.append(FoldPeriod(train_start, train_end, start, until - (left - 1) * test))
        return found

    def split(self, frame: Any, time: str) -> Iterator[tuple[Any, Any]]:
        """Yield the rows to train on and those to test on, lazily, for each fold.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        time : str
            The column that tells when a row happened.

        Raises
        ------
        MissingColumnError
        InputError
            The column is of another kind than the lengths, a time is missing, or the table is too
            short for the folds.
        """
        check_named(frame, time)
        _check_kind(frame[time], isinstance(_length(self.test_size), pd.Timedelta))
        first, last = _extent(frame[time])
        until = _just_after(last) if self.until is None else _moment(self.until, frame[time])
        folds = self.periods(until)
        if not first < folds[0].train_end:
            raise InputError(
                f"Column {time!r} holds {first} to {last}, but the first of {self.n_splits} folds "
                f"would be trained on what lies before {folds[0].train_end}. Take fewer folds, or "
                "shorter ones."
            )
        for fold in folds:
            train = frame[time] < fold.train_end
            if fold.train_start is not None:
                train &= frame[time] >= fold.train_start
            test = (frame[time] >= fold.test_start) & (frame[time] < fold.test_end)
            yield frame[train], frame[test]


def _length(given: Length | None) -> Any:
    return length_of(given) if isinstance(given, str) else given


def _check_kind(column: Any, in_time: bool) -> None:
    dtype = column.dtype
    times = pd.api.types.is_datetime64_any_dtype(dtype)
    if times != in_time or not (times or pd.api.types.is_any_real_numeric_dtype(dtype)):
        wanted = "lengths such as '7d'" if times else "numbers as lengths, or convert it"
        raise InputError(f"Column {column.name!r} is {dtype}. Give {wanted}.")


def _extent(times: Any) -> tuple[Any, Any]:
    """Return the first and the last time; one pass."""
    if isinstance(times, dd.Series):
        found = add_up(for_each(_extent_of_part, times.to_delayed()), _widest).compute()
    else:
        found = _extent_of_part(times)
    rows, missing, first, last = found
    if missing:
        raise InputError(
            f"{missing:,} of {rows:,} rows have no {times.name!r}. Drop them, or fill them in."
        )
    if not rows:
        raise InputError(f"There is no row, so no {times.name!r}. Look at the filters before it.")
    return first, last


def _extent_of_part(times: pd.Series) -> tuple[int, int, Any, Any]:
    there = times.dropna()
    ends = (there.min(), there.max()) if len(there) else (None, None)
    return (len(times), len(times) - len(there), *ends)


def _widest(parts: list[tuple[int, int, Any, Any]]) -> tuple[int, int, Any, Any]:
    rows, missing = (sum(part[place] for part in parts) for place in (0, 1))
    firsts, lasts = ([part[place] for part in parts if part[place] is not None] for place in (2, 3))
    return rows, missing, min(firsts, default=None), max(lasts, default=None)


def _just_after(last: Any) -> Any:
    if isinstance(last, pd.Timestamp):
        return last.as_unit("ns") + pd.Timedelta(1, "ns")
    return last + 1 if isinstance(last, (int, np.integer)) else np.nextafter(last, np.inf)


def _moment(until: Any, times: Any) -> Any:
    """Return a moment as the column has its times; without a zone it is UTC."""
    if not pd.api.types.is_datetime64_any_dtype(times.dtype):
        return until
    moment = pd.Timestamp(until)
    zoned = getattr(times.dtype, "tz", None) is not None
    if zoned:
        return moment if moment.tzinfo is not None else moment.tz_localize("UTC")
    return moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
