"""`TimeTargetEncoder`: levels as the mean label of the rows whose labels were known by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.features.lengths import in_whole_units, length_of
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.levels import target_sums
from dmlkit.preprocessing.target import check_smooth, level_places, levels_of, smoothed_means
from dmlkit.preprocessing.transformer import Transformer

__all__ = ["TimeTargetEncoder"]

#: Sums by level and period that are kept: some 40 bytes each.
MOST_SUMS = 5_000_000

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(eq=False)
class TimeTargetEncoder(Transformer):
    """Each level as the mean label of its rows that was known when a row happened.

    A label becomes known `delay` after its row. What was known of a level, and of all rows towards
    whose mean it is drawn, is looked at when a row's period begins (its day): so neither its own
    label nor a later one is in what a model is trained on, and rows of the same instant tell
    nothing of each other.

    Parameters
    ----------
    time : str
        The column that tells when a row happened: a datetime. It is not among what comes out.
    delay : str
        How late labels become known, such as ``"7d"``.
    every : str
        How long a period is. Periods of days begin at midnight, UTC.
    smooth : float or "auto"
        As of `TargetEncoder`.

    Attributes
    ----------
    categories_ : list of lists
        Levels by column; None for missing values, which are a level.
    history_ : list of lists
        Of all rows, and then of each column: where each level begins, the periods in which labels
        became known, and up to each the rows, sums and sums of squares.

    Notes
    -----
    `fit` takes one pass, and `transform` is lazy and moves no row: it encodes new rows with the
    labels of `fit` that were known by their time, and those of `fit` in the same way. Equal to
    `TargetEncoder` trained on what was known within 1e-12. Before the first label is known, and
    for rows without a time, the encoding is missing. Sums are kept for each level and period, of
    which there may be 5,000,000; of entities with more of them, such as cards, take the mean of
    `dmlkit.features.TimeWindows` with a delay.

    References
    ----------
    Prokhorenkova et al.: *CatBoost: unbiased boosting with categorical features*. NeurIPS 2018
    (ordered target statistics; there in a random order, here in time).

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "shop": ["a", "a", "a", "b"],
    ...     "time": pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-04", "2025-01-05"]),
    ... })
    >>> encoder = TimeTargetEncoder(time="time", delay="1d", smooth=0.0)
    >>> encoder.fit_transform(table, pd.Series([1, 0, 0, 1]))["shop"].tolist()
    [nan, nan, 0.5, 0.5]
    """

    kind: ClassVar[str] = "time_target_encoder"
    learned: ClassVar[tuple[str, ...]] = ("categories_", "history_")

    time: str = ""
    delay: str = "0d"
    every: str = "1d"
    smooth: float | str = "auto"

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the sums of labels by level and period."""
        check_smooth(self.smooth)
        if not self.time:
            raise ConfigurationError(
                "time is empty: name the column that tells when rows happened."
            )
        if self.time not in columns:
            raise MissingColumnError.of("frame", self.time, columns)
        clock = self._clock()
        names = [name for name in columns if name != self.time]
        found = yield from ask(*(_TargetHistoryOf(name, self.time, clock) for name in names))
        self.categories_: list[list[Any]] = []
        self.history_: list[list[Any]] = []
        for sums in found:
            levels, place = levels_of(sums)
            if not self.history_:
                self.history_.append(_history(sums, np.zeros(len(sums), np.int64), 1))
            self.categories_.append(levels)
            self.history_.append(_history(sums, place, len(levels)))

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Encode a part with the labels that were known at each row's time."""
        period, there = self._clock().periods(part[self.time], late=False)
        every, *histories = map(_restored, self.history_)
        known = every.before(np.zeros(len(part), np.int64), period)
        columns = {}
        for name, levels, history in zip(
            self.output_names(), self.categories_, histories, strict=True
        ):
            of_level = history.before(level_places(part[name], levels), period)
            columns[name] = np.where(there, smoothed_means(self.smooth, of_level, known), np.nan)
        return pd.DataFrame(columns, index=part.index, columns=self.output_names())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay, without the time."""
        return [name for name in self._columns() if name != self.time]

    def _clock(self) -> "_Clock":
        delay, every = length_of(self.delay), length_of(self.every)
        if delay < pd.Timedelta(0):
            raise ConfigurationError(f"The delay {self.delay!r} looks into the future.")
        if every <= pd.Timedelta(0):
            raise ConfigurationError(f"every is {self.every!r}; a period must be longer.")
        return _Clock(in_whole_units(delay, "us"), in_whole_units(every, "us"))


class _Clock(NamedTuple):
    """How late labels are known, and how long a period is: in microseconds."""

    delay: int
    every: int

    def periods(self, times: pd.Series, *, late: bool) -> tuple[Whole, NDArray[np.bool_]]:
        """Return the period of each time (or of when its label is known), and which there are."""
        if not pd.api.types.is_datetime64_any_dtype(times.dtype):
            raise InputError(
                f"Column {times.name!r} is {times.dtype}, but a datetime is needed to tell "
                "what was known. Convert it with to_datetime, or cycles with cycles_as_times."
            )
        if getattr(times.dt, "tz", None) is not None:
            times = times.dt.tz_convert("UTC").dt.tz_localize(None)
        moments = times.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))
        there = ~np.isnat(moments)
        since = np.where(there, moments.view(np.int64), 0)
        return (since + (self.delay if late else 0)) // self.every, there


@dataclass(frozen=True)
class _TargetHistoryOf:
    """Rows, sum and squares of the target, by level and by the period in which it became known."""

    column: str
    time: str
    clock: _Clock

    def of(self, part: pd.DataFrame) -> pd.DataFrame:
        """Take them of a part."""
        period, there = self.clock.periods(part[self.time], late=True)
        if not there.all():
            raise InputError(
                f"{int((~there).sum()):,} of {len(part):,} rows of a partition have no "
                f"{self.time!r}. Drop them, or fill them in."
            )
        return target_sums(part, self.column, "period", period)

    def add(self, states: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Add sums up."""
        sums = pd.concat(states, ignore_index=True)
        sums = sums.groupby(["level", "period"], as_index=False, dropna=False, sort=False).sum()
        if len(sums) > MOST_SUMS:
            raise InputError(
                f"Column {self.column!r} has more than {MOST_SUMS:,} levels and periods together. "
                "Take longer periods (every), or the mean of TimeWindows with a delay."
            )
        return sums

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"the target over time by levels of {self.column}"


