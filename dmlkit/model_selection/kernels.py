"""Loops over groups (numba). Arrays only."""

import numpy as np
from numpy.typing import NDArray

from dmlkit.features.compiled import compiled

__all__ = ["dealt_out"]


@compiled
def dealt_out(counts: NDArray[np.int64], order: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Return the fold of each group: the one whose choice leaves the folds most alike.

    Parameters
    ----------
    counts : (groups, classes) int64 array
        Rows of each class.
    order : (groups,) int64 array
        In which groups are dealt out.
    folds : int
        Of those that are as good (as `numpy.isclose` has it), the one with the fewest rows.
    """
    groups, classes = counts.shape
    found = np.zeros(groups, np.int64)
    shares = np.zeros((folds, classes))
    sizes = np.zeros(folds)
    totals = counts.sum(axis=0)
    # Of shares over folds: the mean never changes with the fold that is chosen, squares do.
    sums, squares = np.zeros(classes), np.zeros(classes)
    for group in order:
        best, least, fewest = 0, np.inf, np.inf
        for fold in range(folds):
            apart = 0.0
            for each in range(classes):
                more = counts[group, each] / totals[each]
                before = shares[fold, each]
                square = squares[each] + more * (2 * before + more)
                mean = (sums[each] + more) / folds
                apart += np.sqrt(max(square / folds - mean * mean, 0.0))
            apart /= classes
            close = abs(apart - least) <= 1e-8 + 1e-5 * abs(least)
            if apart < least or (close and sizes[fold] < fewest):
                best, least, fewest = fold, apart, sizes[fold]
        found[group] = best
        for each in range(classes):
            more = counts[group, each] / totals[each]
            before = shares[best, each]
            sums[each] += more
            squares[each] += more * (2 * before + more)
            shares[best, each] = before + more
            sizes[best] += counts[group, each]
    return found
