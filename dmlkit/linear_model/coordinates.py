"""The least of a quadratic function with an L1 penalty. Arrays only, with an entry a column."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from dmlkit.features.compiled import compiled

__all__ = ["Least", "least_quadratic"]

Vector = NDArray[np.float64]

#: Sweeps over all coordinates after which signs are looked at.
SWEEPS = 8

#: Of the steepest slope: what is taken for none.
ROUNDING = 1e-9


class Least(NamedTuple):
    """Where a function is least, after how many sweeps, and whether it is so there."""

    point: Vector
    sweeps: int
    settled: bool


def least_quadratic(
    hessian: Vector, linear: Vector, l1: Vector, start: Vector, *, positive: bool, most_sweeps: int
) -> Least:
    """Find the least of ``point @ hessian @ point / 2 + linear @ point + l1 @ abs(point)``.

    Coordinate descent finds which coordinates are not 0, and their signs. With these known the rest
    is a linear system: its solution is exact, however slow the descent would be.

    Parameters
    ----------
    hessian : (n, n) array
        Symmetric, with no negative curvature.
    linear, l1, start : (n,) array
        A coordinate with an l1 of 0 is free.
    positive : bool
        Whether no coordinate may be below 0.
    most_sweeps : int

    References
    ----------
    Friedman, Hastie, Tibshirani: *Regularization Paths for Generalized Linear Models via Coordinate
    Descent*. Journal of Statistical Software 33, 2010.

    Examples
    --------
    >>> hessian, linear = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([-4.0, -2.5])
    >>> least_quadratic(
    ...     hessian, linear, np.ones(2), np.zeros(2), positive=False, most_sweeps=100
    ... ).point.tolist()
    [1.5, 0.0]
    """
    # Coordinates of one size, so that what is small does not depend on their units.
    diagonal = np.diag(hessian)
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    hessian = np.ascontiguousarray(hessian / np.outer(size, size))
    linear, l1, point = linear / size, l1 / size, start * size
    bound = (l1 > 0) | positive
    done = 0
    while True:
        if _solve_with_signs(hessian, linear, l1, point, bound) and _is_least(
            hessian, linear, l1, point, positive
        ):
            return Least(point / size, done, settled=True)
        if done >= most_sweeps:
            return Least(point / size, done, settled=False)
        sweeps = min(SWEEPS, most_sweeps - done)
        settled, done = _descend(hessian, linear, l1, point, positive, sweeps), done + sweeps
        if settled:
            return Least(point / size, done, settled=True)


def _solve_with_signs(
    hessian: Vector, linear: Vector, l1: Vector, point: Vector, bound: NDArray[np.bool_]
) -> bool:
    """Go to where it is least with the signs that there are; what gets to 0 on the way stays there.

    False where that is not one place.
    """
    while True:
        there = (point != 0) | ~bound
        signs = np.where(bound, np.sign(point), 1.0)
        try:
            factor = scipy.linalg.cho_factor(hessian[np.ix_(there, there)])
        except scipy.linalg.LinAlgError:
            return False
        target = np.zeros_like(point)
        target[there] = scipy.linalg.cho_solve(factor, -(linear + l1 * signs)[there])
        turned = np.flatnonzero(there & bound & (target * signs <= 0))
        if not len(turned):
            point[:] = target
            return True
        share = point[turned] / (point[turned] - target[turned])
        point += share.min() * (target - point)
        point[turned[share == share.min()]] = 0.0


def _is_least(hessian: Vector, linear: Vector, l1: Vector, point: Vector, positive: bool) -> bool:
    slope = hessian @ point + linear
    rounding = ROUNDING * np.abs(linear).max(initial=0)
    # Coordinates stay at 0 where the slope is less than l1, or would take them where none may go.
    steepest = np.inf if positive else l1
    pull = -l1 * np.sign(point)
    low = np.where(point != 0, pull, -l1) - rounding
    high = np.where(point != 0, pull, steepest) + rounding
    return bool(((low <= slope) & (slope <= high)).all())


@compiled
def _descend(
    hessian: Vector, linear: Vector, l1: Vector, point: Vector, positive: bool, sweeps: int
) -> bool:
    """Move one coordinate after the other to where it is best; say whether they have settled."""
    slope = hessian @ point + linear
    for _ in range(sweeps):
        farthest, largest = 0.0, 0.0
        for place in range(len(point)):
            curvature, before = hessian[place, place], point[place]
            if curvature <= 0:
                continue
            pull = curvature * before - slope[place]
            now = np.sign(pull) * max(abs(pull) - l1[place], 0.0) / curvature
            if positive and now < 0:
                now = 0.0
            if now != before:
                slope += hessian[place] * (now - before)
                point[place] = now
            farthest = max(farthest, abs(now - before))
            largest = max(largest, abs(now))
        if farthest <= 1e-13 * largest:
            return True
    return False