class _History(NamedTuple):
    """What was known of each level up to the end of each period in which that changed."""

    starts: Whole
    periods: Whole
    rows: Array
    sums: Array
    squares: Array

    def before(self, level: Whole, period: Whole) -> tuple[Array, Array, Array]:
        """Return rows, sum and squares that were known of levels before periods; 0 of none."""
        if not len(self.periods):
            nothing = np.zeros(len(level))
            return nothing, nothing, nothing
        base = int(self.periods.min())
        span = int(self.periods.max()) - base + 2
        changed = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts)) * span
        asked = np.maximum(level, 0) * span + np.clip(period - base, 0, span - 1)
        place = np.searchsorted(changed + (self.periods - base), asked) - 1
        there = (level >= 0) & (place >= self.starts[np.maximum(level, 0)])
        rows, sums, squares = (
            np.where(there, values[place], 0.0) for values in (self.rows, self.sums, self.squares)
        )
        return rows, sums, squares


def _history(sums: pd.DataFrame, level: Whole, levels: int) -> list[Any]:
    """Return a history as arrays, from sums by period."""
    table = sums.assign(level=level).groupby(["level", "period"], as_index=False).sum()
    running = table.groupby("level")[["rows", "sum", "squares"]].cumsum()
    starts = np.searchsorted(table["level"].to_numpy(), np.arange(levels + 1))
    return [starts, table["period"].to_numpy(), *(running[name].to_numpy() for name in running)]


def _restored(history: Sequence[Any]) -> _History:
    """Return a history of arrays, which lists are in JSON."""
    starts, periods = (np.asarray(values, np.int64) for values in history[:2])
    rows, sums, squares = (np.asarray(values, np.float64) for values in history[2:])
    return _History(starts, periods, rows, sums, squares)
