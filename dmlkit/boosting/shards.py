"""Which rows are trained on by which process: equal ranges of rows, whatever the partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["Piece", "shard_count", "shards_of"]

#: Up to so many rows are trained on by one process: moving sums between several would cost more
#: than it saves, and the model is the same on any cluster.
ROWS_FOR_ONE_PROCESS = 300_000


@dataclass(frozen=True)
class Piece:
    """The rows ``[start, stop)`` of a partition, where `part` is its number or its content."""

    part: Any
    start: int
    stop: int


def shard_count(rows: Sequence[int], processes: int) -> int:
    """Return into how many shards tables go: one if the first is small, else one a process.

    Parameters
    ----------
    rows : sequence of int
        Of the training table, then of the evaluation tables; each shard gets some of each.
    processes : int
        As many as the machines can well have.

    Examples
    --------
    >>> shard_count([300_000, 1000], 8), shard_count([300_001, 1000], 8), shard_count([10**9, 2], 8)
    (1, 8, 2)
    """
    if rows[0] <= ROWS_FOR_ONE_PROCESS:
        return 1
    return min(processes, *rows)


def shards_of(lengths: Sequence[int], shards: int, queries: Any = None) -> list[list[Piece]]:
    """Cut the rows of partitions into ranges of equal length, but for one row.

    Parameters
    ----------
    lengths : sequence of int
        The rows of each partition.
    shards : int
    queries : (queries,) int array, optional
        The rows of each query, one after the other: ranges end where queries do.

    Examples
    --------
    >>> for pieces in shards_of([3, 0, 2], 2):
    ...     print(pieces)
    [Piece(part=0, start=0, stop=2)]
    [Piece(part=0, start=2, stop=3), Piece(part=2, start=0, stop=2)]
    """
    ends = np.cumsum(lengths)
    limits = [int(ends[-1]) * shard // shards for shard in range(shards + 1)]
    if queries is not None:
        limits = _at_queries(limits, np.cumsum(queries))
    return [
        [
            Piece(part, max(low - int(end) + length, 0), min(high - int(end) + length, length))
            for part, (length, end) in enumerate(zip(lengths, ends, strict=True))
            if length and end - length < high and end > low
        ]
        for low, high in pairwise(limits)
    ]


def _at_queries(limits: Sequence[int], ends: Any) -> list[int]:
    """Move limits to ends of queries, none of them onto another one.

    Examples
    --------
    >>> _at_queries([0, 5, 10], np.array([6, 8, 10]))
    [0, 6, 10]
    >>> _at_queries([0, 1, 2, 10], np.array([7, 8, 10]))
    [0, 7, 8, 10]
    """
    place = 0
    moved = [0]
    for shard, limit in enumerate(limits[1:], start=1):
        left = len(limits) - 1 - shard
        place = max(place, int(np.searchsorted(ends, limit)))
        place = min(place, len(ends) - 1 - left)
        moved.append(int(ends[place]))
        place += 1
    return moved
