"""The row loops of the floor (numba): the cheapest arithmetic that is right, also for ties.

Running sums are doubles, so that what left a window may leave a trace in its last digits.
"""

import numba
import numpy as np

__all__ = ["delayed_windows", "order_by_entity", "trailing_maxima", "trailing_moments"]


@numba.njit(cache=True)
def order_by_entity(entities, order):  # type: ignore[no-untyped-def]
    """Return the numbers of the rows by entity, within each as they stand in `order`."""
    places = np.zeros(entities.max() + 2, np.int64)
    for entity in entities:
        places[entity + 1] += 1
    places = np.cumsum(places)
    ordered = np.empty(len(order), np.int64)
    for row in order:
        entity = entities[row]
        ordered[places[entity]] = row
        places[entity] += 1
    return ordered


@numba.njit(cache=True)
def instant_end(entities, times, begin):  # type: ignore[no-untyped-def]
    """Return where the rows of an entity at the instant of row `begin` end."""
    end = begin + 1
    while end < len(times) and entities[end] == entities[begin] and times[end] == times[begin]:
        end += 1
    return end


@numba.njit(cache=True)
def totals(values, base, begin, end):  # type: ignore[no-untyped-def]
    """Return the sum and the sum of squares of some values, less `base`."""
    total = squares = 0.0
    for row in range(begin, end):
        value = values[row] - base
        total += value
        squares += value * value
    return total, squares


@numba.njit(cache=True)
def trailing_moments(entities, times, values, lengths):  # type: ignore[no-untyped-def]
    """Return count, sum, mean and deviation over ``(t - length, t]``.

    Parameters
    ----------
    entities, times, values : (n,) arrays
        Sorted by entity, then time; values are doubles.
    lengths : (k,) int64 array

    Returns
    -------
    counts : (k, n) int32 array
    numbers : (3, k, n) float32 array
        Sum, mean, standard deviation of the sample.
    """
    n = len(entities)
    counts = np.empty((len(lengths), n), np.int32)
    numbers = np.empty((3, len(lengths), n), np.float32)
    for window in range(len(lengths)):
        low = i = 0
        base = total = squares = 0.0
        while i < n:
            if i == 0 or entities[i] != entities[i - 1]:
                low, base, total, squares = i, values[i], 0.0, 0.0
            end = instant_end(entities, times, i)
            added = totals(values, base, i, end)
            total, squares = total + added[0], squares + added[1]
            first = low
            while times[low] <= times[i] - lengths[window]:
                low += 1
            left = totals(values, base, first, low)
            total, squares = total - left[0], squares - left[1]
            if low == i:  # nothing else is left, and so no trace of it shall be
                total, squares = added
            count = end - low
            counts[window, i:end] = count
            numbers[0, window, i:end] = total + count * base
            numbers[1, window, i:end] = base + total / count
            spread = max(0.0, squares - total * total / count)
            numbers[2, window, i:end] = np.sqrt(spread / (count - 1)) if count > 1 else np.nan
            i = end
    return counts, numbers


@numba.njit(cache=True)
def trailing_maxima(entities, times, values, lengths):  # type: ignore[no-untyped-def]
    """Return the largest value over ``(t - length, t]``: (k, n) float32.

    A queue holds the rows that may still become the largest, in falling order.
    """
    n = len(entities)
    maxima = np.empty((len(lengths), n), np.float32)
    queue = np.empty(n, np.int64)
    for window in range(len(lengths)):
        i = first = last = 0
        while i < n:
            if i == 0 or entities[i] != entities[i - 1]:
                first = last = 0
            end = instant_end(entities, times, i)
            for row in range(i, end):
                while last > first and values[queue[last - 1]] <= values[row]:
                    last -= 1
                queue[last] = row
                last += 1
            while times[queue[first]] <= times[i] - lengths[window]:
                first += 1
            maxima[window, i:end] = values[queue[first]]
            i = end
    return maxima


@numba.njit(cache=True)
def delayed_windows(entities, times, values, lengths, delay):  # type: ignore[no-untyped-def]
    """Return count and mean over ``(t - delay - length, t - delay]`` of small whole numbers.

    Returns
    -------
    counts : (k, n) int32 array
    means : (k, n) float32 array
        Missing where the window is empty.
    """
    n = len(entities)
    counts = np.empty((len(lengths), n), np.int32)
    means = np.empty((len(lengths), n), np.float32)
    for window in range(len(lengths)):
        low = high = total = 0
        for i in range(n):
            if i == 0 or entities[i] != entities[i - 1]:
                low, high, total = i, i, 0
            newest = times[i] - delay
            while times[high] <= newest:
                total += values[high]
                high += 1
            while times[low] <= newest - lengths[window]:
                total -= values[low]
                low += 1
            count = high - low
            counts[window, i] = count
            means[window, i] = total / count if count else np.nan
    return counts, means
