"""Newton's method: each step is one pass over rows that stay on the workers."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import TrainingError
from dmlkit.linear_model.coordinates import least_quadratic

__all__ = ["Least", "Problem", "Slope", "Start", "minimised"]

Vector = NDArray[np.float64]

#: A step that did not lower the loss is halved so often at most.
MOST_HALVINGS = 30

#: What a step must gain at least, as a share of what its slope promises (Armijo).
LEAST_GAIN = 1e-4

#: Of coordinate descent within a step; the next step goes on from there.
MOST_SWEEPS = 2_000

#: So near to the least, as a share of the loss that is still to gain, a Hessian is not taken again.
NEAR = 1e-3

#: A step with an earlier Hessian must leave at most so much of that share, else it is taken again.
LEFT = 0.05


class Slope(NamedTuple):
    """Loss and gradient over some rows, and the Hessian where it was asked for."""

    loss: float
    gradient: Vector
    hessian: Vector | None


class Start(NamedTuple):
    """A point to start from, unless its loss is above what is the most; then it leads astray."""

    point: Vector
    most: float = np.inf


class Least(NamedTuple):
    """Where a loss is least, and after how many passes that was found."""

    point: Vector
    passes: int


class Problem(Protocol):
    """A loss over all rows, to be made least."""

    @property
    def bends(self) -> bool:
        """Whether it may bend downwards."""
        ...

    @property
    def l1(self) -> Vector:
        """What the size of each number of a point costs; 0 where it costs nothing."""
        ...

    def at(self, point: Vector, *, curved: bool, expected: bool) -> Slope:
        """Look at all rows in one pass; what is not smooth, l1, is in the loss alone.

        Without `curved` there is no Hessian; with `expected` it is that of average labels.
        """
        ...


def minimised(
    problem: Problem, starts: Sequence[Start], tolerance: float, most_passes: int, name: str
) -> Least:
    """Find where a loss is least.

    Parameters
    ----------
    problem : Problem
    starts : sequence of Start
        The first that leads not astray is where it starts.
    tolerance : float
        A step that promises to lower the loss by less than the square of it, as a share, is the
        last one.
    most_passes : int
    name : str
        Of the model, for users.

    References
    ----------
    Lee, Sun, Saunders: *Proximal Newton-Type Methods for Minimizing Composite Functions*. SIAM
    Journal on Optimization 24, 2014.

    Raises
    ------
    TrainingError
        It took more passes than may be.
    """
    (here, most), *others = starts
    step, best, promised, share = np.zeros_like(here), np.inf, 0.0, 1.0
    passes, curved, expected, hessian = 0, True, False, np.empty(0)
    while passes < most_passes and share > 0.5**MOST_HALVINGS:
        passes += 1
        found = problem.at(here + share * step, curved=curved, expected=expected)
        if others and not found.loss <= most:
            (here, most), *others = others
            continue
        others = []
        if not _is_lower(found.loss, best, share * promised):
            share /= 2
            continue
        if found.hessian is not None:
            if problem.bends and not expected and _is_saddle(found.hessian):
                # Labels that are far off can bend a loss downwards: a step would lead astray.
                expected = True
                continue
            hessian = found.hessian
        here, best, share, expected = here + share * step, found.loss, 1.0, False
        step = _step(problem, found.gradient, hessian, here)
        before, promised = promised, _promise(problem, found.gradient, here, step)
        if promised <= tolerance**2 * best or _is_tiny(step, here, hessian):
            return Least(here + step, passes)
        # Near the least the Hessian hardly changes, and most of a pass is for it.
        keeps = found.hessian is not None or promised <= LEFT * before
        curved = not (keeps and promised <= NEAR * best)
    raise TrainingError(
        f"{name} did not converge in {passes} steps. Scale the columns (StandardScaler), "
        "strengthen the penalty, or raise max_iter."
    )


def _is_lower(loss: float, best: float, promised: float) -> bool:
    rounding = 1e-12 * abs(best)
    return bool(np.isfinite(loss) and loss <= best - LEAST_GAIN * promised + rounding)


def _promise(problem: Problem, gradient: Vector, here: Vector, step: Vector) -> float:
    """Return by how much the slope promises that a step lowers the loss."""
    cost = problem.l1 @ np.abs(here) - problem.l1 @ np.abs(here + step)
    return float(cost - gradient @ step)


def _step(problem: Problem, gradient: Vector, hessian: Vector, here: Vector) -> Vector:
    """Return the way to the least of the quadratic function that the slope tells of."""
    if not problem.l1.any():
        return -_solved(hessian, gradient)
    linear = gradient - hessian @ here
    least = least_quadratic(
        hessian, linear, problem.l1, here, positive=False, most_sweeps=MOST_SWEEPS
    )
    return least.point - here


def _solved(hessian: Vector, gradient: Vector) -> Vector:
    """Solve on columns of one size, so that small ones are not taken for collinear."""
    size = _sizes(hessian)
    scaled = hessian / np.outer(size, size)
    return np.linalg.lstsq(scaled, gradient / size, rcond=1e-14)[0] / size


def _sizes(hessian: Vector) -> Vector:
    diagonal = np.diag(hessian)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def _is_saddle(hessian: Vector) -> bool:
    if (np.diag(hessian) < 0).any():
        return True
    size = _sizes(hessian)
    curvatures = np.linalg.eigvalsh(hessian / np.outer(size, size))
    return bool(curvatures[0] < -1e-10 * max(curvatures[-1], 1.0))


def _is_tiny(step: Vector, here: Vector, hessian: Vector) -> bool:
    """Whether nothing but rounding is left, where a loss of 0 can't be fallen short of."""
    size = _sizes(hessian)
    return bool(np.abs(step * size).max() <= 1e-12 * np.abs(here * size).max())
