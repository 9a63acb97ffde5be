"""Row loops for what depends on the order of events (numba): extremes, runs. Arrays only.

What events, `start` and `stop` are is said in `dmlkit.features.bound_kernels`.
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = ["instant_maximum", "run_starts", "sliding_maximum"]


@compiled
def sliding_maximum(values, start, stop):  # type: ignore[no-untyped-def]
    """Return the largest value in each window: (n,) float64, missing if there is none.

    A queue holds the events that may still become the largest, in falling order.
    """
    n = len(start)
    maxima = np.full(n, np.nan)
    queue = np.empty(len(values), np.int64)
    first = last = high = 0
    for i in range(n):
        if start[i] >= high:
            first = last = 0
            high = start[i]
        while high < stop[i]:
            value = values[high]
            while last > first and values[queue[last - 1]] <= value:
                last -= 1
            queue[last] = high
            last += 1
            high += 1
        while first < last and queue[first] < start[i]:
            first += 1
        if first < last:
            maxima[i] = values[queue[first]]
    return maxima


@compiled
def instant_maximum(codes, times, values):  # type: ignore[no-untyped-def]
    """Return, for each event, the largest value of its entity at its instant."""
    n = len(values)
    largest = values.copy()
    first = 0
    for i in range(1, n + 1):
        if i < n and codes[i] == codes[first] and times[i] == times[first]:
            continue
        for j in range(first + 1, i):
            largest[first] = max(largest[first], values[j])
        for j in range(first + 1, i):
            largest[j] = largest[first]
        first = i
    return largest


@compiled
def run_starts(codes, times, values):  # type: ignore[no-untyped-def]
    """Return, for each event, the first of the events since the value last changed.

    A run goes back over whole instants at which all values are the same one. Where the values at
    the event's own instant differ, the run is empty: it starts behind that instant.
    """
    n = len(values)
    starts = np.empty(n, np.int64)
    first = 0
    previous = -1  # the start of the run that the instant before belongs to, -1 for none
    for i in range(1, n + 1):
        if i < n and codes[i] == codes[first] and times[i] == times[first]:
            continue
        same = True
        for j in range(first + 1, i):
            same = same and values[j] == values[first]
        begin = i
        if same:
            begin = first
            goes_on = first > 0 and codes[first - 1] == codes[first]
            if previous >= 0 and goes_on and values[first - 1] == values[first]:
                begin = previous
        starts[first:i] = begin
        previous = begin if same else -1
        first = i
    return starts
