"""Row loops for totals over the series of a group (numba): exact, in whatever order. Arrays only.

A value is written as three whole numbers, of units of ``2**20``, ``2**-20`` and ``2**-60``. Those
add up without rounding, and so totals are the same whichever part of the series is added first:
they do not depend on partitions.
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = ["LIMBS", "add_exactly", "means_of", "totals_of"]

#: Of a total: three whole numbers, and how many values are in it.
LIMBS = 4

#: A larger value is taken for this one: four million of them still add up.
LARGEST = 2.0**60


@compiled
def add_exactly(values, places, sums):  # type: ignore[no-untyped-def]
    """Add each known value to the total at its place.

    Parameters
    ----------
    values : (n,) float64 array
    places : (n,) int64 array
        Below 0 for values that are left out.
    sums : (m, 4) int64 array
        Changed.
    """
    for i in range(len(values)):
        place, rest = places[i], values[i]
        if place < 0 or not np.isfinite(rest):
            continue
        rest = min(max(rest, -LARGEST), LARGEST)
        high = np.rint(rest * 2.0**-20)
        rest -= high * 2.0**20
        middle = np.rint(rest * 2.0**20)
        rest -= middle * 2.0**-20
        sums[place, 0] += np.int64(high)
        sums[place, 1] += np.int64(middle)
        sums[place, 2] += np.int64(np.rint(rest * 2.0**60))
        sums[place, 3] += 1


@compiled
def totals_of(sums):  # type: ignore[no-untyped-def]
    """Return totals as doubles, missing where there is no value: an (m,) float64 array."""
    totals = np.full(len(sums), np.nan)
    for i in range(len(sums)):
        if sums[i, 3] > 0:
            small = sums[i, 1] * 2.0**-20 + sums[i, 2] * 2.0**-60
            totals[i] = sums[i, 0] * 2.0**20 + small
    return totals


def means_of(sums: np.ndarray) -> np.ndarray:
    """Return means as doubles, missing where there is no value: an (m,) float64 array."""
    return np.asarray(totals_of(sums) / np.maximum(sums[:, 3], 1))
