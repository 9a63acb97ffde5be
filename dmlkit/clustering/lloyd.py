"""Lloyd's algorithm: centres move to the means of the rows nearest to them, pass after pass."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.clustering.held import Held
from dmlkit.clustering.kernels import nearest, nearest_sums
from dmlkit.graph import add_up, for_each

__all__ = ["Settled", "inertia_of", "settle"]

Array = NDArray[np.float64]


class Settled(NamedTuple):
    """Where centres ended, about the mean of the table, and after how many passes."""

    centres: Array
    iterations: int


class Farthest(NamedTuple):
    """The rows farthest from their centres: the farthest first, the earlier first in a tie."""

    squares: Array
    positions: NDArray[np.int64]
    places: NDArray[np.int32]
    values: Array
    weights: Array


def settle(held: Held, centres: Array, iterations: int, tolerance: float) -> Settled:
    """Move centres until they move no more.

    Parameters
    ----------
    held : Held
    centres : (clusters, features) array
        Where they start, about the mean of the table.
    iterations : int
        Passes, at most.
    tolerance : float
        A sum of squared moves that is taken for none, as a share of the columns' mean variance.
    """
    least = tolerance * float(held.variance.mean())
    number, way = 0, np.inf
    while number < iterations and way > least:
        number += 1
        sums, counts = held.sum(nearest_sums, _add, held.weights, centres, held.mean)
        if (counts == 0).any():
            sums, counts = _filled(held, centres, sums, counts)
        moved = _means(sums, counts, centres)
        way = float(np.square(moved - centres).sum())
        centres = moved
    return Settled(centres, number)


def inertia_of(held: Held, centres: Array) -> float:
    """Return the sum of squared distances of rows to their nearest centres, in one pass."""
    return float(held.sum(_inertia, sum, held.weights, centres, held.mean))


def _filled(held: Held, centres: Array, sums: Array, counts: Array) -> tuple[Array, Array]:
    """Give each centre that no row is nearest to one of the farthest rows, as scikit-learn does."""
    empty = np.flatnonzero(counts == 0)
    looks = for_each(
        _farthest, held.parts, held.weights, held.starts, centres, held.mean, len(empty)
    )
    found: Farthest = held.compute(add_up(looks, _most, len(empty)))[0]
    sums, counts = sums.copy(), counts.copy()
    for centre, square, place, row, weight in zip(
        empty, found.squares, found.places, found.values, found.weights, strict=False
    ):
        if square == 0:  # all rows lie on centres
            break
        sums[place] -= row * weight
        counts[place] -= weight
        sums[centre], counts[centre] = row * weight, weight
    return sums, counts


def _add(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    sums, counts = zip(*parts, strict=True)
    return np.sum(sums, axis=0), np.sum(counts, axis=0)


def _means(sums: Array, counts: Array, centres: Array) -> Array:
    """Return the means of rows by centre; one without rows stays where it is."""
    there = counts > 0
    return np.where(there[:, None], sums / np.where(there, counts, 1.0)[:, None], centres)


def _inertia(values: Array, weights: Array | None, centres: Array, mean: Array) -> float:
    squares = nearest(values, centres, mean)[1]
    return float(squares.sum() if weights is None else weights @ squares)


def _farthest(
    values: Array, weights: Array | None, start: int, centres: Array, mean: Array, most: int
) -> Farthest:
    places, squares = nearest(values, centres, mean)
    first = np.argsort(-squares, kind="stable")[:most]
    count = np.ones(len(first)) if weights is None else weights[first]
    return Farthest(squares[first], start + first, places[first], values[first] - mean, count)


def _most(parts: Sequence[Farthest], most: int) -> Farthest:
    squares, positions, *others = map(np.concatenate, zip(*parts, strict=True))
    first = np.lexsort((positions, -squares))[:most]
    return Farthest(squares[first], positions[first], *(each[first] for each in others))
