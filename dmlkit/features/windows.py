"""Trailing time windows per entity: what was known of it when a row happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.aggregates import AGGREGATES, check_parameter, parse_aggregate
from dmlkit.features.by_entity import add, explain_move
from dmlkit.features.conditions import Condition
from dmlkit.features.events import Events, View
from dmlkit.features.lengths import in_whole_units, length_of
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import Source
from dmlkit.features.sorted_rows import SortedRows
from dmlkit.features.step import check_columns, check_keys, check_new, check_time
from dmlkit.features.stream import WindowStream
from dmlkit.features.window_names import check_lists, name_of_window

__all__ = ["TimeWindows"]

NOTHING = pd.Timedelta(0)


@dataclass(frozen=True)
class TimeWindows:
    """Aggregates over the rows of an entity in ``(t - window, t]`` of each row's time ``t``.

    With a `delay`, over ``(t - delay - window, t - delay]``: what was known by then of labels
    that become known late. Rows of one entity at the same instant all see each other, so the
    order of rows never matters. Missing values are left out; infinite ones count as IEEE has it
    and leave no trace once they left the window (a variance with one in its window is missing).
    Rows whose entity or time is missing have empty windows.

    Parameters
    ----------
    by : str or sequence of str
        The column that names the entity (whole numbers, text, a categorical ...), or several
        columns that name it together.
    time : str
        The column that tells when a row happened: a datetime of any resolution, with or without
        a time zone.
    windows : sequence of str
        Lengths, such as ``["1h", "7d"]``.
    aggregate : mapping of str to sequence of str
        For each value column, any of the aggregates below.
    delay : str, optional
        How late values become known, such as ``"7d"``.
    empty : float, optional
        What numbers are where the window does not tell; missing without. Counts and sums are 0
        there.
    where : str, optional
        Only rows that meet this condition are seen, such as ``"amount > 100"``; all rows get
        features. See `dmlkit.features.conditions.Condition`.
    dtype : {"float64", "float32"}
        Of numbers; counts are int64 or, with ``"float32"``, int32.

    Raises
    ------
    ConfigurationError
        A window is no length of time, or an aggregate is unknown.

    Notes
    -----
    ======================== ====================================================================
    ``count``                values that are not missing
    ``sum, mean``            of numbers
    ``std, var``             of the sample; missing below two values
    ``min, max``             of numbers
    ``first, last``          the oldest and the newest value; of several at that instant the
                             largest
    ``nunique``              distinct values
    ``mode``                 the most frequent value; of several the smallest
    ``share:VALUE``          the part of the values that equal this one
    ``decayed_sum:LENGTH``   values weighted by ``0.5 ** (age / LENGTH)``; likewise
                             ``decayed_mean``
    ``seconds_since_last``   seconds since the newest row with a value before the row's own
                             instant (with a delay: of those that are known)
    ``events_since_change``  rows since the value last was another one; 0 where it differs within
                             the newest instant
    ======================== ====================================================================

    The first two rows of kinds need whole numbers, floating-point numbers, truth values or Arrow's
    decimals, which are computed with as doubles; all but sums, means, deviations and extremes
    take columns of any type, and ``first``, ``last`` and ``mode`` of what is no number have the
    column's own type.

    The columns are ``{by}_{value}_{aggregate}_{window}``, followed by ``_delay_{delay}`` and
    ``_where_{condition}`` where there are such; the parts of `by` are joined by ``_``.

    Sums, and sums of squares, are exact and rounded once: a window's value depends on the values
    in it and on nothing else.

    Examples
    --------
    >>> import pandas as pd, dask.dataframe as dd
    >>> table = pd.DataFrame({
    ...     "card": [1, 1, 2, 1],
    ...     "time": pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-02", "2025-01-09"]),
    ...     "amount": [10.0, 20.0, 5.0, 40.0],
    ... })
    >>> windows = TimeWindows("card", "time", ["7d"], {"amount": ["count", "sum"]})
    >>> rows = windows.transform(dd.from_pandas(table, npartitions=1), partitions=1)
    >>> rows.compute().iloc[:, 3:]
       card_amount_count_7d  card_amount_sum_7d
    0                     1                10.0
    1                     2                30.0
    2                     1                40.0
    3                     1                 5.0
    """

    kind: ClassVar[str] = "time_windows"

    by: str | Sequence[str]
    time: str
    windows: Sequence[str]
    aggregate: Mapping[str, Sequence[str]]
    delay: str | None = None
    empty: float | None = None
    where: str | None = None
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if not self.entity or not self.windows or not any(self.aggregate.values()):
            raise ConfigurationError(
                f"TimeWindows by {self.by!r} needs an entity, a window and an aggregate."
            )
        check_lists(self.windows, self.entity, self.aggregate)
        for window in self.windows:
            if length_of(window) <= NOTHING:
                raise ConfigurationError(f"The window {window!r} is not longer than nothing.")
        if self.delay is not None and length_of(self.delay) < NOTHING:
            raise ConfigurationError(f"The delay {self.delay!r} looks into the future.")
        if self.dtype not in ("float64", "float32"):
            raise ConfigurationError(f"dtype is {self.dtype!r}: write 'float64' or 'float32'.")
        for names in self.aggregate.values():
            for name in names:
                parse_aggregate(name)
        if self.where is not None:
            Condition.parse(self.where)

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that name the entity together."""
        return (self.by,) if isinstance(self.by, str) else tuple(self.by)

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        conditions = Condition.parse(self.where).columns if self.where else ()
        return list(dict.fromkeys([*self.entity, self.time, *self.aggregate, *conditions]))

    @property
    def history(self) -> pd.Timedelta:
        """How far back the windows look."""
        delay = length_of(self.delay) if self.delay else NOTHING
        return delay + max(length_of(window) for window in self.windows)

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the columns that `transform` adds."""
        return [name for name, *_ in self._features()]

    def fit(self, frame: Any) -> "TimeWindows":
        """Do nothing but check the columns: there is nothing to learn."""
        self.check(frame._meta if hasattr(frame, "_meta") else frame)
        return self

    def transform(
        self, frame: Any, *, partitions: int | None = None, order: str | None = None
    ) -> Any:
        """Return the rows with the windows' columns, lazily for a Dask frame.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        partitions : int, optional
            Number of partitions of the result. Without it: as many as keep them, with the new
            columns, about as large as those of `frame`.
        order : {"entity", "input"}, optional
            How the rows of the result follow each other: those of Dask by entity, and those of
            pandas as they are, where nothing else is said.

        Returns
        -------
        DataFrame like `frame`
            With ``"entity"``, the rows of an entity together and by time; entities in the order of
            a hash. The order is the same whatever the partitions of `frame` and of the result. An
            entity with more rows than a partition should have is spread over several, by time.

            With ``"input"``, rows keep their order, their partitions and their index. Where files
            of `read_table` tell that partitions are slices of time, or hold whole entities, rows
            are not moved if that takes less; see `explain`.
        """
        return add(frame, [self], partitions=partitions, order=order)

    def update(
        self,
        new_rows: Any,
        history: Any,
        *,
        partitions: int | None = None,
        order: str | None = None,
    ) -> Any:
        """Return new rows with the windows' columns, equal to those of all rows together, lazily.

        Parameters
        ----------
        new_rows : dask or pandas DataFrame
        history : dask or pandas DataFrame
            Other rows of the same table, before, between or after the new ones, with the columns
            that are read. Those that no window looks back on are dropped before anything is moved.
        partitions, order
            As in `transform`.

        Returns
        -------
        DataFrame like `new_rows`
            The new rows only, in the order of `transform`.
        """
        return add(new_rows, [self], partitions=partitions, order=order, history=history)

    def stream(self, meta: pd.DataFrame | None = None) -> WindowStream:
        """Return what computes the same features one event at a time, see `WindowStream`."""
        return WindowStream(self, meta)

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame with the columns of `meta` lacks what is needed."""
        check_columns(meta, self.required_columns)
        check_new(meta, self.get_feature_names_out())
        check_time(meta, self.time, "TimeWindows")
        if self.where is not None:
            Condition.parse(self.where).check(meta)
        for value, names in self.aggregate.items():
            is_number = pd.api.types.is_numeric_dtype(meta[value].dtype)
            for text in names:
                name, parameter = parse_aggregate(text)
                if AGGREGATES[name].needs_number and not is_number:
                    others = [name for name, each in AGGREGATES.items() if not each.needs_number]
                    raise InputError(
                        f"Column {value!r} is {meta[value].dtype}; its {name} over a window can't "
                        f"be taken. Convert it to a number, or take {', '.join(others)}."
                    )
                check_parameter(name, parameter, meta[value])

    def compute(self, rows: SortedRows, *others: Rows) -> dict[str, Any]:  # noqa: ARG002
        """Return the columns of the windows for sorted rows."""
        columns: dict[str, Any] = {}
        late = length_of(self.delay or "0s")
        delay = in_whole_units(late, rows.unit)
        condition = Condition.parse(self.where) if self.where else None
        bounds_of_whole: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for value, names in self.aggregate.items():
            events = Events.of(rows, value, condition)
            bounds = bounds_of_whole if events.whole else {}
            for window in self.windows:
                reach = in_whole_units(late + length_of(window), rows.unit)
                if reach not in bounds:
                    stop = (  # that of any window of this delay
                        next(iter(bounds.values()))[1]
                        if bounds
                        else events.stops(rows.codes, rows.times, delay)
                    )
                    bounds[reach] = events.starts(rows.codes, rows.times, reach, stop), stop
                view = View(events, rows.codes, rows.times, reach - delay, delay, bounds[reach])
                for text in names:
                    name, parameter = parse_aggregate(text)
                    found = AGGREGATES[name].compute(view, parameter)
                    columns[self._name(value, text, window)] = self._typed(name, found)
        return {name: columns[name] for name in self.get_feature_names_out()}

    def explain(self, frame: Any = None, *, order: str = "entity") -> str:
        """Tell what `transform` does; with a frame, also what it moves and why.

        Examples
        --------
        >>> windows = TimeWindows("card", "time", ["7d"], {"amount": ["sum"]}, delay="1d")
        >>> windows.explain()
        "by 'card' over 7d: sum of amount, as known 1d later"
        """
        what = "; ".join(
            f"{', '.join(names)} of {value}" for value, names in self.aggregate.items()
        )
        late = f", as known {self.delay} later" if self.delay else ""
        where = f", of rows with {self.where}" if self.where else ""
        by = ", ".join(map(repr, self.entity))
        told = f"by {by} over {', '.join(self.windows)}: {what}{late}{where}"
        return told if frame is None else f"{told}\n{explain_move(frame, [self], order)}"

    def for_workers(self) -> "TimeWindows":
        """Return what computes the features: itself."""
        return self

    def others(self, unit: str) -> list[Source]:  # noqa: ARG002
        """Return the other tables that windows look at: none."""
        return []

    def other_times(self) -> list[Any]:
        """Return the types of other tables' times: none."""
        return []

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document = {
            "kind": self.kind,
            "by": self.by if isinstance(self.by, str) else list(self.by),
            "time": self.time,
            "windows": list(self.windows),
            "aggregate": {value: list(names) for value, names in self.aggregate.items()},
        }
        optional = {"delay": self.delay, "empty": self.empty, "where": self.where}
        optional |= {"dtype": self.dtype if self.dtype != "float64" else None}
        return document | {key: value for key, value in optional.items() if value is not None}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "TimeWindows":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))

    def _features(self) -> Iterator[tuple[str, str, str, str]]:
        for value, names in self.aggregate.items():
            for name in names:
                for window in self.windows:
                    yield self._name(value, name, window), value, name, window

    def _name(self, value: str, aggregate: str, window: str) -> str:
        return name_of_window(
            self.entity, value, aggregate, window, delay=self.delay, where=self.where
        )

    def _typed(self, name: str, values: Any) -> Any:
        """Give the values of an aggregate their type, and missing ones what stands for them."""
        result = AGGREGATES[name].result
        if result == "count":
            return values.astype(np.int64 if self.dtype == "float64" else np.int32, copy=False)
        if not (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
            return values
        if self.empty is not None and result != "total":
            values = np.where(np.isnan(values), self.empty, values)
        return values.astype(self.dtype, copy=False)
