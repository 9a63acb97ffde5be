"""Ranges of rows, ordered by the hash of their entity and then by time, of about equal size.

Where the ranges end is found from a sample of each partition. An entity is kept whole, unless it
has more rows than a range should: it is cut in time then, and each later range gets the rows
before it that windows look back on, its *context*.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dmlkit.features.entity_key import NO_TIME
from dmlkit.features.sort_kernels import range_numbers

__all__ = ["EARLIEST", "Ranges", "Sample", "ranges_of", "sample_of"]

#: Before all times: a range that begins with it begins with an entity.
EARLIEST = NO_TIME


@dataclass(frozen=True)
class Sample:
    """Keys of some rows of a partition, each for as many as `weight`; the times of all.

    Attributes
    ----------
    hashes : (k,) uint64 array
    times : (k,) int64 array
    rows : int
        Of the partition.
    first, last : int
        The times of its earliest and its latest row.
    """

    hashes: np.ndarray
    times: np.ndarray
    rows: int
    first: int
    last: int


def sample_of(
    times: np.ndarray, hashes_at: Callable[[np.ndarray], np.ndarray], most: int
) -> Sample:
    """Draw up to `most` rows of a partition: the same ones each time, at no regular distance.

    Parameters
    ----------
    times : (n,) int64 array
    hashes_at : callable
        Takes numbers of rows, and returns the hashes of their entities.
    most : int
    """
    rows = len(times)
    drawn = np.arange(rows)
    if not rows:
        return Sample(hashes_at(drawn), times, 0, np.iinfo(np.int64).max, NO_TIME)
    if rows > most:
        drawn = np.random.default_rng(rows).integers(0, rows, most)
    known = times[times != NO_TIME]
    first, last = (known.min(), known.max()) if len(known) else (0, 0)
    return Sample(hashes_at(drawn), times[drawn], rows, int(first), int(last))


@dataclass(frozen=True)
class Ranges:
    """Where ranges of rows begin; each ends where the next one begins.

    Attributes
    ----------
    hashes : (b,) uint64 array
    times : (b,) int64 array
        `EARLIEST` where a range begins with an entity.
    first, last : int
        The earliest and the latest time of all rows.
    """

    hashes: np.ndarray
    times: np.ndarray
    first: int
    last: int

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def cuts_entities(self) -> bool:
        """Whether any range begins within an entity."""
        return bool((self.times != EARLIEST).any())

    def numbers(self, hashes: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the number of the range that each row is in: an (n,) int64 array."""
        return range_numbers(self.hashes, self.times, hashes, times)

    def context(
        self, number: int, hashes: np.ndarray, times: np.ndarray, reach: int | None
    ) -> np.ndarray:
        """Return which rows a range needs of those before it: row numbers.

        Parameters
        ----------
        number : int
            Of the range.
        reach : int, optional
            How far back windows look; without it, to the first row.
        """
        begin = self.times[number]
        if begin == EARLIEST:
            return np.empty(0, np.int64)
        wanted = (hashes == self.hashes[number]) & (times < begin) & (times != NO_TIME)
        if reach is not None:
            wanted &= times > int(begin) - reach
        return np.flatnonzero(wanted)


def ranges_of(samples: Sequence[Sample], count: int) -> Ranges:
    """Return `count` ranges of about equal size.

    Parameters
    ----------
    samples : sequence of Sample
        One of each partition.
    count : int
        How many ranges. Some are empty where there are fewer entities.
    """
    hashes = np.concatenate([sample.hashes for sample in samples])
    times = np.concatenate([sample.times for sample in samples])
    weights = np.repeat(
        [sample.rows / max(len(sample.hashes), 1) for sample in samples],
        [len(sample.hashes) for sample in samples],
    )
    order = np.lexsort((times, hashes))
    hashes, times, until = hashes[order], times[order], np.cumsum(weights[order])
    begins = np.zeros(count, np.uint64), np.full(count, EARLIEST)
    if len(hashes):
        _begin_ranges(*begins, hashes, times, until)
    first = min(sample.first for sample in samples)
    last = max(sample.last for sample in samples)
    return Ranges(*begins, first, last)


def _begin_ranges(
    begin_hashes: np.ndarray,
    begin_times: np.ndarray,
    hashes: np.ndarray,
    times: np.ndarray,
    until: np.ndarray,
) -> None:
    """Fill in where the ranges begin, all but the first, given a sorted sample.

    `until` holds the rows that stand before and at each of the sample.
    """
    size = until[-1] / len(begin_hashes)
    entity_first = np.searchsorted(hashes, hashes, "left")
    entity_stop = np.searchsorted(hashes, hashes, "right")
    for number in range(1, len(begin_hashes)):
        row = min(int(np.searchsorted(until, number * size)), len(hashes) - 1)
        first, stop = entity_first[row], entity_stop[row]
        rows_before = until[first - 1] if first else 0.0
        rows_after = until[stop - 1]
        middle = number * size
        if rows_after - rows_before > size:
            begin_hashes[number] = hashes[row]
            begin_times[number] = times[row] if times[row] > times[first] else EARLIEST
        elif middle - rows_before <= rows_after - middle or stop == len(hashes):
            begin_hashes[number] = hashes[first]
        else:
            begin_hashes[number] = hashes[stop]
