"""Rows whose unique key an earlier row has: found by bringing equal keys together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmlkit.graph import exchange

__all__ = ["find_duplicates", "split_keys"]

#: A key is a tenth of a row or less: the keys of so many partitions are no more than one of them.
PARTITIONS_PER_BUCKET = 8

MOST_BUCKETS = 32

#: Spreads keys that are multiples of something over all buckets (Knuth's multiplicative hashing).
SPREAD = np.uint64(0x9E3779B97F4A7C15)

_Keys = tuple[int, np.ndarray, np.ndarray]


def bucket_count(partitions: int) -> int:
    """Return into how many buckets the keys of so many partitions go."""
    return min(-(-partitions // PARTITIONS_PER_BUCKET), MOST_BUCKETS)


def split_keys(number: int, keys: np.ndarray, positions: np.ndarray, buckets: int) -> list[_Keys]:
    """Split the keys of a partition, and where its rows stand, so that equal keys meet."""
    with np.errstate(over="ignore"):
        bucket = (keys * SPREAD >> np.uint64(32)) % np.uint64(buckets)
    chosen = [np.flatnonzero(bucket == each) for each in range(buckets)]
    narrow = positions.astype("uint32")
    return [(number, keys[rows], narrow[rows]) for rows in chosen]


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
