"""`PanelLags`: what a series, or its group, was some rows ago: lags, windows, running means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, get_args

import numpy as np
import pandas as pd
from dask.system import CPU_COUNT

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.by_entity import add_by_entity
from dmlkit.features.panel_blocks import lagged_features
from dmlkit.features.panel_groups import Aggregate, aggregated
from dmlkit.features.panel_operations import LagFeature, Program, lag_features, program_of
from dmlkit.features.panel_series import (
    new_instants,
    pairs,
    sort_panel,
    starts_of,
    time_numbers,
)
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import Source
from dmlkit.features.sorted_rows import SortedRows
from dmlkit.features.step import check_columns, check_keys, check_new

__all__ = ["PanelLags"]


@dataclass(frozen=True)
class PanelLags:
    """Values of a series some rows before each row, and what windows of rows up to there tell.

    A series has one row at each step of time: a lag counts rows, so a missing day must be a row
    whose value is missing (`dmlkit.forecasting.regular_panel` makes such rows).

    Parameters
    ----------
    lags : sequence of int
        Each from 1: the value so many rows before.
    transforms : mapping of int to sequence of str
        For each lag, what is taken of the rows up to there, see below.
    series, time, value : str
        The columns of a long panel.
    min_samples : int, optional
        Values that a window needs for its feature not to be missing; without it, all of them.
    dtype : {"float32", "float64"}
        Of the features.
    by : sequence of str
        Columns that name a group of series (an item over all shops, a category). What the group
        amounts to at each time takes the place of the value, see below.
    aggregate : {"mean", "sum"}
        Of the values that the group's series have at a time.

    Raises
    ------
    ConfigurationError
        A lag is below 1, or an operation is unknown.

    Notes
    -----
    ============================ =====================================================
    ``rolling_mean:W``           of the last W rows; likewise ``std`` (of the sample),
                                 ``min``, ``max``
    ``rolling_quantile:Q:W``     between two values on a straight line
    ``seasonal_rolling_mean:S:W`` of the W rows 0, S, 2 S, ... rows back; likewise
                                 ``std``, ``min``, ``max``
    ``expanding_mean``           of all rows so far
    ``ewm_mean:A``               ``A * value + (1 - A) * mean before``
    ``difference:K``             to the value K rows before
    ============================ =====================================================

    Missing values are left out of windows. The names are ``{value}_lag7`` and
    ``{value}_lag7_rolling_mean_28``, of a group ``{value}_mean_by_{column}_lag7``.

    With `by`, the rows of a group are the times at which any of its series has a row; its value is
    the mean or sum over the series whose own is known then, and missing where none is. Sums are
    exact, and so the same whatever the partitions. A row without a group has missing features.

    Examples
    --------
    >>> import pandas as pd
    >>> panel = pd.DataFrame({
    ...     "unique_id": ["a"] * 4 + ["b"] * 2,
    ...     "ds": pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04"] +
    ...                          ["2025-01-01", "2025-01-02"]),
    ...     "y": [1.0, 2.0, 4.0, 8.0, 5.0, 6.0],
    ... })
    >>> PanelLags([1], {1: ["rolling_mean:2"]}).transform(panel).iloc[:, 3:]
       y_lag1  y_lag1_rolling_mean_2
    0     NaN                    NaN
    1     1.0                    NaN
    2     2.0                    1.5
    3     4.0                    3.0
    4     NaN                    NaN
    5     5.0                    NaN

    What both series were a row before, together:

    >>> panel["item"] = "pear"
    >>> both = PanelLags([1], by=["item"], aggregate="sum").transform(panel)
    >>> both["y_sum_by_item_lag1"].tolist()
    [nan, 6.0, 8.0, 4.0, nan, 6.0]
    """

    kind: ClassVar[str] = "panel_lags"

    lags: Sequence[int] = ()
    transforms: Mapping[int, Sequence[str]] = field(default_factory=dict)
    series: str = "unique_id"
    time: str = "ds"
    value: str = "y"
    min_samples: int | None = None
    dtype: str = "float32"
    by: Sequence[str] = ()
    aggregate: Aggregate = "mean"

    def __post_init__(self) -> None:
        # Keys of TOML and JSON are text.
        transforms = {_whole(lag): tuple(texts) for lag, texts in self.transforms.items()}
        object.__setattr__(self, "transforms", transforms)
        object.__setattr__(self, "lags", tuple(self.lags))
        by = (self.by,) if isinstance(self.by, str) else tuple(self.by)
        object.__setattr__(self, "by", by)
        if self.aggregate not in get_args(Aggregate):
            raise ConfigurationError(f"aggregate is {self.aggregate!r}: write 'mean' or 'sum'.")
        if self.dtype not in ("float64", "float32"):
            raise ConfigurationError(f"dtype is {self.dtype!r}: write 'float64' or 'float32'.")
        if self.min_samples is not None and self.min_samples < 1:
            raise ConfigurationError(f"min_samples is {self.min_samples!r}: write 1 or more.")
        if not self.features:
            raise ConfigurationError("PanelLags needs a lag, or an operation on one.")

    @cached_property
    def features(self) -> tuple[LagFeature, ...]:
        """The features, in the order of their columns."""
        return lag_features(self.lags, self.transforms)

    @cached_property
    def program(self) -> Program:
        """The features as kernels take them."""
        return program_of(self.features, self.min_samples)

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that name what has lags: the series, or its group."""
        return tuple(self.by) or (self.series,)

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return list(dict.fromkeys([self.series, self.time, self.value, *self.by]))

    @property
    def history(self) -> pd.Timedelta:
        """How far back it looks: rows are counted, so as far as there are any."""
        return pd.Timedelta.max

    @property
    def of(self) -> str:
        """What has lags: the value, or what the group's values amount to."""
        return "_".join([self.value, self.aggregate, "by", *self.by]) if self.by else self.value

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the columns that `transform` adds."""
        return [feature.name(self.of) for feature in self.features]

    def fit(self, frame: Any) -> "PanelLags":
        """Do nothing but check the columns: there is nothing to learn."""
        self.check(frame._meta if hasattr(frame, "_meta") else frame)
        return self

    def transform(self, frame: Any, *, whole: bool = False, threads: int | None = None) -> Any:
        """Return the rows with the features.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        whole : bool
            The rows of each series are in one partition of a Dask frame already: nothing is moved.
        threads : int, optional
            For a pandas frame; all cores without it.

        Returns
        -------
        dask or pandas DataFrame
            Of a pandas frame, and of each partition where they are `whole`: sorted by series and
            time. Of another Dask frame, lazily: series in the order of a hash of them, whatever
            the partitions, each by time.

        Raises
        ------
        InputError
            Two rows of a series have the same time, or a column is missing or of the wrong type.
        """
        self.check(frame._meta if hasattr(frame, "_meta") else frame)
        if isinstance(frame, pd.DataFrame):
            return self._of_whole(frame, threads or CPU_COUNT)
        if not whole:
            return add_by_entity(frame, [self])
        return frame.map_partitions(self._of_whole, 1, meta=self._of_whole(frame._meta, 1))

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame with the columns of `meta` lacks what is needed."""
        check_columns(meta, self.required_columns)
        check_new(meta, self.get_feature_names_out())
        dtype = meta[self.value].dtype
        if not pd.api.types.is_numeric_dtype(dtype):
            raise InputError(
                f"Column {self.value!r} is {dtype}; a lag of it is no feature. Convert it to a "
                "number."
            )

    def others(self, unit: str) -> list[Source]:  # noqa: ARG002
        """Return the other tables that are looked at: none."""
        return []

    def other_times(self) -> list[Any]:
        """Return the types of the times of other tables: none."""
        return []

    def for_workers(self) -> "PanelLags":
        """Return what computes the features: itself."""
        return self

    def compute(self, rows: SortedRows, *others: Rows) -> dict[str, Any]:  # noqa: ARG002
        """Return the features of sorted rows."""
        codes, times = rows.event_codes, rows.event_times
        again = ~new_instants(codes, times) & (codes >= 0)
        if not self.by and again.any():
            row = int(np.flatnonzero(again)[0])
            name = rows.event_column(self.series).iloc[row]
            raise InputError(
                f"Series {name!r} has two rows at {rows.event_column(self.time).iloc[row]}. A "
                "series has one value at a time: add them up, or drop the repeated ones."
            )
        found = self._of_sorted(_numbers(rows.event_column(self.value)), codes, times)
        if len(rows.codes) != len(codes):
            own = np.isin(pairs(codes, times), pairs(rows.codes, rows.times))
            found = found[:, own]
        found[:, rows.codes < 0] = np.nan
        return dict(zip(self.get_feature_names_out(), found, strict=True))

    def lagged(
        self, values: np.ndarray, starts: np.ndarray, threads: int = 1, shift: int = 0
    ) -> np.ndarray:
        """Return the features of series that lie one after the other: an (f, n) array.

        Parameters
        ----------
        values : (n,) float array
        starts : (series + 1,) int64 array
        threads : int
        shift : int
            Rows that all lags are longer.
        """
        return lagged_features(self.program, values, starts, self.dtype, threads, shift)

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        told = ", ".join(self.get_feature_names_out())
        return (
            f"by {' and '.join(map(repr, self.entity))} and in the order of {self.time!r}: {told}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "lags": list(self.lags),
            "transforms": {str(lag): list(texts) for lag, texts in self.transforms.items()},
            "series": self.series,
            "time": self.time,
            "value": self.value,
            "dtype": self.dtype,
        }
        if self.min_samples is not None:
            document["min_samples"] = self.min_samples
        if self.by:
            document |= {"by": list(self.by), "aggregate": self.aggregate}
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "PanelLags":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))

    def _of_whole(self, frame: pd.DataFrame, threads: int) -> pd.DataFrame:
        rows = sort_panel(frame, self.series, self.time)
        values = _numbers(rows.frame[self.value])
        if self.by:
            found = self._of_groups(rows.frame, values, threads)
        else:
            found = self.lagged(values, rows.starts, threads)
        features = dict(zip(self.get_feature_names_out(), found, strict=True))
        added = pd.DataFrame(features, index=rows.frame.index, copy=False)
        return pd.concat([rows.frame, added], axis=1)

    def _of_groups(self, frame: pd.DataFrame, values: np.ndarray, threads: int) -> np.ndarray:
        """Return the features of the groups of rows in any order."""
        codes = frame.groupby(list(self.by), sort=False, observed=True).ngroup().to_numpy()
        times = time_numbers(frame[self.time])
        order = np.lexsort((times, codes))
        found = np.empty((len(self.features), len(frame)), self.dtype)
        found[:, order] = self._of_sorted(values[order], codes[order], times[order], threads)
        found[:, codes < 0] = np.nan
        return found

    def _of_sorted(
        self, values: np.ndarray, codes: np.ndarray, times: np.ndarray, threads: int = 1
    ) -> np.ndarray:
        """Return the features of rows that are sorted by series or group, and time."""
        if not self.by:
            return self.lagged(values, starts_of(codes), threads)
        new = new_instants(codes, times)
        places = np.cumsum(new) - 1
        totals = aggregated(values.astype(np.float64), places, int(new.sum()), self.aggregate)
        return self.lagged(totals, starts_of(codes[new]), threads)[:, places]


def _whole(lag: Any) -> Any:
    return int(lag) if isinstance(lag, str) and lag.isdigit() else lag


def _numbers(values: pd.Series) -> np.ndarray:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f":
        return values.to_numpy()
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
