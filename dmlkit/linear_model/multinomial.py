"""The loss of several classes, with penalties: a margin for each class and row."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.linear_model.blocks import Block, Blocks
from dmlkit.linear_model.chunks import chunks_of
from dmlkit.linear_model.newton import Slope
from dmlkit.linear_model.penalised import added

__all__ = ["Multinomial"]

Vector = NDArray[np.float64]

#: Rows for each number of a point that tell the Hessian; it steers steps, and where they end is
#: told by the gradient of all rows.
ROWS_FOR_EACH = 50


@dataclass(frozen=True)
class Multinomial:
    """A loss over all rows, to be made least.

    A point is the coefficients and the intercept of the first class, then of the second, and so on.

    Attributes
    ----------
    blocks : Blocks
        Labels are 0, 1, 2 ...
    rows : int
    classes : int
    penalties, centre, fit_intercept
        As of `Penalised`.
    """

    blocks: Blocks
    rows: int
    classes: int
    penalties: tuple[float, float]
    centre: Vector
    fit_intercept: bool

    #: It never bends downwards.
    bends = False

    @property
    def l1(self) -> Vector:
        """What the size of each number of a point costs."""
        return self._for_each(self.penalties[0])

    def at(self, point: Vector, *, curved: bool, expected: bool = False) -> Slope:  # noqa: ARG002
        """Look at all rows in one pass; what is not smooth, l1, is in the loss alone."""
        shaped = point.reshape(self.classes, -1)
        # With L1 a step may go where a Hessian of some rows is flat and that of all is not.
        some = 1 if self.penalties[0] else max(1, self.rows // (ROWS_FOR_EACH * len(point)))
        every = some if curved else 0
        found: Slope = self.blocks.sum(
            _slope, added, shaped, self.centre, self.fit_intercept, every
        )
        penalty = self._for_each(self.penalties[1])
        hessian = found.hessian
        if hessian is not None:
            hessian = self._pinned(hessian) + np.diag(penalty)
        return Slope(
            found.loss + float(penalty @ point**2) / 2 + float(self.l1 @ np.abs(point)),
            found.gradient + penalty * point,
            hessian,
        )

    def start(self) -> Vector:
        """Return the point at which no column counts, and all classes are as likely."""
        return np.zeros(self.classes * (len(self.centre) + 1))

    def of_share(self, blocks: Blocks, share: float) -> Self:
        """Return the same for a share of the rows."""
        l1, l2 = self.penalties
        rows = int(self.rows * share)
        return replace(self, blocks=blocks, rows=rows, penalties=(l1 * share, l2 * share))

    def about_zero(self, point: Vector) -> tuple[Vector, Vector]:
        """Return coefficients and intercepts of columns as they are.

        What is the same for all classes makes no difference: there it is 0 on average.
        """
        shaped = point.reshape(self.classes, -1)
        coefficients = shaped[:, :-1]
        if not any(self.penalties):
            coefficients = coefficients - coefficients.mean(axis=0)
        intercepts = shaped[:, -1] - coefficients @ self.centre
        return coefficients, intercepts - intercepts.mean() * float(self.fit_intercept)

    def _pinned(self, hessian: Vector) -> Vector:
        """Give curvature to moving all classes alike, which changes no loss.

        No step goes there: gradients are 0 in that direction. But the Hessian gets an inverse.
        """
        size = len(self.centre) + 1
        blocks = hessian.reshape(self.classes, size, self.classes, size)
        # Of some rows it is not quite flat in that direction.
        blocks -= blocks.mean(axis=0, keepdims=True)
        blocks -= blocks.mean(axis=2, keepdims=True)
        first = size - 1 if self.penalties[0] else 0
        for column in range(first, size):
            own = np.einsum("kk", blocks[:, column, :, column]) / self.classes
            blocks[:, column, :, column] += own / self.classes
        return hessian

    def _for_each(self, penalty: float) -> Vector:
        of_class = np.append(np.full(len(self.centre), penalty), 0.0)
        return np.tile(of_class, self.classes)


def _slope(block: Block, points: Vector, centre: Vector, fit_intercept: bool, every: int) -> Slope:
    """Look at a block; the Hessian is told by every so-manyth row, and there is none for 0."""
    size = points.size
    total, gradient = 0.0, np.zeros_like(points)
    hessian, diagonal = np.zeros((size, size)), np.zeros_like(points)
    for design, label, weight in chunks_of(block, centre, fit_intercept):
        margins = design @ points.T
        highest = margins.max(axis=1, keepdims=True)
        chances = np.exp(margins - highest)
        sums = chances.sum(axis=1, keepdims=True)
        chances /= sums
        rows, own = np.arange(len(label)), label.astype(np.int64)
        losses = np.log(sums[:, 0]) + highest[:, 0] - margins[rows, own]
        total += float(weight @ losses)
        if every:
            some = slice(None, None, every)
            _add_curvature(hessian, design[some], chances[some], weight[some])
            diagonal += (weight[:, None] * chances * (1 - chances)).T @ np.square(design)
        chances[rows, own] -= 1
        gradient += (chances * weight[:, None]).T @ design
    curvature = _with_diagonal(hessian, diagonal.ravel()) if every else None
    return Slope(total, gradient.ravel(), curvature)


def _add_curvature(hessian: Vector, design: Vector, chances: Vector, weight: Vector) -> None:
    rows, size = design.shape
    roots = np.sqrt(weight)[:, None] * chances
    both = (roots[:, :, None] * design[:, None, :]).reshape(rows, -1)
    hessian -= both.T @ both
    for number in range(chances.shape[1]):
        of_class = slice(number * size, (number + 1) * size)
        half = design * np.sqrt(weight * chances[:, number])[:, None]
        hessian[of_class, of_class] += half.T @ half


def _with_diagonal(hessian: Vector, diagonal: Vector) -> Vector:
    """Give the Hessian of some rows the diagonal of all: what few rows have is not left out."""
    own = np.diag(hessian)
    there = own > 0
    scale = np.sqrt(np.where(there, diagonal / np.where(there, own, 1.0), 0.0))
    whole = hessian * np.outer(scale, scale)
    np.fill_diagonal(whole, diagonal)
    return whole
