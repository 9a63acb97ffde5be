"""Newton's method over the partitions: each step is one pass over rows that stay on the workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import InputError, TrainingError
from dmlkit.linear_model.blocks import Block, Blocks
from dmlkit.linear_model.coordinates import least_quadratic
from dmlkit.linear_model.losses import Loss

__all__ = ["Minimum", "Penalised", "Totals", "minimised", "totals_of"]

Vector = NDArray[np.float64]

#: A step that did not lower the loss is halved so often at most.
MOST_HALVINGS = 30

#: What a step must gain at least, as a share of what its slope promises (Armijo).
LEAST_GAIN = 1e-4

#: Of coordinate descent within a step; the next step goes on from there.
MOST_SWEEPS = 2_000

#: Rows that are looked at together: with their products they stay in a core's cache.
CHUNK = 2_048


class Totals(NamedTuple):
    """What is to be known of a table before the first step.

    Attributes
    ----------
    rows, outside : int
        All of them, and those with a label that the loss is not defined for.
    labels : float
        Their sum.
    weight, weighted_labels : float
    weighted : (features,) float64 array
        Sums of the columns.
    """

    rows: int
    outside: int
    labels: float
    weight: float
    weighted_labels: float
    weighted: Vector

    def centre(self, fit_intercept: bool) -> Vector:
        """Return the columns' means; 0 where no intercept could make up for them."""
        return self.weighted / self.weight * float(fit_intercept)


class Slope(NamedTuple):
    """Loss, gradient and Hessian over some rows, the intercept's entry last."""

    loss: float
    gradient: Vector
    hessian: Vector


class Minimum(NamedTuple):
    """Where a loss is least, and after how many passes that was found."""

    coefficients: Vector
    intercept: float
    passes: int


@dataclass(frozen=True)
class Penalised:
    """A loss over all rows, to be made least.

    Attributes
    ----------
    blocks : Blocks
    loss : Loss
    l1, l2 : float
        What each coefficient's size costs, and half of its square; the intercept costs nothing.
    centre : (features,) float64 array
        Columns are taken about it, so that large numbers with a small spread lose no digits.
    fit_intercept : bool
    """

    blocks: Blocks
    loss: Loss
    l1: float
    l2: float
    centre: Vector
    fit_intercept: bool

    def at(self, point: Vector, *, expected: bool = False) -> Slope:
        """Look at all rows; what is not smooth, l1, is in the loss alone."""
        found: Slope = self.blocks.sum(
            _slope, _add, self.loss, point, self.centre, self.fit_intercept, expected
        )
        penalty = self.for_each(self.l2)
        return Slope(
            found.loss + float(penalty @ point**2) / 2 + self.l1_at(point),
            found.gradient + penalty * point,
            found.hessian + np.diag(penalty),
        )

    def l1_at(self, point: Vector) -> float:
        """Return what the sizes of coefficients cost."""
        return self.l1 * float(np.abs(point[:-1]).sum())

    def for_each(self, penalty: float) -> Vector:
        """Return a penalty for each coefficient, and none for the intercept."""
        return np.append(np.full(len(self.centre), penalty), 0.0)


def totals_of(blocks: Blocks, loss: Loss) -> Totals:
    """Add up rows and labels in one pass.

    Raises
    ------
    InputError
        There is no row, or none with a weight.
    """
    totals: Totals = blocks.sum(_totals, _all_totals, loss)
    if not totals.weight > 0:
        raise InputError(
            "There is no row to train on, or none with a weight. Look at the filters before it."
        )
    return totals


def minimised(
    penalised: Penalised, intercept: float, tolerance: float, most_passes: int, name: str
) -> Minimum:
    """Find where a loss is least.

    Parameters
    ----------
    penalised : Penalised
    intercept : float
        Where it starts; coefficients start from 0.
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
    here = np.append(np.zeros(len(penalised.centre)), intercept)
    step, best, promised, share = np.zeros_like(here), np.inf, 0.0, 1.0
    passes, expected = 0, False
    while passes < most_passes and share > 0.5**MOST_HALVINGS:
        passes += 1
        found = penalised.at(here + share * step, expected=expected)
        if not _is_lower(found.loss, best, share * promised):
            share /= 2
            continue
        if not expected and _is_saddle(found.hessian):
            # Labels that are far off can bend a loss downwards: there a step would lead astray.
            expected = True
            continue
        here, best, share, expected = here + share * step, found.loss, 1.0, False
        step = _step(penalised, found, here)
        promised = penalised.l1_at(here) - penalised.l1_at(here + step)
        promised -= float(found.gradient @ step)
        if promised <= tolerance**2 * best or _is_tiny(step, here, found.hessian):
            return _about_zero(penalised, here + step, passes)
    raise TrainingError(
        f"{name} did not converge in {passes} steps. Scale the columns (StandardScaler), "
        "strengthen the penalty, or raise max_iter."
    )


def _is_lower(loss: float, best: float, promised: float) -> bool:
    rounding = 1e-12 * abs(best)
    return bool(np.isfinite(loss) and loss <= best - LEAST_GAIN * promised + rounding)


def _about_zero(penalised: Penalised, point: Vector, passes: int) -> Minimum:
    coefficients = point[:-1]
    return Minimum(coefficients, float(point[-1] - penalised.centre @ coefficients), passes)


def _step(penalised: Penalised, found: Slope, here: Vector) -> Vector:
    """Return the way to the least of the quadratic function that the slope tells of."""
    if penalised.l1 == 0:
        return -_solved(found.hessian, found.gradient)
    linear = found.gradient - found.hessian @ here
    l1 = penalised.for_each(penalised.l1)
    least = least_quadratic(
        found.hessian, linear, l1, here, positive=False, most_sweeps=MOST_SWEEPS
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


def _totals(block: Block, loss: Loss) -> Totals:
    return Totals(
        len(block.label),
        loss.outside(block.label),
        float(block.label.sum()),
        float(block.weight.sum()),
        float(block.weight @ block.label),
        block.weight @ block.design,
    )


def _all_totals(parts: Sequence[Totals]) -> Totals:
    return Totals(*(reduce(np.add, each) for each in zip(*parts, strict=True)))


def _slope(
    block: Block, loss: Loss, point: Vector, centre: Vector, fit_intercept: bool, expected: bool
) -> Slope:
    rows, size = len(block.label), len(point)
    total, gradient, hessian = 0.0, np.zeros(size), np.zeros((size, size))
    # The last column is the intercept's.
    design = np.full((min(CHUNK, rows), size), float(fit_intercept))
    for start in range(0, rows, CHUNK):
        chunk = slice(start, start + CHUNK)
        label, weight = block.label[chunk], block.weight[chunk]
        design = design[: len(label)]
        np.subtract(block.design[chunk], centre, out=design[:, :-1])
        losses = loss.of(label, design @ point, expected=expected)
        total += float(weight @ losses.value)
        gradient += (weight * losses.slope) @ design
        hessian += (design.T * (weight * losses.curvature)) @ design
    return Slope(total, gradient, hessian)


def _add(parts: Sequence[Slope]) -> Slope:
    loss, gradient, hessian = (reduce(np.add, each) for each in zip(*parts, strict=True))
    return Slope(float(loss), gradient, hessian)
