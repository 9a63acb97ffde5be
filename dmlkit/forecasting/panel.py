"""Long panels made fit for forecasting: whole series in a partition, a row at each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dask
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.entity_key import EntityKey
from dmlkit.features.hashing import hash_values
from dmlkit.features.panel_series import SeriesRows, sort_panel, time_numbers
from dmlkit.features.shuffle import Gathered, Source, shuffle_by_entity
from dmlkit.features.step import check_columns
from dmlkit.forecasting.frequency import Frequency
from dmlkit.graph import for_each

__all__ = ["Gaps", "PanelSummary", "check_panel", "gather_series", "regular_panel", "summarise"]

#: What is done with steps that a series has no row for.
Gaps = Literal["error", "missing", "zero"]

SERIES, TIME, VALUE = "unique_id", "ds", "y"


@dataclass(frozen=True)
class PanelSummary:
    """What one pass over a panel tells.

    Attributes
    ----------
    rows, series : int
    first : timestamp or int
        The earliest time of all.
    last : timestamp or int
        The latest time at which any series has a value: what is later is future.
    whole : bool
        Each series is in one partition.
    """

    rows: int
    series: int
    first: Any
    last: Any
    whole: bool


def summarise(panel: Any) -> PanelSummary:
    """Look at series, times and values of a lazy panel once.

    Raises
    ------
    InputError
        It has no rows with a value, or a column is missing.
    """
    check_columns(panel._meta, [SERIES, TIME, VALUE])
    parts = dask.compute(*for_each(_summary, panel[[SERIES, TIME, VALUE]].to_delayed()))
    hashes = np.concatenate([part[0] for part in parts])
    full = [part for part in parts if part[2] is not None]
    if not full:
        raise InputError("The panel has no row with a value: there is nothing to forecast from.")
    distinct = len(np.unique(hashes))
    return PanelSummary(
        rows=sum(part[1] for part in parts),
        series=distinct,
        first=min(part[2] for part in full),
        last=max(part[3] for part in full),
        whole=distinct == len(hashes),
    )


def gather_series(panel: Any, partitions: int | None = None) -> Any:
    """Bring the rows of each series together, lazily: series in the order of a hash of them.

    Parameters
    ----------
    panel : dask.dataframe.DataFrame
    partitions : int, optional
        Of the result; as many as `panel` has without it.
    """
    key = EntityKey((SERIES,), "")
    main = Source(panel, key, [SERIES], None)
    meta = panel._meta.reset_index(drop=True)
    return shuffle_by_entity(main, partitions or panel.npartitions, _by_hash, meta)


def regular_panel(panel: Any, frequency: str | int, *, gaps: Gaps = "error") -> Any:
    """Return a panel with a row at each step from a series' first row to its last.

    Parameters
    ----------
    panel : pandas or dask DataFrame
        Columns ``unique_id``, ``ds``, ``y`` and any others. Of a Dask frame each series must lie
        in one partition (see `gather_series`).
    frequency : str or int
        See `Frequency`.
    gaps : {"error", "missing", "zero"}
        What ``y`` is at steps without a row: an error, missing, or 0 (nothing was sold). Other
        columns take there what they were at the row before.

    Returns
    -------
    DataFrame like `panel`
        Sorted by series and time.

    Raises
    ------
    InputError
        A time does not fit the frequency, a series has two rows at one time, or there are gaps
        where none may be.

    Examples
    --------
    >>> import pandas as pd
    >>> panel = pd.DataFrame({"unique_id": "a", "ds": [1, 2, 4], "y": [5.0, 6.0, 8.0]})
    >>> regular_panel(panel, 1, gaps="missing")["y"].tolist()
    [5.0, 6.0, nan, 8.0]
    """
    if gaps not in ("error", "missing", "zero"):
        raise ConfigurationError(f"gaps is {gaps!r}: write 'error', 'missing' or 'zero'.")
    step = Frequency(frequency)
    if isinstance(panel, pd.DataFrame):
        return _regular(panel, step, gaps)
    meta = _regular(panel._meta, step, gaps)
    return panel.map_partitions(_regular, step, gaps, meta=meta)


def check_panel(meta: pd.DataFrame, others: Sequence[str] = ()) -> None:
    """Raise when a frame with the columns of `meta` is no long panel with the columns `others`."""
    check_columns(meta, [SERIES, TIME, VALUE, *others])
    time_numbers(meta[TIME])
    if not pd.api.types.is_numeric_dtype(meta[VALUE].dtype):
        raise InputError(
            f"Column {VALUE!r} is {meta[VALUE].dtype}; only numbers are forecast. Convert it."
        )


def _summary(rows: pd.DataFrame) -> tuple[np.ndarray, int, Any, Any]:
    distinct = pd.Series(rows[SERIES].unique())
    hashes = hash_values(distinct)
    known = rows[TIME][rows[VALUE].notna()]
    if not len(known):
        return hashes, len(rows), None, None
    return hashes, len(rows), known.min(), known.max()


def _by_hash(gathered: Gathered) -> pd.DataFrame:
    rows = gathered.rows
    hashes = hash_values(rows[SERIES])
    order = np.lexsort((time_numbers(rows[TIME]), hashes))
    return rows.take(order).frame()


def _regular(panel: pd.DataFrame, frequency: Frequency, gaps: Gaps) -> pd.DataFrame:
    check_panel(panel)
    rows = sort_panel(panel, SERIES, TIME)
    if not len(rows.frame):
        return rows.frame.astype({VALUE: "float64"}) if gaps == "missing" else rows.frame
    steps = frequency.steps(rows.frame[TIME])
    offsets = steps - np.repeat(steps[rows.starts[:-1]], np.diff(rows.starts))
    whole = np.rint(offsets)
    off = np.abs(offsets - whole) > 1e-6
    if off.any():
        _tell_irregular(rows, frequency, int(np.flatnonzero(off)[0]), int(off.sum()))
    jumps = np.diff(whole, prepend=-1.0)
    jumps[rows.starts[:-1]] = 1.0
    if (jumps == 0).any():
        row = rows.frame.iloc[int(np.flatnonzero(jumps == 0)[0])]
        raise InputError(
            f"Series {row[SERIES]!r} has two rows in the step of {row[TIME]}, with a frequency of "
            f"{frequency.text!r}. Add them up first, or name a shorter frequency."
        )
    if (jumps == 1).all():
        return rows.frame
    if gaps == "error":
        _tell_gaps(rows, frequency, jumps)
    return _filled(rows, frequency, jumps.astype(np.int64), gaps)


def _filled(rows: SeriesRows, frequency: Frequency, jumps: np.ndarray, gaps: Gaps) -> pd.DataFrame:
    """Put rows into gaps: copies of the row before, with their own time and value."""
    follow = np.r_[jumps[1:], 1]
    follow[rows.starts[1:] - 1] = 1
    source = np.repeat(np.arange(len(jumps)), follow)
    first = np.r_[0, np.cumsum(follow)[:-1]]
    after = np.arange(len(source)) - first[source]
    filled = rows.frame.iloc[source].reset_index(drop=True)
    new = after > 0
    times = filled[TIME].copy()
    times[new] = frequency.ahead(filled.loc[new, TIME], after[new])
    value = np.nan if gaps == "missing" else 0.0
    return filled.assign(**{TIME: times, VALUE: filled[VALUE].astype("float64").mask(new, value)})


def _tell_irregular(rows: SeriesRows, frequency: Frequency, row: int, count: int) -> None:
    example = rows.frame.iloc[row]
    raise InputError(
        f"{count:,} rows do not fit the frequency {frequency.text!r}, such as {example[TIME]} of "
        f"series {example[SERIES]!r}, whose first row is at "
        f"{rows.frame[TIME].iloc[rows.starts[np.searchsorted(rows.starts, row, 'right') - 1]]}. "
        "Name another frequency, or round the times and add up what falls together."
    )


def _tell_gaps(rows: SeriesRows, frequency: Frequency, jumps: np.ndarray) -> None:
    row = int(np.flatnonzero(jumps > 1)[0])
    example, before = rows.frame.iloc[row], rows.frame[TIME].iloc[row - 1]
    raise InputError(
        f"{int((jumps[jumps > 1] - 1).sum()):,} rows are missing at a frequency of "
        f"{frequency.text!r}, such as between {before} and {example[TIME]} of series "
        f"{example[SERIES]!r}. Say what they are with gaps='missing' or gaps='zero' (nothing was "
        "sold), or name another frequency."
    )
