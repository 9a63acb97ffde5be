"""Row loops over sorted arrays (numba): window bounds and sliding aggregates. No tables here.

All kernels take rows sorted by entity code, then time. `start` and `stop` hold, for each row, the
half-open range of rows in its window; both never fall within an entity, so each kernel adds and
removes each row once. Sums are kept in double-double arithmetic: what enters a sum and leaves it
again leaves no trace, so that results depend neither on the order of rows nor on how much history
lies before the window.

References
----------
T. J. Dekker: A floating-point technique for extending the available precision. Numerische
Mathematik 18, 1971. D. E. Knuth: The Art of Computer Programming 2, 4.2.2 (TwoSum).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

__all__ = [
    "sliding_count",
    "sliding_maximum",
    "sliding_sum",
    "sliding_variance",
    "window_bounds",
]

#: Squares of larger values overflow; in a variance they count as infinite.
LARGEST_SQUARED = 1e150

#: Dekker's constant: splits a double into two halves of 26 bits.
SPLITTER = 134217729.0

#: A variance below this share of the mean square is rounding; equal values have none.
SMALLEST_SHARE = 2.0**-96


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel, cached on disk where numba finds a folder that it may write to."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@_compiled
def window_bounds(codes, times, window, delay):  # type: ignore[no-untyped-def]
    """Return the rows in ``(t - delay - window, t - delay]`` of each row's entity.

    Parameters
    ----------
    codes : (n,) int64 array, sorted
        The entity of each row; rows of a negative code have no window.
    times : (n,) int64 array
        Sorted within each entity.
    window, delay : int
        In the unit of `times`.

    Returns
    -------
    start, stop : (n,) int64 arrays
    """
    n = len(codes)
    start = np.zeros(n, np.int64)
    stop = np.zeros(n, np.int64)
    low = high = 0
    for i in range(n):
        if codes[i] < 0:
            continue
        if i == 0 or codes[i] != codes[i - 1]:
            low = high = i
        newest = times[i] - delay
        while high < n and codes[high] == codes[i] and times[high] <= newest:
            high += 1
        while low < high and times[low] <= newest - window:
            low += 1
        start[i] = low
        stop[i] = high
    return start, stop


@_compiled
def sliding_count(codes, values, start, stop):  # type: ignore[no-untyped-def]
    """Count the values in each window that are not missing: an (n,) int64 array."""
    n = len(codes)
    counts = np.zeros(n, np.int64)
    low = high = count = 0
    for i in range(n):
        if i == 0 or codes[i] != codes[i - 1]:
            low = high = start[i]
            count = 0
        while high < stop[i]:
            count += not np.isnan(values[high])
            high += 1
        while low < start[i]:
            count -= not np.isnan(values[low])
            low += 1
        counts[i] = count
    return counts


@_compiled
def _two_sum(a, b):  # type: ignore[no-untyped-def]
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


@_compiled
def _two_product(a, b):  # type: ignore[no-untyped-def]
    product = a * b
    scaled = SPLITTER * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = SPLITTER * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


@_compiled
def _add(high, low, value, error):  # type: ignore[no-untyped-def]
    """Add the double-double (value, error) to (high, low)."""
    total, rest = _two_sum(high, value)
    rest_low, rest_error = _two_sum(low, error)
    rest += rest_low
    total, rest = _two_sum(total, rest)
    return _two_sum(total, rest + rest_error)


@_compiled
def _with_infinities(total, positive, negative):  # type: ignore[no-untyped-def]
    """Return a sum as IEEE has it, given how many infinite values the window holds."""
    if positive > 0 and negative > 0:
        return np.nan
    if positive > 0:
        return np.inf
    if negative > 0:
        return -np.inf
    return total


@_compiled
def sliding_sum(codes, values, start, stop):  # type: ignore[no-untyped-def]
    """Sum the values in each window that are not missing: an (n,) float64 array, 0 if none."""
    n = len(codes)
    sums = np.zeros(n, np.float64)
    low = high = 0
    total = rest = 0.0
    positive = negative = 0
    for i in range(n):
        if i == 0 or codes[i] != codes[i - 1]:
            low = high = start[i]
            total = rest = 0.0
            positive = negative = 0
        while high < stop[i]:
            value = values[high]
            high += 1
            if np.isinf(value):
                positive += value > 0
                negative += value < 0
            elif not np.isnan(value):
                total, rest = _add(total, rest, value, 0.0)
        while low < start[i]:
            value = values[low]
            low += 1
            if np.isinf(value):
                positive -= value > 0
                negative -= value < 0
            elif not np.isnan(value):
                total, rest = _add(total, rest, -value, 0.0)
        sums[i] = _with_infinities(total, positive, negative)
    return sums


@_compiled
def _variance(count, total, rest, squares, squares_rest):  # type: ignore[no-untyped-def]
    """Return (sum of squares - sum² / count) / (count - 1) in double-double arithmetic."""
    product, error = _two_product(total, total)
    error += 2.0 * total * rest
    quotient = product / count
    back, back_error = _two_product(quotient, float(count))
    correction = ((product - back) - back_error + error) / count
    spread, _ = _add(squares, squares_rest, -quotient, -correction)
    if spread <= squares * SMALLEST_SHARE:
        return 0.0
    return spread / (count - 1)


@_compiled
def sliding_variance(codes, values, start, stop):  # type: ignore[no-untyped-def]
    """Return the sample variance in each window: (n,) float64, missing below two values.

    Missing values are left out; a window with an infinite value has a missing variance.
    """
    n = len(codes)
    variances = np.full(n, np.nan)
    low = high = 0
    total = rest = squares = squares_rest = 0.0
    count = infinite = 0
    for i in range(n):
        if i == 0 or codes[i] != codes[i - 1]:
            low = high = start[i]
            total = rest = squares = squares_rest = 0.0
            count = infinite = 0
        while high < stop[i]:
            value = values[high]
            high += 1
            if abs(value) > LARGEST_SQUARED:
                infinite += 1
            elif not np.isnan(value):
                square, error = _two_product(value, value)
                total, rest = _add(total, rest, value, 0.0)
                squares, squares_rest = _add(squares, squares_rest, square, error)
                count += 1
        while low < start[i]:
            value = values[low]
            low += 1
            if abs(value) > LARGEST_SQUARED:
                infinite -= 1
            elif not np.isnan(value):
                square, error = _two_product(value, value)
                total, rest = _add(total, rest, -value, 0.0)
                squares, squares_rest = _add(squares, squares_rest, -square, -error)
                count -= 1
        if infinite == 0 and count > 1:
            variances[i] = _variance(count, total, rest, squares, squares_rest)
    return variances


@_compiled
def sliding_maximum(codes, values, start, stop):  # type: ignore[no-untyped-def]
    """Return the largest value in each window: (n,) float64, missing if there is none.

    A queue holds the rows that may still become the largest, in falling order.
    """
    n = len(codes)
    maxima = np.full(n, np.nan)
    queue = np.empty(n, np.int64)
    first = last = high = 0
    for i in range(n):
        if i == 0 or codes[i] != codes[i - 1]:
            first = last = 0
            high = start[i]
        while high < stop[i]:
            if not np.isnan(values[high]):
                while last > first and values[queue[last - 1]] <= values[high]:
                    last -= 1
                queue[last] = high
                last += 1
            high += 1
        while first < last and queue[first] < start[i]:
            first += 1
        if first < last:
            maxima[i] = values[queue[first]]
    return maxima
