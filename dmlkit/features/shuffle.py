"""Bringing all rows of an entity into one partition, lazily, as plain Dask tasks.

Each partition is split by a hash of the entity, pieces of one bucket are put together and sorted.
Which rows a bucket holds, and their order, depends on the rows alone and not on how they came in.
"""

from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from dmlkit.errors import InputError

__all__ = ["SortedRows", "shuffle_by_entity"]

#: Knuth's multiplicative hash for 64 bits (2^64 divided by the golden ratio).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class SortedRows:
    """Rows of whole entities, sorted by entity and time, with what kernels need of them.

    Attributes
    ----------
    frame : pd.DataFrame
    codes : (n,) int64 array
        The entity as a number; -1 where entity or time is missing.
    times : (n,) int64 array
        Microseconds since 1970, or nanoseconds where the column has that resolution.
    unit : str
        ``"us"`` or ``"ns"``.
    """

    def __init__(self, frame: pd.DataFrame, by: str, time: str) -> None:
        codes = _codes(frame[by])
        times, self.unit = _times(frame[time])
        codes[pd.isna(frame[time]).to_numpy()] = -1
        order = _order(frame, codes, times)
        self.frame = frame.take(order).reset_index(drop=True)
        self.codes = codes[order]
        self.times = times[order]


def shuffle_by_entity(
    frame: Any,
    by: str,
    partitions: int,
    process: Callable[[pd.DataFrame], pd.DataFrame],
    meta: pd.DataFrame,
) -> Any:
    """Gather the rows of each value of `by` and hand them, bucket by bucket, to `process`.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    by : str
        The entity's column.
    partitions : int
        Number of buckets, each a partition of the result.
    process : callable
        Takes and returns a pandas DataFrame.
    meta : pd.DataFrame
        An empty result of `process`.

    Returns
    -------
    dask.dataframe.DataFrame
    """
    split = dask.delayed(_split, nout=partitions, pure=True)
    gather = dask.delayed(_gather, pure=True)
    pieces = [split(part, by, partitions) for part in frame.to_delayed()]
    buckets = [gather(process, [piece[bucket] for piece in pieces]) for bucket in range(partitions)]
    return dd.from_delayed(buckets, meta=meta, verify_meta=False, prefix="by-entity")


def _split(frame: pd.DataFrame, by: str, partitions: int) -> list[pd.DataFrame]:
    """Return the rows of each bucket; a piece is a copy and holds nothing else in memory."""
    bucket = (_hash(frame[by]) >> np.uint64(32)) % np.uint64(partitions)
    order = np.argsort(bucket.astype(np.uint16 if partitions < 2**16 else np.int64), kind="stable")
    ends = np.cumsum(np.bincount(bucket.astype(np.int64), minlength=partitions))
    starts = ends - np.diff(ends, prepend=0)
    return [frame.take(order[start:end]) for start, end in zip(starts, ends, strict=True)]


def _gather(
    process: Callable[[pd.DataFrame], pd.DataFrame], pieces: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    full = [piece for piece in pieces if len(piece)] or list(pieces[:1])
    return process(_concatenate(full))


def _concatenate(pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put pieces together; categories that differ between them are united, in sorted order."""
    columns = {}
    for name in pieces[0].columns:
        parts = [piece[name] for piece in pieces]
        if isinstance(parts[0].dtype, pd.CategoricalDtype):
            columns[name] = union_categoricals(parts, sort_categories=not parts[0].cat.ordered)
        else:
            columns[name] = pd.concat(parts, ignore_index=True).array
    return pd.DataFrame(columns, copy=False)


def _hash(entity: pd.Series) -> np.ndarray:
    """Hash values, not their dtypes: 7 as int8, int64 or category falls into one bucket."""
    if isinstance(entity.dtype, pd.CategoricalDtype):
        hashes = _hash(pd.Series(entity.cat.categories))
        codes = entity.cat.codes.to_numpy()
        return np.where(codes < 0, np.uint64(0), hashes[codes] if len(hashes) else np.uint64(0))
    missing = entity.isna().to_numpy()
    if pd.api.types.is_bool_dtype(entity.dtype) or pd.api.types.is_integer_dtype(entity.dtype):
        whole = entity.to_numpy(dtype="int64", na_value=0) if missing.any() else entity.to_numpy()
        hashes = whole.astype(np.int64).view(np.uint64) * GOLDEN
    elif pd.api.types.is_float_dtype(entity.dtype):
        hashes = pd.util.hash_array(entity.to_numpy(dtype="float64", na_value=np.nan))
    else:
        hashes = pd.util.hash_array(entity.to_numpy(dtype=object), categorize=True)
    hashes[missing] = 0
    return hashes


def _codes(entity: pd.Series) -> np.ndarray:
    """Return a number for each value, in the order of values; -1 where missing."""
    if isinstance(entity.dtype, pd.CategoricalDtype):
        entity = entity.astype(entity.cat.categories.dtype)
    codes, _ = pd.factorize(entity, sort=True)
    return codes.astype(np.int64)


def _times(time: pd.Series) -> tuple[np.ndarray, str]:
    if not pd.api.types.is_datetime64_any_dtype(time.dtype):
        example = time.iloc[0] if len(time) else None
        raise InputError(
            f"Column {time.name!r} is {time.dtype} (such as {example!r}), but a datetime is "
            "needed. Declare it as 'datetime' in the schema, or convert it with to_datetime."
        )
    if getattr(time.dtype, "tz", None) is not None:
        time = time.dt.tz_convert("UTC").dt.tz_localize(None)
    values = time.to_numpy(dtype="datetime64[ns]" if time.dt.unit == "ns" else "datetime64[us]")
    return values.view(np.int64), np.datetime_data(values.dtype)[0]


def _order(frame: pd.DataFrame, codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Order rows by entity and time, and rows that tie by all their other values."""
    order = np.lexsort((times, codes))
    sorted_codes, sorted_times = codes[order], times[order]
    same = (sorted_codes[1:] == sorted_codes[:-1]) & (sorted_times[1:] == sorted_times[:-1])
    if not same.any():
        return order
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    group = np.cumsum(np.r_[True, ~same])[tied]
    rows = frame.take(order[tied])
    keys = [_codes(rows[name]) for name in reversed(rows.columns)]
    order[tied] = order[tied][np.lexsort((*keys, group))]
    return order
