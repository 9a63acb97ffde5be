"""Bringing all rows of an entity into one partition, lazily, as plain Dask tasks.

Each partition is split by ranges of a hash of the entity; the pieces of one range are put
together. Which rows a range holds depends on the rows alone, not on how they came in.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from dmlkit.features.sort_kernels import rows_by_group
from dmlkit.features.sorted_rows import row_hashes
from dmlkit.graph import exchange, for_each

__all__ = ["buckets_for", "shuffle_by_entity"]

#: Assumed of a value whose size its dtype does not tell, such as a text.
BYTES_OF_TEXT = 24

#: Each piece is a task, and a scheduler takes about a millisecond for each: with more pieces than
#: this, buckets are made larger instead,
MOST_PIECES = 8_192

#: but not so few that one would hold more than this part of the table.
FEWEST_OF_MANY = 64


def shuffle_by_entity(
    frame: Any,
    by: str,
    time: str,
    buckets: int,
    process: Callable[[pd.DataFrame], pd.DataFrame],
    meta: pd.DataFrame,
) -> Any:
    """Gather the rows of each value of `by` and hand them, bucket by bucket, to `process`.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        Its index is dropped.
    by : str
        The entity's column.
    time : str
        A datetime column, by which rows without an entity are spread over the buckets.
    buckets : int
        How many; each is a partition of the result.
    process : callable
        Takes and returns a pandas DataFrame.
    meta : pd.DataFrame
        An empty result of `process`.

    Returns
    -------
    dask.dataframe.DataFrame
        Buckets in the order of their hashes: when `process` sorts by these too, the whole table
        is in the same order for any number of buckets.
    """
    splits = for_each(_split, frame.to_delayed(), by, time, buckets)
    gathered = exchange(splits, buckets, partial(_gather, process=process))
    return dd.from_delayed(gathered, meta=meta, verify_meta=False, prefix="by-entity")


def buckets_for(frame: Any, result: pd.DataFrame) -> int:
    """Return into how many buckets to shuffle, so that results are no larger than `frame`'s parts.

    How large these are need not be known, only by how much a row grows. So that tasks do not get
    too many, buckets become larger where there are many partitions.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    result : pd.DataFrame
        An empty result.
    """
    growth = _bytes_per_row(result) / _bytes_per_row(frame._meta)
    most = max(MOST_PIECES // frame.npartitions, FEWEST_OF_MANY)
    return max(1, min(ceil(frame.npartitions * growth), most))


def _bytes_per_row(meta: pd.DataFrame) -> int:
    return sum(_bytes_of(dtype) for dtype in meta.dtypes) or 1


def _bytes_of(dtype: Any) -> int:
    known = isinstance(dtype, np.dtype) and dtype.kind != "O"
    return int(dtype.itemsize) if known else BYTES_OF_TEXT


def _split(frame: pd.DataFrame, by: str, time: str, buckets: int) -> list[pd.DataFrame]:
    """Return the rows of each bucket; a piece is a copy and holds nothing else in memory.

    Its index counts rows, so that no row numbers travel.
    """
    place = row_hashes(frame[by], frame[time]) >> np.uint64(32)
    bucket = (place * np.uint64(buckets)) >> np.uint64(32)
    order, ends = rows_by_group(bucket.view(np.int64), buckets)
    starts = np.r_[0, ends[:-1]]
    return [
        frame.take(order[start:end]).reset_index(drop=True)
        for start, end in zip(starts, ends, strict=True)
    ]


def _gather(
    pieces: Sequence[pd.DataFrame], process: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    full = [piece for piece in pieces if len(piece)] or list(pieces[:1])
    return process(_concatenate(full))


def _concatenate(pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put pieces together; categories that differ between them are united, in sorted order."""
    first = pieces[0]
    united: dict[Any, Any] = {}
    for name in first.columns[[isinstance(t, pd.CategoricalDtype) for t in first.dtypes]]:
        parts = [piece[name] for piece in pieces]
        if any(part.dtype != parts[0].dtype for part in parts):
            united[name] = union_categoricals(parts, sort_categories=not parts[0].cat.ordered)
    rest = [piece.drop(columns=list(united)) for piece in pieces] if united else pieces
    return pd.concat(rest, ignore_index=True).assign(**united)[first.columns]
