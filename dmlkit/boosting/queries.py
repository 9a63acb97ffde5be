"""Queries, whose rows are ranked among each other and therefore stay together."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting.roles import QUERY
from dmlkit.boosting.stored_rows import StoredRows, rows_of
from dmlkit.graph import exchange_in_stages

__all__ = ["queries_of", "rows_by_query", "runs_of"]


def runs_of(part: pd.DataFrame | StoredRows) -> tuple[Any, Any]:
    """Return the query of each run of neighbouring rows of one query, and the run's length.

    Examples
    --------
    >>> runs_of(pd.DataFrame({QUERY: [7, 7, 9, 7]}))
    (array([7, 9, 7]), array([2, 1, 1]))
    """
    query = rows_of(part)[QUERY].to_numpy()
    starts = (
        np.flatnonzero(np.r_[True, query[1:] != query[:-1]]) if len(query) else np.empty(0, int)
    )
    return query[starts], np.diff(np.r_[starts, len(query)])


def queries_of(runs: Sequence[tuple[Any, Any]]) -> Any:
    """Return the rows of each query, one after the other, or None where rows of one are apart.

    Parameters
    ----------
    runs : sequence of (queries, lengths)
        Of each part, in order, from `runs_of`.

    Examples
    --------
    >>> queries_of([(np.array([7, 9]), np.array([2, 1])), (np.array([9]), np.array([4]))])
    array([2, 5])
    >>> queries_of([(np.array([7, 9, 7]), np.array([1, 1, 1]))]) is None
    True
    """
    query = np.concatenate([queries for queries, _ in runs])
    lengths = np.concatenate([lengths for _, lengths in runs])
    starts = np.flatnonzero(np.r_[True, query[1:] != query[:-1]])
    if len(np.unique(query[starts])) < len(starts):
        return None
    return np.add.reduceat(lengths, starts)


def rows_by_query(frame: Any) -> Any:
    """Return a frame's rows by query, in an order that does not depend on its partitions."""
    parts = frame.to_delayed()
    joined = exchange_in_stages(parts, len(parts), _cut, _in_order, len(parts))
    return dd.from_delayed(joined, meta=frame._meta, verify_meta=False, prefix="by-query")


def _cut(part: pd.DataFrame, edges: Sequence[int], buckets: int) -> list[pd.DataFrame]:
    """Return the rows of each group of neighbouring ranges of ids, which are hashes."""
    high = part[QUERY].to_numpy() >> np.uint64(32)
    bucket = (high * np.uint64(buckets)) >> np.uint64(32)
    ordered = part.iloc[np.argsort(bucket, kind="stable")]
    ends = np.searchsorted(np.sort(bucket), np.asarray(edges, np.uint64))
    return [ordered.iloc[start:stop].copy() for start, stop in pairwise(ends)]


def _in_order(pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    rows = pd.concat(pieces, ignore_index=True)
    return rows.iloc[np.argsort(rows[QUERY].to_numpy(), kind="stable")].reset_index(drop=True)
