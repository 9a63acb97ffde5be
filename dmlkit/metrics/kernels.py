"""Loops over queries and their rows (numba). Arrays only.

Rows of a query lie side by side, those with the highest scores first; `starts` has where each query
begins and, last, the number of rows. Rows that tie have no order: a metric is its mean over all of
them, or takes them at once.
"""

import numpy as np
from numpy.typing import NDArray

from dmlkit.features.compiled import compiled

__all__ = ["average_precisions", "discounted_gains", "reciprocal_ranks"]

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@compiled
def discounted_gains(
    starts: Places, gain: Array, score: Array, most: int, normalised: bool
) -> Array:
    """Return the discounted cumulative gain of each query's first `most` rows.

    Parameters
    ----------
    gain, score : (n,) float64 array
    normalised : bool
        As a share of what the best order has; 0 where nothing is to be gained.
    """
    found = np.zeros(len(starts) - 1)
    for query in range(len(found)):
        first, last = starts[query], starts[query + 1]
        total, place = 0.0, first
        while place < last and place - first < most:
            end, gained, discount = place, 0.0, 0.0
            while end < last and score[end] == score[place]:
                gained += gain[end]
                if end - first < most:
                    discount += 1 / np.log2(end - first + 2.0)
                end += 1
            total += gained / (end - place) * discount
            place = end
        if normalised:
            best = 0.0
            for number, value in enumerate(np.sort(gain[first:last])[::-1][:most]):
                best += value / np.log2(number + 2.0)
            total = total / best if best > 0 else 0.0
        found[query] = total
    return found


@compiled
def reciprocal_ranks(starts: Places, relevant: NDArray[np.bool_], score: Array) -> Array:
    """Return one over the rank of each query's first relevant row; 0 where there is none."""
    found = np.zeros(len(starts) - 1)
    for query in range(len(found)):
        first, last = starts[query], starts[query + 1]
        place = first
        while place < last:
            end, hits = place, 0
            while end < last and score[end] == score[place]:
                hits += relevant[end]
                end += 1
            if hits:
                # The first of the hits is at each place with the chance that none came before.
                none_yet, left = 1.0, end - place
                for each in range(place, end):
                    chance = hits / left
                    found[query] += none_yet * chance / (each - first + 1)
                    none_yet *= 1 - chance
                    left -= 1
                    if none_yet <= 0:
                        break
                break
            place = end
    return found


@compiled
def average_precisions(starts: Places, relevant: NDArray[np.bool_], score: Array) -> Array:
    """Return the average precision of each query; 0 where no row is relevant."""
    found = np.zeros(len(starts) - 1)
    for query in range(len(found)):
        first, last = starts[query], starts[query + 1]
        place, hits = first, 0
        while place < last:
            end, more = place, 0
            while end < last and score[end] == score[place]:
                more += relevant[end]
                end += 1
            hits += more
            found[query] += more * hits / (end - first)
            place = end
        if hits:
            found[query] /= hits
    return found
