"""Row loops over categories in windows (numba): how many, and which is the most frequent.

Values are codes from 0 to ``categories - 1``, in the order of what they stand for. What events,
`start` and `stop` are is said in `dmlkit.features.bound_kernels`.
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = ["sliding_distinct", "sliding_mode"]


@compiled
def sliding_distinct(values, start, stop, categories):  # type: ignore[no-untyped-def]
    """Return the number of distinct codes in each window: an (n,) int64 array."""
    counts = np.zeros(categories, np.int64)
    distinct = np.zeros(len(start), np.int64)
    low = high = found = 0
    for i in range(len(start)):
        while low < min(high, start[i]):
            counts[values[low]] -= 1
            found -= counts[values[low]] == 0
            low += 1
        if start[i] >= high:
            low = high = start[i]
        while high < stop[i]:
            found += counts[values[high]] == 0
            counts[values[high]] += 1
            high += 1
        distinct[i] = found
    return distinct


@compiled
def _better(counts, left, right):  # type: ignore[no-untyped-def]
    """Return which of two places has the higher count, or the left one of equals."""
    if right < 0 or (left >= 0 and counts[left] >= counts[right]):
        return left
    return right


@compiled
def _recount(tree, counts, leaves, place):  # type: ignore[no-untyped-def]
    """Carry a changed count up to the root of a tree of the most frequent places."""
    node = (leaves + place) // 2
    while node >= 1:
        tree[node] = _better(counts, tree[2 * node], tree[2 * node + 1])
        node //= 2


@compiled
def _local_codes(values, begin, end, place_of, codes):  # type: ignore[no-untyped-def]
    """Give the codes of a stretch of events places in their order; return how many there are."""
    found = 0
    for j in range(begin, end):
        if place_of[values[j]] < 0:
            place_of[values[j]] = 0
            codes[found] = values[j]
            found += 1
    codes[:found].sort()
    for place in range(found):
        place_of[codes[place]] = place
    return found


@compiled
def _empty_tree(places):  # type: ignore[no-untyped-def]
    """Return the number of leaves, counts for them, and a tree of which is the most frequent."""
    leaves = 1
    while leaves < places:
        leaves *= 2
    tree = np.full(2 * leaves, -1, np.int64)
    for place in range(places):
        tree[leaves + place] = place
    for node in range(leaves - 1, 0, -1):
        tree[node] = tree[2 * node]
    return leaves, np.zeros(leaves, np.int64), tree


@compiled
def sliding_mode(values, start, stop, categories):  # type: ignore[no-untyped-def]
    """Return the most frequent code in each window, the smallest of equals; -1 if there is none.

    A tree over the codes of each stretch of windows that hang together tells the most frequent
    one: a change costs the logarithm of how many these are.
    """
    n = len(start)
    modes = np.full(n, -1, np.int64)
    place_of = np.full(categories, -1, np.int64)
    codes = np.empty(categories, np.int64)
    i = 0
    while i < n:
        # The windows up to `until` overlap; together they cover the events from begin to end.
        begin, end, until = start[i], stop[i], i + 1
        while until < n and start[until] < end:
            end = max(end, stop[until])
            until += 1
        found = _local_codes(values, begin, end, place_of, codes)
        leaves, counts, tree = _empty_tree(found)
        low = high = begin
        for row in range(i, until):
            while high < stop[row]:
                place = place_of[values[high]]
                counts[place] += 1
                _recount(tree, counts, leaves, place)
                high += 1
            while low < start[row]:
                place = place_of[values[low]]
                counts[place] -= 1
                _recount(tree, counts, leaves, place)
                low += 1
            if high > low:
                modes[row] = codes[tree[1]]
        for place in range(found):
            place_of[codes[place]] = -1
        i = until
    return modes
