"""Rows whose unique key an earlier row has: found by bringing equal keys together."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from dmlkit.graph import exchange

__all__ = ["KEY_SORTED", "bucket_count", "find_duplicates", "split_keys"]

#: Bytes of a key where those of a bucket are sorted: the keys, their order, both once more.
KEY_SORTED = 44

#: Sorting a bucket takes no more than this many partitions do, nor the keys of more than that many.
TAKEN, MOST_TOGETHER = 2, 8

#: Each partition has a piece, a task, for each bucket, and a scheduler takes about a millisecond
#: for each: with more of them than this there are fewer buckets, down to so many.
MOST_PIECES, FEW_BUCKETS = 32_768, 32

#: Spreads keys that are multiples of something over all buckets (Knuth's multiplicative hashing).
SPREAD = np.uint64(0x9E3779B97F4A7C15)

_Keys = tuple[int, np.ndarray, np.ndarray]


def bucket_count(partitions: int, row: float) -> int:
    """Return into how many buckets the keys of so many partitions go.

    Parameters
    ----------
    partitions : int
    row : float
        Bytes of a row.

    Examples
    --------
    >>> bucket_count(45, row=34), bucket_count(45, row=300), bucket_count(1000, row=34)
    (45, 6, 32)
    """
    together = max(1, min(int(TAKEN * row / KEY_SORTED), MOST_TOGETHER))
    return min(ceil(partitions / together), max(MOST_PIECES // partitions, FEW_BUCKETS))


def split_keys(number: int, keys: np.ndarray, positions: np.ndarray, buckets: int) -> list[_Keys]:
    """Split the keys of a partition, and where its rows stand, so that equal keys meet."""
    with np.errstate(over="ignore"):
        bucket = (keys * SPREAD >> np.uint64(32)) % np.uint64(buckets)
    order = np.argsort(bucket.astype("uint16"), kind="stable")  # of 16 bits: by counting
    ends = np.cumsum(np.bincount(bucket.astype("int64"), minlength=buckets))[:-1]
    narrow = positions.astype("uint32")
    return [(number, keys[rows], narrow[rows]) for rows in np.split(order, ends)]


def find_duplicates(splits: list[Any], buckets: int) -> list[Any]:
    """Find, in each bucket, the rows whose key stands in an earlier row.

    Parameters
    ----------
    splits : list of Delayed
        What `split_keys` returned, for each partition in order.
    buckets : int

    Returns
    -------
    list of Delayed
        Mappings from partition to positions of rows.
    """
    return exchange(splits, buckets, _repeated)


def _repeated(parts: Sequence[_Keys]) -> dict[int, np.ndarray]:
    keys = np.concatenate([keys for _, keys, _ in parts])
    order = np.argsort(keys, kind="stable")  # parts come in table order, and so do their rows
    ordered = keys[order]
    again = order[1:][ordered[1:] == ordered[:-1]]
    ends = np.cumsum([len(keys) for _, keys, _ in parts])
    of_part = np.searchsorted(ends, again, side="right")
    found = {}
    for index in np.unique(of_part):
        number, its_keys, positions = parts[index]
        rows = again[of_part == index] - (ends[index] - len(its_keys))
        found[number] = np.sort(positions[rows])
    return found
