"""Row loops for bringing rows into order (numba): hashes of texts, rows by group. Arrays only."""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = ["hash_texts", "mixed_bits", "range_numbers", "rows_by_group"]

FNV_START = np.uint64(0xCBF29CE484222325)
FNV_FACTOR = np.uint64(0x100000001B3)


@compiled
def hash_texts(offsets, letters):  # type: ignore[no-untyped-def]
    """Hash each text by its bytes (FNV-1a).

    Parameters
    ----------
    offsets : (n + 1,) int64 array
        Where in `letters` a text begins and the one before ends.
    letters : uint8 array

    Returns
    -------
    (n,) uint64 array
    """
    n = len(offsets) - 1
    hashes = np.empty(n, np.uint64)
    for i in range(n):
        value = FNV_START
        for place in range(offsets[i], offsets[i + 1]):
            value = (value ^ np.uint64(letters[place])) * FNV_FACTOR
        hashes[i] = value
    return hashes


@compiled
def mixed_bits(values):  # type: ignore[no-untyped-def]
    """Mix the bits of values, one to one (the finalizer of splitmix64).

    Parameters
    ----------
    values : (n,) uint64 array

    Returns
    -------
    (n,) uint64 array
    """
    mixed = np.empty(len(values), np.uint64)
    for row in range(len(values)):
        value = values[row]
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed[row] = value ^ (value >> np.uint64(31))
    return mixed


@compiled
def rows_by_group(groups, count):  # type: ignore[no-untyped-def]
    """Return the numbers of the rows, group by group, each in the order in which they stand.

    Parameters
    ----------
    groups : (n,) int64 array
        From 0 to ``count - 1``.
    count : int

    Returns
    -------
    order : (n,) int64 array
    ends : (count,) int64 array
        Where in `order` each group ends.
    """
    ends = np.zeros(count, np.int64)
    for group in groups:
        ends[group] += 1
    total = 0
    for group in range(count):
        size = ends[group]
        ends[group] = total
        total += size
    order = np.empty(len(groups), np.int64)
    for row in range(len(groups)):
        order[ends[groups[row]]] = row
        ends[groups[row]] += 1
    return order, ends


@compiled
def range_numbers(begin_hashes, begin_times, hashes, times):  # type: ignore[no-untyped-def]
    """Return the last range that begins at or before each row, by hash and then by time.

    The first bits of a hash mostly tell the range: those at which none begins point to it.

    Parameters
    ----------
    begin_hashes : (b,) uint64 array, sorted
        Ranges that begin with the same hash are sorted by `begin_times`. The first one takes
        whatever comes before it too.
    begin_times : (b,) int64 array
    hashes : (n,) uint64 array
    times : (n,) int64 array

    Returns
    -------
    (n,) int64 array
    """
    ranges = len(begin_hashes)
    shift = np.uint64(52)
    lowest = np.zeros(4097, np.int64)
    for number in range(ranges):
        lowest[(begin_hashes[number] >> shift) + np.uint64(1)] = number
    for place in range(1, 4097):
        lowest[place] = max(lowest[place], lowest[place - 1])
    numbers = np.empty(len(hashes), np.int64)
    for row in range(len(hashes)):
        value = hashes[row]
        number = lowest[value >> shift]
        while number + 1 < ranges and (
            begin_hashes[number + 1] < value
            or (begin_hashes[number + 1] == value and begin_times[number + 1] <= times[row])
        ):
            number += 1
        numbers[row] = number
    return numbers
