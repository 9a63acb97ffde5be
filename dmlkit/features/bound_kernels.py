"""Row loop for where windows start and stop (numba). Arrays only.

*Events* are the rows that count, *queries* those that a window is for; both are sorted by entity,
then time. `start` and `stop` hold, for each query, the half-open range of events in its window.
Neither ever falls, so that each kernel takes every event in once and lets it go once.
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = ["window_bounds"]


@compiled
def window_bounds(codes, times, event_codes, event_times, window, delay):  # type: ignore[no-untyped-def]
    """Return the events of its entity in ``(t - delay - window, t - delay]`` of each query.

    Parameters
    ----------
    codes : (n,) int64 array
        The entity of each query, sorted; -1, which has empty windows, may stand before an
        entity's first query, and not behind it.
    times : (n,) int64 array
        Sorted within each entity.
    event_codes, event_times : (m,) int64 arrays
        Likewise, without -1.
    window, delay : int
        In the unit of the times; a negative window reaches back to the entity's first event.

    Returns
    -------
    start, stop : (n,) int64 arrays
    """
    events = len(event_codes)
    start = np.empty(len(codes), np.int64)
    stop = np.empty(len(codes), np.int64)
    low = high = 0
    entity = -1
    for i in range(len(codes)):
        if codes[i] < 0:
            start[i] = stop[i] = high
            low = high
            entity = -1
            continue
        if codes[i] != entity:
            entity = codes[i]
            while high < events and event_codes[high] < entity:
                high += 1
            low = high
            while low > 0 and event_codes[low - 1] == entity:
                low -= 1
        newest = times[i] - delay
        while high < events and event_codes[high] == entity and event_times[high] <= newest:
            high += 1
        if window >= 0:
            while low < high and event_times[low] <= newest - window:
                low += 1
        start[i] = low
        stop[i] = high
    return start, stop
