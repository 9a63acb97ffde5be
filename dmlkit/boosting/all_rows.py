"""Labels, scores and weights of all workers' rows, put together by collective sums."""

from typing import Any, NamedTuple

import numpy as np
from xgboost import DMatrix, collective

__all__ = ["AllRows", "summed", "weights_of"]

Array = np.ndarray[Any, np.dtype[Any]]


class Judged(NamedTuple):
    """Rows with what is needed to judge their scores: (n,) or, of `score`, (n, outputs) arrays."""

    label: Array
    score: Array
    weight: Array


class AllRows:
    """Brings rows together; labels and weights, which stay, only once for each matrix."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Array, Array]] = {}

    def count(self, score: Array) -> int:
        """Return the number of all workers' rows."""
        return int(_sizes(len(score)).sum())

    def judged(self, score: Array, matrix: DMatrix) -> Judged:
        """Return all rows; the same, in the same order, in each process."""
        sizes = _sizes(len(score))
        start, total = int(sizes[: collective.get_rank()].sum()), int(sizes.sum())
        if id(matrix) not in self._known:
            label, weight = matrix.get_label(), weights_of(matrix, len(score))
            self._known[id(matrix)] = (
                _at_own_place(label, start, total),
                _at_own_place(weight, start, total),
            )
        label, weight = self._known[id(matrix)]
        return Judged(label, _at_own_place(score.astype(np.float32), start, total), weight)


def weights_of(matrix: DMatrix, rows: int) -> Array:
    """Return a weight for each row, 1 where none is given."""
    weight = matrix.get_weight()
    return weight if len(weight) else np.ones(rows, dtype=np.float32)


def summed(values: Array) -> Array:
    """Return the sum of what all processes have."""
    if collective.get_world_size() == 1:
        return values
    return collective.allreduce(values, collective.Op.SUM)


def _sizes(rows: int) -> Array:
    own = np.array([rows], dtype=np.float64)
    return _at_own_place(own, int(collective.get_rank()), int(collective.get_world_size()))


def _at_own_place(values: Array, start: int, total: int) -> Array:
    """Put this process's values at their place among those of all."""
    slots = np.zeros((total, *values.shape[1:]), dtype=values.dtype)
    slots[start : start + len(values)] = values
    return summed(slots.reshape(-1)).reshape(slots.shape)
