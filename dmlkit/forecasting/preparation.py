"""Panels as forecasters use them: needed columns, whole series, a row at each step."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.step import check_columns
from dmlkit.forecasting.design import Design
from dmlkit.forecasting.origin import Cutoff
from dmlkit.forecasting.panel import (
    SERIES,
    TIME,
    VALUE,
    Gaps,
    check_panel,
    gather_series,
    regular_panel,
    summarise,
)

__all__ = ["Prepared", "prepare", "with_future"]

#: Of a pandas frame: rows for each partition at least, and partitions at most. Each takes some
#: milliseconds a step, however few series it has.
ROWS_PER_PARTITION, MOST_PARTITIONS = 500_000, 64


@dataclass(frozen=True)
class Prepared:
    """A panel that is ready for forecasting.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
        Lazy; each series in one partition, sorted, with a row at each step.
    cutoff : Cutoff
        The end of what is past.
    eager : bool
        It was a pandas frame, and results should be.
    steps : int
        From the first value of all to the last: no series has more.
    """

    frame: Any
    cutoff: Cutoff
    eager: bool
    steps: int


def prepare(panel: Any, design: Design, gaps: Gaps, common_end: bool) -> Prepared:
    """Check a panel and bring the rows of each series together where they are not.

    Raises
    ------
    InputError
        The panel is empty, or a column is missing or of the wrong type.
    """
    eager = isinstance(panel, pd.DataFrame)
    check_panel(panel if eager else panel._meta, design.columns)
    lazy = _lazily(panel) if eager else panel
    lazy = lazy[design.columns]
    summary = summarise(lazy)
    whole = lazy if summary.whole else gather_series(lazy)
    frame = regular_panel(whole, design.frequency.text, gaps=gaps)
    ends = pd.Series([summary.first, summary.last]).astype(lazy._meta[TIME].dtype)
    first, last = design.frequency.steps(ends)
    cutoff = Cutoff(summary.last if common_end else None)
    return Prepared(frame, cutoff, eager, round(last - first) + 1)


def with_future(prepared: Prepared, design: Design, gaps: Gaps, future: Any) -> Prepared:
    """Put rows of the future behind the history of their series; nothing leaves the cluster.

    Raises
    ------
    InputError
        A column that must be known is missing.
    """
    eager = isinstance(future, pd.DataFrame)
    names = [name for name in design.columns if name not in (VALUE, design.weight)]
    names = [name for name in names if name not in design.static or name in future.columns]
    check_columns(future if eager else future._meta, [SERIES, TIME, *design.known])
    later = _lazily(future) if eager else future
    past = prepared.frame
    later = later[names].map_partitions(
        _like, past._meta, meta=_like(later[names]._meta, past._meta)
    )
    both = gather_series(dd.concat([past, later], interleave_partitions=True))
    frame = both.map_partitions(_continued, design.static, past._meta, meta=past._meta)
    return replace(prepared, frame=regular_panel(frame, design.frequency.text, gaps=gaps))


def _like(rows: pd.DataFrame, meta: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns of `meta`: those that are not there are missing."""
    whole = rows.reindex(columns=meta.columns)
    missing_fits = {
        name: dtype
        for name, dtype in meta.dtypes.items()
        if name in rows.columns or not pd.api.types.is_numeric_dtype(dtype)
    }
    return whole.astype(missing_fits)


def _lazily(panel: pd.DataFrame) -> Any:
    """Return a pandas panel in partitions of whole series, where these lie together."""
    rows = panel.reset_index(drop=True)
    begins = np.flatnonzero((rows[SERIES] != rows[SERIES].shift()).to_numpy())
    size = max(ROWS_PER_PARTITION, -(-len(rows) // MOST_PARTITIONS))
    wanted = np.arange(size, len(rows), size)
    places = np.unique(np.searchsorted(begins, wanted))
    cuts = [0, *begins[places[places < len(begins)]].tolist(), len(rows)]
    parts = [rows.iloc[start:stop] for start, stop in pairwise(dict.fromkeys(cuts))]
    return dd.from_map(_part, parts or [rows], meta=rows.iloc[:0])


def _part(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def _continued(panel: pd.DataFrame, static: tuple[str, ...], meta: pd.DataFrame) -> pd.DataFrame:
    """Let static columns go on in the future; nothing may be there twice."""
    if panel.duplicated([SERIES, TIME]).any():
        row = panel[panel.duplicated([SERIES, TIME])].iloc[0]
        raise InputError(
            f"`future` has a row at {row[TIME]} of series {row[SERIES]!r} that is there already. "
            "Leave out what is past, and rows that are there twice."
        )
    of_series = panel.reset_index(drop=True).groupby(SERIES, sort=False, observed=True)
    continued = panel.reset_index(drop=True).assign(
        **{name: of_series[name].ffill() for name in static}
    )
    begun = continued[list(static)].notna().all(axis=1) if static else slice(None)
    return continued.loc[begun].reset_index(drop=True).astype(meta.dtypes.to_dict())
