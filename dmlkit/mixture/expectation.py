"""Expectation and maximisation in one pass: rows are shared out, and their moments added up."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.clustering.held import Held
from dmlkit.clustering.kernels import nearest
from dmlkit.mixture.components import Components, log_densities, responsibilities

__all__ = ["Moments", "from_clusters", "log_likelihood", "maximised", "shared_out", "spread_of"]

Array = NDArray[np.float64]

#: Rows that are looked at together: with what is made of them they stay in a core's cache.
CHUNK = 1_024


class Moments(NamedTuple):
    """What rows add up to, by component.

    Attributes
    ----------
    log_likelihood : float
        Of all rows.
    weight : (components,) array
    sums : (components, features) array
        About the means before.
    squares : (components, features, features) or (components, features) array
        Products about the means before, or squares alone; empty for "tied", which needs none.
    """

    log_likelihood: float
    weight: Array
    sums: Array
    squares: Array


def shared_out(held: Held, components: Components) -> Moments:
    """Share rows out among components by their densities, and add moments up; one pass."""
    found: Moments = held.sum(_shared_out, _add, components, held.mean)
    return found


def from_clusters(held: Held, centres: Array, kind: str) -> Moments:
    """Add moments up about the nearest of some centres; one pass."""
    found: Moments = held.sum(_nearest, _add, centres, held.mean, kind)
    return found


def log_likelihood(held: Held, components: Components) -> float:
    """Return the logarithm of the density of all rows; one pass."""
    return float(held.sum(_log_likelihood, sum, components, held.mean))


def spread_of(held: Held) -> Array:
    """Return the sum of products about the mean of the table; one pass."""
    spread: Array = held.sum(_spread, _sum, held.mean)
    return spread


def maximised(
    moments: Moments, means: Array, kind: str, spread: Array, floor: float
) -> tuple[Array, Array, Array]:
    """Return weights, means and covariances that are likeliest for rows that were shared out.

    Parameters
    ----------
    moments : Moments
    means : (components, features) array
        What they are about.
    kind : str
    spread : (features, features) array
        Of all rows, for "tied".
    floor : float
        Is added to all variances.
    """
    weight = moments.weight + 10 * np.finfo(np.float64).eps
    moved = moments.sums / weight[:, None]
    after = means + moved
    features = means.shape[1]
    if kind == "tied":
        covariances = (spread - (after.T * weight) @ after) / weight.sum() + floor * np.eye(
            features
        )
    elif kind == "full":
        covariances = moments.squares / weight[:, None, None] + floor * np.eye(features)
        covariances -= moved[:, :, None] * moved[:, None, :]
    else:
        covariances = moments.squares / weight[:, None] - np.square(moved) + floor
        if kind == "spherical":
            covariances = covariances.mean(axis=1)
    return weight / weight.sum(), after, covariances


def _shared_out(values: Array, components: Components, origin: Array) -> Moments:
    moments = _nothing(components.means, components.kind)
    total = 0.0
    for start in range(0, len(values), CHUNK):
        rows = np.subtract(values[start : start + CHUNK], origin, dtype=np.float64)
        together, shares = responsibilities(log_densities(rows, components))
        total += float(together.sum())
        _add_rows(moments, rows, shares, components.means, components.kind)
    return moments._replace(log_likelihood=total)


def _nearest(values: Array, centres: Array, origin: Array, kind: str) -> Moments:
    moments = _nothing(centres, kind)
    places, _ = nearest(values, centres, origin)
    for start in range(0, len(values), CHUNK):
        rows = np.subtract(values[start : start + CHUNK], origin, dtype=np.float64)
        shares = np.eye(len(centres))[places[start : start + CHUNK]]
        _add_rows(moments, rows, shares, centres, kind)
    return moments


def _nothing(means: Array, kind: str) -> Moments:
    count, features = means.shape
    shape = {"full": (count, features, features), "tied": (0,)}.get(kind, means.shape)
    return Moments(0.0, np.zeros(count), np.zeros(means.shape), np.zeros(shape))


def _add_rows(moments: Moments, rows: Array, shares: Array, means: Array, kind: str) -> None:
    moments.weight[:] += shares.sum(axis=0)
    for number, mean in enumerate(means):
        apart, share = rows - mean, shares[:, number]
        moments.sums[number] += share @ apart
        if kind == "full":
            moments.squares[number] += (apart.T * share) @ apart
        elif kind != "tied":
            moments.squares[number] += share @ np.square(apart)


def _add(parts: Sequence[Moments]) -> Moments:
    total, *arrays = zip(*parts, strict=True)
    return Moments(sum(total), *(_sum(each) for each in arrays))


def _sum(parts: Sequence[Array]) -> Array:
    return np.sum(parts, axis=0)


def _log_likelihood(values: Array, components: Components, origin: Array) -> float:
    total = 0.0
    for start in range(0, len(values), CHUNK):
        rows = np.subtract(values[start : start + CHUNK], origin, dtype=np.float64)
        total += float(responsibilities(log_densities(rows, components))[0].sum())
    return total


def _spread(values: Array, origin: Array) -> Array:
    rows = np.subtract(values, origin, dtype=np.float64)
    return rows.T @ rows
