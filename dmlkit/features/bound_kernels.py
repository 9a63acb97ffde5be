"""Row loops for where windows start and stop (numba). Arrays only.

*Events* are the rows that count, *queries* those that a window is for; both are sorted by entity,
then time. `start` and `stop` hold, for each query, the half-open range of events in its window.
Neither ever falls, so that each kernel takes every event in once and lets it go once.
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = ["window_starts", "window_stops"]


@compiled
def window_stops(codes, times, event_codes, event_times, delay):  # type: ignore[no-untyped-def]
    """Return how many events come up to ``t - delay`` of each query's entity, or before it.

    Parameters
    ----------
    codes : (n,) int64 array
        The entity of each query, sorted; -1, which has empty windows, may stand before an
        entity's first query, and not behind it.
    times : (n,) int64 array
        Sorted within each entity.
    event_codes, event_times : (m,) int64 arrays
        Likewise, without -1.
    delay : int
        In the unit of the times.

    Returns
    -------
    (n,) int64 array
        The same for all windows of one delay.
    """
    events = len(event_codes)
    stop = np.empty(len(codes), np.int64)
    high = 0
    for i in range(len(codes)):
        entity = codes[i]
        newest = times[i] - delay
        while high < events and (
            event_codes[high] < entity
            or (event_codes[high] == entity and event_times[high] <= newest)
        ):
            high += 1
        stop[i] = high
    return stop


@compiled
def window_starts(codes, times, event_codes, event_times, reach, stop):  # type: ignore[no-untyped-def]
    """Return the first event of its entity after ``t - reach`` of each query; `stop` if none is.

    Parameters
    ----------
    codes, times, event_codes, event_times
        As for `window_stops`.
    reach : int
        The window and its delay; negative: back to the entity's first event.
    stop : (n,) int64 array
        What `window_stops` found.

    Returns
    -------
    (n,) int64 array
    """
    start = np.empty(len(codes), np.int64)
    low = 0
    for i in range(len(codes)):
        entity = codes[i]
        if entity < 0:
            start[i] = stop[i]
            continue
        oldest = times[i] - reach
        while low < stop[i] and (
            event_codes[low] < entity or (reach >= 0 and event_times[low] <= oldest)
        ):
            low += 1
        start[i] = low
    return start
