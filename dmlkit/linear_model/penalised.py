"""Losses of one margin a row, with penalties: two classes, counts, amounts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.linear_model.blocks import Block, Blocks
from dmlkit.linear_model.chunks import chunks_of
from dmlkit.linear_model.losses import Loss
from dmlkit.linear_model.newton import Slope

__all__ = ["Penalised", "Totals", "added", "totals_of"]

Vector = NDArray[np.float64]


class Totals(NamedTuple):
    """What is to be known of a table before the first step.

    Attributes
    ----------
    rows, outside : int
        All of them, and those with a label that the loss is not defined for.
    weight, weighted_labels : float
    weighted : (features,) float64 array
        Sums of the columns.
    """

    rows: int
    outside: int
    weight: float
    weighted_labels: float
    weighted: Vector

    def centre(self, fit_intercept: bool) -> Vector:
        """Return the columns' means; 0 where no intercept could make up for them."""
        return self.weighted / self.weight * float(fit_intercept)


@dataclass(frozen=True)
class Penalised:
    """A loss over all rows, to be made least. A point is the coefficients, the intercept last.

    Attributes
    ----------
    blocks : Blocks
    loss : Loss
    penalties : tuple of float
        What each coefficient's size costs (L1), and half of its square; the intercept costs
        nothing.
    centre : (features,) float64 array
        Columns are taken about it, so that large numbers with a small spread lose no digits.
    fit_intercept : bool
    """

    blocks: Blocks
    loss: Loss
    penalties: tuple[float, float]
    centre: Vector
    fit_intercept: bool

    @property
    def bends(self) -> bool:
        """Whether the loss may bend downwards."""
        return self.loss.bends

    @property
    def l1(self) -> Vector:
        """What the size of each number of a point costs."""
        return self._for_each(self.penalties[0])

    def at(self, point: Vector, *, curved: bool, expected: bool = False) -> Slope:
        """Look at all rows in one pass; what is not smooth, l1, is in the loss alone."""
        found: Slope = self.blocks.sum(
            _slope, added, self.loss, point, self.centre, self.fit_intercept, curved, expected
        )
        penalty = self._for_each(self.penalties[1])
        return Slope(
            found.loss + float(penalty @ point**2) / 2 + float(self.l1 @ np.abs(point)),
            found.gradient + penalty * point,
            None if found.hessian is None else found.hessian + np.diag(penalty),
        )

    def start(self, intercept: float = 0.0) -> Vector:
        """Return the point at which no column counts."""
        return np.append(np.zeros(len(self.centre)), intercept)

    def of_share(self, blocks: Blocks, share: float) -> Self:
        """Return the same for a share of the rows."""
        l1, l2 = self.penalties
        return replace(self, blocks=blocks, penalties=(l1 * share, l2 * share))

    def about_zero(self, point: Vector) -> tuple[Vector, float]:
        """Return the coefficients and the intercept of columns as they are."""
        coefficients = point[:-1]
        return coefficients, float(point[-1] - self.centre @ coefficients)

    def _for_each(self, penalty: float) -> Vector:
        return np.append(np.full(len(self.centre), penalty), 0.0)


def totals_of(blocks: Blocks, loss: Loss | None = None) -> Totals:
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


def added(parts: Sequence[Slope]) -> Slope:
    """Add slopes up."""
    losses, gradients, hessians = zip(*parts, strict=True)
    hessian = None if hessians[0] is None else reduce(np.add, hessians)
    return Slope(float(sum(losses)), reduce(np.add, gradients), hessian)


def _totals(block: Block, loss: Loss | None) -> Totals:
    nothing = np.zeros(block.design.shape[1])
    chunks = chunks_of(block, nothing, fit_intercept=False)
    sums = [chunk.weight @ chunk.design[:, :-1] for chunk in chunks]
    return Totals(
        len(block.label),
        0 if loss is None else loss.outside(block.label),
        float(block.weight.sum()),
        float(block.weight @ block.label),
        reduce(np.add, sums, nothing),
    )


def _all_totals(parts: Sequence[Totals]) -> Totals:
    return Totals(*(reduce(np.add, each) for each in zip(*parts, strict=True)))


def _slope(
    block: Block,
    loss: Loss,
    point: Vector,
    centre: Vector,
    fit_intercept: bool,
    curved: bool,
    expected: bool,
) -> Slope:
    size = len(point)
    total, gradient, hessian = 0.0, np.zeros(size), np.zeros((size, size)) if curved else None
    for design, label, weight in chunks_of(block, centre, fit_intercept):
        losses = loss.of(label, design @ point, expected=expected)
        total += float(weight @ losses.value)
        gradient += (weight * losses.slope) @ design
        if hessian is not None:
            hessian += _curvature(design, weight * losses.curvature)
    return Slope(total, gradient, hessian)


def _curvature(design: Vector, curvature: Vector) -> Vector:
    if (curvature < 0).any():
        return (design.T * curvature) @ design
    half = design * np.sqrt(curvature)[:, None]
    product: Vector = half.T @ half  # BLAS sees that it is symmetric, and does half the work
    return product
