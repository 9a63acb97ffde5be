"""Row loops of k-means (numba and BLAS). Arrays only."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dmlkit.features.compiled import compiled
from dmlkit.linear_model.kernels import take_about

__all__ = ["distances", "nearest", "nearest_sums"]

Array = NDArray[np.float64]

#: Rows that are looked at together: with their products they stay in a core's cache.
CHUNK = 1_024


def nearest(values: Array, centres: Array, origin: Array) -> tuple[NDArray[np.int32], Array]:
    """Return the number of each row's nearest centre, and the squared distance to it.

    Parameters
    ----------
    values : (n, features) float32 or float64 array
    centres : (centres, features) float64 array
        About the origin; of centres at the same distance the first one counts.
    origin : (features,) float64 array
        Some place amidst the rows: about it, distances lose no digits.
    """
    places, squares = np.empty(len(values), np.int32), np.empty(len(values))
    for start, rows, near in _chunks(values, centres, origin):
        places[start : start + len(rows)] = near
        _squares(rows, centres, near, squares[start : start + len(rows)])
    return places, squares


def nearest_sums(
    values: Array, weights: Array | None, centres: Array, origin: Array
) -> tuple[Array, Array]:
    """Return the sums, about the origin, and the number of the rows nearest to each centre.

    Parameters
    ----------
    weights : (n,) float64 array or None
        What a row counts for, if not 1.
    values, centres, origin
        As of `nearest`.
    """
    sums, counts = np.zeros(centres.shape), np.zeros(len(centres))
    for start, rows, near in _chunks(values, centres, origin):
        if weights is None:
            _add_rows(rows, near, sums, counts)
        else:
            _add_weighted(rows, weights[start : start + len(rows)], near, sums, counts)
    return sums, counts


def distances(values: Array, centres: Array, origin: Array) -> Array:
    """Return the distance of each row to each centre, as (n, centres).

    The parameters are those of `nearest`.
    """
    found = np.empty((len(values), len(centres)))
    _distances(np.subtract(values, origin, order="C"), centres, found)
    return found


def _chunks(
    values: Array, centres: Array, origin: Array
) -> Iterator[tuple[int, Array, NDArray[np.int32]]]:
    """Yield where each chunk starts, its rows about the origin, and their nearest centres.

    The array of rows is used again for the next ones.
    """
    turned = np.ascontiguousarray(centres.T)
    halves = np.einsum("ij,ij->i", centres, centres) / 2
    buffer = np.empty((min(CHUNK, len(values)), values.shape[1]))
    for start in range(0, len(values), CHUNK):
        rows = buffer[: min(CHUNK, len(values) - start)]
        take_about(values[start : start + CHUNK], origin, rows)
        near = np.empty(len(rows), np.int32)
        _pick(rows @ turned, halves, near)
        yield start, rows, near


@compiled
def _pick(products: Array, halves: Array, near: NDArray[np.int32]) -> None:
    """Pick the centre with the least of half the squared distance, less half the row's length."""
    for row in range(products.shape[0]):
        least, place = halves[0] - products[row, 0], 0
        for centre in range(1, products.shape[1]):
            found = halves[centre] - products[row, centre]
            if found < least:
                least, place = found, centre
        near[row] = place


@compiled
def _squares(rows: Array, centres: Array, near: NDArray[np.int32], squares: Array) -> None:
    for row in range(rows.shape[0]):
        total = 0.0
        for column in range(rows.shape[1]):
            apart = rows[row, column] - centres[near[row], column]
            total += apart * apart
        squares[row] = total


@compiled
def _add_rows(rows: Array, near: NDArray[np.int32], sums: Array, counts: Array) -> None:
    for row in range(rows.shape[0]):
        place = near[row]
        counts[place] += 1
        for column in range(rows.shape[1]):
            sums[place, column] += rows[row, column]


@compiled
def _add_weighted(
    rows: Array, weights: Array, near: NDArray[np.int32], sums: Array, counts: Array
) -> None:
    for row in range(rows.shape[0]):
        place = near[row]
        counts[place] += weights[row]
        for column in range(rows.shape[1]):
            sums[place, column] += rows[row, column] * weights[row]


@compiled
def _distances(rows: Array, centres: Array, found: Array) -> None:
    for row in range(rows.shape[0]):
        for centre in range(centres.shape[0]):
            total = 0.0
            for column in range(rows.shape[1]):
                apart = rows[row, column] - centres[centre, column]
                total += apart * apart
            found[row, centre] = np.sqrt(total)
