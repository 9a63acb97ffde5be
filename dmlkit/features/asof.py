"""As-of joins: what another table said of an entity at the time of a row."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.bound_kernels import window_starts, window_stops
from dmlkit.features.by_entity import add, explain_move
from dmlkit.features.entity_key import NO_TIME, EntityKey, times_of
from dmlkit.features.lengths import UNITS_PER_SECOND, in_whole_units, length_of
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import Source
from dmlkit.features.sorted_rows import SortedRows, entity_numbers, order_within_ties
from dmlkit.features.step import check_columns, check_keys, check_new, check_time
from dmlkit.local_frames import lazily
from dmlkit.tables import read_table

__all__ = ["AsOf"]

#: Whole numbers that have room for missing ones.
NULLABLE: dict[str, Any] = {
    str(each.type.__name__): each
    for each in (
        pd.Int8Dtype(),
        pd.Int16Dtype(),
        pd.Int32Dtype(),
        pd.Int64Dtype(),
        pd.UInt8Dtype(),
        pd.UInt16Dtype(),
        pd.UInt32Dtype(),
        pd.UInt64Dtype(),
    )
}

#: To the kernel: any time before.
UNBOUNDED = -1


@dataclass(frozen=True, eq=False)
class AsOf:
    """The newest row of another table that was known of an entity at each row's time.

    Of the rows of `right` with the same entity and a time in ``[t - tolerance, t]`` the newest;
    with a `delay`, in ``[t - delay - tolerance, t - delay]``: what was known by then of a table
    that arrives late. Of several at that instant always the same one is taken, whatever their
    order. Missing where there is none; a missing value
    of the row that was found stays missing, no older one is looked for.

    Parameters
    ----------
    right : str or dask.dataframe.DataFrame
        The other table, or its path. Only with a path can the step be kept in a model's bundle.
    by : str or sequence of str
        The columns that name the entity, in both tables.
    time : str
        The column that tells when, in both tables.
    tolerance : str, optional
        How old a row may be, such as ``"30d"``; without it, any age.
    columns : sequence of str or mapping of str to str
        The columns of `right` to bring, or their names there and the names of the features.
    right_by, right_time : optional
        What `right` calls these columns, where it has other names for them.
    delay : str, optional
        How late rows of `right` become known.
    age : str, optional
        Name of a feature with the seconds since the time of the row that was found.

    Raises
    ------
    ConfigurationError
        A length of time is none, or a name is given twice.

    Examples
    --------
    >>> import pandas as pd, dask.dataframe as dd
    >>> payments = pd.DataFrame({
    ...     "card": [1, 1, 2], "time": pd.to_datetime(["2025-01-05", "2025-02-05", "2025-02-05"]),
    ... })
    >>> limits = pd.DataFrame({
    ...     "card": [1, 1], "time": pd.to_datetime(["2025-01-01", "2025-02-01"]),
    ...     "limit": [500.0, 900.0],
    ... })
    >>> step = AsOf(dd.from_pandas(limits), "card", "time", columns=["limit"])
    >>> rows = step.transform(dd.from_pandas(payments), partitions=1).compute()
    >>> rows.sort_values(["card", "time"])["limit"].tolist()
    [500.0, 900.0, nan]
    """

    kind: ClassVar[str] = "as_of"

    right: Any
    by: str | Sequence[str]
    time: str
    tolerance: str | None = None
    columns: Sequence[str] | Mapping[str, str] = ()
    right_by: str | Sequence[str] | None = None
    right_time: str | None = None
    delay: str | None = None
    age: str | None = None

    def __post_init__(self) -> None:
        names = self.get_feature_names_out()
        if not names:
            raise ConfigurationError("AsOf brings no columns: name those that you want in columns.")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigurationError(f"AsOf makes {twice[0]!r} twice.")
        if len(self.entity) != len(self._right_key.by):
            raise ConfigurationError(
                f"AsOf joins by {list(self.entity)} but by {list(self._right_key.by)} of the other "
                "table: name as many columns of both."
            )
        for what, text in (("tolerance", self.tolerance), ("delay", self.delay)):
            if text is not None and length_of(text) < pd.Timedelta(0):
                raise ConfigurationError(f"The {what} {text!r} looks into the future.")

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that name the entity together."""
        return (self.by,) if isinstance(self.by, str) else tuple(self.by)

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read of the table that gets the features."""
        return [*self.entity, self.time]

    @property
    def history(self) -> pd.Timedelta:
        """How far back it looks at the table itself: not at all."""
        return pd.Timedelta(0)

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the columns that `transform` adds."""
        return [*self._renamed.values(), *([self.age] if self.age else [])]

    def fit(self, frame: Any) -> "AsOf":
        """Do nothing but check the columns: there is nothing to learn."""
        self.check(frame._meta if hasattr(frame, "_meta") else frame)
        return self

    def transform(
        self, frame: Any, *, partitions: int | None = None, order: str | None = None
    ) -> Any:
        """Return the rows with the other table's columns, as `TimeWindows` does."""
        return add(frame, [self], partitions=partitions, order=order)

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame with the columns of `meta`, or the other table, lacks something."""
        check_columns(meta, self.required_columns)
        check_new(meta, self.get_feature_names_out())
        check_time(meta, self.time, "AsOf")
        right, key = self.table()._meta, self._right_key
        check_columns(right, [*key.by, key.time, *self._renamed])
        check_time(right, key.time, "AsOf")
        _check_zones(meta[self.time], right[key.time])
        for name, other in zip(self.entity, key.by, strict=True):
            _check_kinds(meta[name], right[other])

    def compute(self, rows: SortedRows, *others: Rows) -> dict[str, Any]:
        """Return the other table's columns for sorted rows."""
        (right,) = others
        key = EntityKey(self._right_key.by, self._right_key.time, rows.unit)
        found_at, found = self._newest(rows, right, key)
        columns = {name: _taken(right[column], found) for column, name in self._renamed.items()}
        if self.age:
            age = (rows.times - found_at) / UNITS_PER_SECOND[rows.unit]
            columns[self.age] = np.where(found < 0, np.nan, age)
        return columns

    def explain(self, frame: Any = None, *, order: str = "entity") -> str:
        """Tell what `transform` does; with a frame, also what it moves and why."""
        where = repr(self.right) if isinstance(self.right, str) else "another table"
        late = f", as known {self.delay} later" if self.delay else ""
        old = f", at most {self.tolerance} old" if self.tolerance else ""
        by = ", ".join(map(repr, self.entity))
        told = f"by {by} the newest of {where}{old}{late}: {', '.join(self._renamed)}"
        return told if frame is None else f"{told}\n{explain_move(frame, [self], order)}"

    def table(self) -> Any:
        """Return the other table as a Dask frame."""
        return self._table

    @cached_property
    def _table(self) -> Any:
        if isinstance(self.right, str | os.PathLike):
            return read_table(self.right)
        return lazily(self.right)

    def for_workers(self) -> "AsOf":
        """Return the step without the other table, whose rows come to the workers by themselves."""
        return replace(self, right="")

    def others(self, unit: str) -> list[Source]:
        """Return the other table, as what features look at."""
        key = EntityKey(self._right_key.by, self._right_key.time, unit)
        columns = tuple(dict.fromkeys([*key.by, key.time, *self._renamed]))
        return [Source(self.table(), key, columns, self._reach(unit))]

    def other_times(self) -> list[Any]:
        """Return the type of the other table's time."""
        return [self.table()._meta[self._right_key.time].dtype]

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        if not isinstance(self.right, str | os.PathLike):
            raise ConfigurationError(
                "An AsOf step on a frame in memory can't be kept: publish the other table with "
                "write_table and give its path."
            )
        columns = self.columns
        document: dict[str, Any] = {
            "kind": self.kind,
            "right": os.fspath(self.right),
            "by": self.by if isinstance(self.by, str) else list(self.by),
            "time": self.time,
            "columns": dict(columns) if isinstance(columns, Mapping) else list(columns),
        }
        optional = {
            name: getattr(self, name)
            for name in ("tolerance", "right_by", "right_time", "delay", "age")
        }
        return document | {key: value for key, value in optional.items() if value is not None}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "AsOf":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))

    @property
    def _renamed(self) -> dict[str, str]:
        columns = [self.columns] if isinstance(self.columns, str) else self.columns
        return dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}

    @property
    def _right_key(self) -> EntityKey:
        by = self.by if self.right_by is None else self.right_by
        return EntityKey((by,) if isinstance(by, str) else tuple(by), self.right_time or self.time)

    def _reach(self, unit: str) -> int | None:
        """Return how far back to look: one unit more than the tolerance, which belongs to it."""
        if self.tolerance is None:
            return None
        length = length_of(self.tolerance) + length_of(self.delay or "0s")
        return in_whole_units(length, unit) + 1

    def _newest(
        self, rows: SortedRows, right: Rows, key: EntityKey
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each row, the time and the number of the row of `right`; -1 for none."""
        left_columns = [rows.rows[name] for name in self.entity]
        right_columns = [right[name] for name in key.by]
        times = np.r_[rows.times, times_of(right[key.time], key.unit)]
        together = [
            pd.concat([left, other], ignore_index=True)
            for left, other in zip(left_columns, right_columns, strict=True)
        ]
        codes, _, missing = entity_numbers(together, times)
        codes[missing | (times == NO_TIME)] = -1
        count = len(rows.times)
        own, others, other_times = codes[:count], codes[count:], times[count:]
        order = np.lexsort((other_times, others))
        order = order[others[order] >= 0]
        brought = right.select(dict.fromkeys([*self._renamed]))
        order = order_within_ties(brought, order, others[order], other_times[order])
        delay = in_whole_units(length_of(self.delay or "0s"), key.unit)
        reach = self._reach(key.unit)
        events = others[order], other_times[order]
        stop = window_stops(own, rows.times, *events, delay)
        start = window_starts(own, rows.times, *events, UNBOUNDED if reach is None else reach, stop)
        found = np.where(stop > start, np.r_[order, -1][np.where(stop > start, stop - 1, -1)], -1)
        return np.r_[other_times, 0][found], found


def _taken(column: pd.Series, rows: np.ndarray) -> Any:
    """Return a column's values at some rows; -1 is missing, for which whole numbers get room."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return pd.array(column, dtype=NULLABLE[column.dtype.name]).take(rows, allow_fill=True)
    if column.dtype == np.dtype(bool):
        column = column.astype("boolean")
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return np.where(rows < 0, np.nan, np.r_[column.to_numpy(), np.nan][rows]).astype(
            column.dtype, copy=False
        )
    return column.array.take(rows, allow_fill=True)


def _check_zones(left: pd.Series, right: pd.Series) -> None:
    if (getattr(left.dtype, "tz", None) is None) != (getattr(right.dtype, "tz", None) is None):
        raise InputError(
            f"Only one of {left.name!r} ({left.dtype}) and {right.name!r} of the other table "
            f"({right.dtype}) has a time zone. Give both a zone, or neither."
        )


def _check_kinds(left: pd.Series, right: pd.Series) -> None:
    """Raise when a number is to be matched with a text: nothing would be found."""
    kinds = [pd.api.types.is_numeric_dtype(_plain(column.dtype)) for column in (left, right)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"{left.name!r} is {left.dtype}, but {right.name!r} of the other table is "
            f"{right.dtype}: nothing would match. Convert one of them."
        )


def _plain(dtype: Any) -> Any:
    return dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
