"""Trailing time windows per entity: what was known of it when a row happened."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError, nearest
from dmlkit.features import exact_kernels, kernels
from dmlkit.features.lengths import in_whole_units, length_of
from dmlkit.features.shuffle import buckets_for, shuffle_by_entity
from dmlkit.features.sorted_rows import SortedRows
from dmlkit.features.step import check_columns, check_keys, check_new

__all__ = ["AGGREGATES", "TimeWindows", "add_windows"]

#: Rows, window bounds and values in, an array of the aggregate out.
AGGREGATES = ("count", "sum", "mean", "std", "var", "min", "max")


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
    by : str
        The column that names the entity: integers, text or a categorical.
    time : str
        The column that tells when a row happened: a datetime of any resolution, with or without
        a time zone.
    windows : sequence of str
        Lengths, such as ``["1h", "7d"]``.
    aggregate : mapping of str to sequence of str
        For each value column: ``count`` (values that are not missing), ``sum``, ``mean``,
        ``std`` and ``var`` (of the sample), ``min``, ``max``.
    delay : str, optional
        How late values become known, such as ``"7d"``.
    empty : float, optional
        What mean, std, var, min and max are where the window does not tell; missing without.
        A count and a sum are 0 there.

    Raises
    ------
    ConfigurationError
        A window is no length of time, or an aggregate is unknown.

    Notes
    -----
    The columns are ``{by}_{value}_{aggregate}_{window}``, with a delay followed by
    ``_delay_{delay}``; counts are int64, all others float64. Sums, and sums of squares, are
    exact and rounded once: a window's value depends on the values in it and on nothing else.

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

    by: str
    time: str
    windows: Sequence[str]
    aggregate: Mapping[str, Sequence[str]]
    delay: str | None = None
    empty: float | None = None

    def __post_init__(self) -> None:
        if not self.windows or not any(self.aggregate.values()):
            raise ConfigurationError(
                f"TimeWindows by {self.by!r} needs at least one window and one aggregate."
            )
        _check_lists(self)
        for window in self.windows:
            if length_of(window) <= pd.Timedelta(0):
                raise ConfigurationError(f"The window {window!r} is not longer than nothing.")
        if self.delay is not None and length_of(self.delay) < pd.Timedelta(0):
            raise ConfigurationError(f"The delay {self.delay!r} looks into the future.")
        for value, names in self.aggregate.items():
            for name in names:
                _check_aggregate(value, name)

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return [self.by, self.time, *self.aggregate]

    @property
    def history(self) -> pd.Timedelta:
        """How far back the windows look."""
        delay = length_of(self.delay) if self.delay else pd.Timedelta(0)
        return delay + max(length_of(window) for window in self.windows)

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the columns that `transform` adds."""
        return [name for name, *_ in self._features()]

    def fit(self, frame: Any) -> "TimeWindows":
        """Do nothing but check the columns: there is nothing to learn."""
        self.check(frame._meta if hasattr(frame, "_meta") else frame)
        return self

    def transform(self, frame: Any, *, partitions: int | None = None) -> Any:
        """Return the rows with the windows' columns, lazily.

        Parameters
        ----------
        frame : dask.dataframe.DataFrame
        partitions : int, optional
            Number of partitions of the result. Without it: as many as keep them, with the new
            columns, about as large as those of `frame`.

        Returns
        -------
        dask.dataframe.DataFrame
            The rows of an entity together and by time; entities in the order of a hash. The order
            is the same whatever the partitions of `frame` and of the result.
        """
        return add_windows(frame, [self], partitions)

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame with the columns of `meta` lacks what is needed."""
        check_columns(meta, self.required_columns)
        check_new(meta, self.get_feature_names_out())
        if not pd.api.types.is_datetime64_any_dtype(meta[self.time].dtype):
            raise InputError(
                f"Column {self.time!r} is {meta[self.time].dtype}, but TimeWindows needs a "
                "datetime. Declare it as 'datetime' in the schema, or convert it first."
            )
        for value, names in self.aggregate.items():
            if list(names) != ["count"] and not pd.api.types.is_numeric_dtype(meta[value].dtype):
                raise InputError(
                    f"Column {value!r} is {meta[value].dtype}; only its count can be taken over "
                    "a window. Convert it to a number for other aggregates."
                )

    def compute(self, rows: SortedRows) -> dict[str, np.ndarray]:
        """Return the columns of the windows for sorted rows."""
        columns: dict[str, np.ndarray] = {}
        delay = in_whole_units(length_of(self.delay or "0s"), rows.unit)
        values = {name: _values(rows.frame[name]) for name in self.aggregate}
        for window in self.windows:
            oldest = in_whole_units(length_of(self.delay or "0s") + length_of(window), rows.unit)
            bounds = kernels.window_bounds(rows.codes, rows.times, oldest - delay, delay)
            for value, names in self.aggregate.items():
                found = _aggregates(names, rows.codes, values[value], *bounds)
                for name in names:
                    columns[self._name(value, name, window)] = self._filled(name, found[name])
        return {name: columns[name] for name in self.get_feature_names_out()}

    def explain(self) -> str:
        """Tell in a sentence what `transform` does."""
        what = "; ".join(
            f"{', '.join(names)} of {value}" for value, names in self.aggregate.items()
        )
        late = f", as known {self.delay} later" if self.delay else ""
        return f"by {self.by!r} over {', '.join(self.windows)}: {what}{late}"

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document = {
            "kind": self.kind,
            "by": self.by,
            "time": self.time,
            "windows": list(self.windows),
            "aggregate": {value: list(names) for value, names in self.aggregate.items()},
        }
        optional = {"delay": self.delay, "empty": self.empty}
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
        late = f"_delay_{self.delay}" if self.delay else ""
        return f"{self.by}_{value}_{aggregate}_{window}{late}"

    def _filled(self, aggregate: str, values: np.ndarray) -> np.ndarray:
        if self.empty is None or aggregate in ("count", "sum"):
            return values
        return np.where(np.isnan(values), self.empty, values)


def add_windows(frame: Any, steps: Sequence[TimeWindows], partitions: int | None) -> Any:
    """Add the columns of several `TimeWindows` on one entity with one shuffle.

    Returns
    -------
    dask.dataframe.DataFrame
        In the order of the entity's hash, then of time: the same rows in the same order however
        `frame` was partitioned.
    """
    for step in steps:
        step.check(frame._meta)
    process = partial(_process, steps=tuple(steps))
    meta = process(frame._meta)
    buckets = partitions or buckets_for(frame, meta)
    return shuffle_by_entity(frame, steps[0].by, steps[0].time, buckets, process, meta)


def _process(frame: pd.DataFrame, steps: tuple[TimeWindows, ...]) -> pd.DataFrame:
    """Sort rows by entity and time, and add the columns of all steps; again for another time."""
    for time in dict.fromkeys(step.time for step in steps):
        rows = SortedRows(frame, steps[0].by, time)
        columns: dict[str, np.ndarray] = {}
        for step in steps:
            if step.time == time:
                columns |= step.compute(rows)
        frame = pd.concat([rows.frame, pd.DataFrame(columns, copy=False)], axis=1)
    return frame


def _aggregates(
    names: Sequence[str],
    codes: np.ndarray,
    values: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return the wanted aggregates over the windows, each kernel run once."""
    arguments = (codes, values, start, stop)
    found: dict[str, np.ndarray] = {}
    if {"count", "mean"} & set(names):
        found["count"] = kernels.sliding_count(*arguments)
    if {"sum", "mean"} & set(names):
        found["sum"] = exact_kernels.sliding_sum(*arguments)
    if "mean" in names:
        with np.errstate(invalid="ignore"):
            found["mean"] = found["sum"] / np.where(found["count"] > 0, found["count"], np.nan)
    if {"std", "var"} & set(names):
        found["var"] = exact_kernels.sliding_variance(*arguments)
        found["std"] = np.sqrt(found["var"])
    if "max" in names:
        found["max"] = kernels.sliding_maximum(*arguments)
    if "min" in names:
        found["min"] = -kernels.sliding_maximum(codes, -values, start, stop)
    return found


def _values(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype="float64", na_value=np.nan) + 0.0  # minus zero becomes zero
    return np.where(column.isna().to_numpy(), np.nan, 1.0)  # only to be counted


def _check_lists(step: "TimeWindows") -> None:
    """Raise when a text stands where a list should, or something stands in a list twice."""
    named = {"windows": step.windows} | {
        f"aggregate of {value!r}": names for value, names in step.aggregate.items()
    }
    for what, names in named.items():
        if isinstance(names, str):
            raise ConfigurationError(f"{what} must be a list: write [{names!r}], not {names!r}.")
        if twice := sorted({name for name in names if list(names).count(name) > 1}):
            raise ConfigurationError(f"{what} names {twice[0]!r} twice.")


def _check_aggregate(value: str, name: str) -> None:
    if name not in AGGREGATES:
        guess = nearest(name, AGGREGATES)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"Unknown aggregate {name!r} of {value!r}{hint}. Known: {', '.join(AGGREGATES)}."
        )
