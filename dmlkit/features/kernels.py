"""Row loops for time windows (numba): window bounds, counts, maxima. No tables here.

All kernels take rows sorted by entity code, then time. `start` and `stop` hold, for each row, the
half-open range of rows in its window; both never fall within an entity, so each kernel adds and
removes each row once. Sums are in `dmlkit.features.exact_kernels`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

__all__ = ["compiled", "sliding_count", "sliding_maximum", "window_bounds"]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel, cached on disk where numba finds a folder that it may write to."""
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


@compiled
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


@compiled
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


@compiled
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
