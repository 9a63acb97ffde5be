"""k-means||: the centres that k-means starts from, drawn in few passes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import sklearn.cluster
from numpy.typing import NDArray

from dmlkit.clustering.held import Held
from dmlkit.clustering.kernels import nearest
from dmlkit.errors import InputError
from dmlkit.graph import add_up, for_each
from dmlkit.positions import chances

__all__ = ["initial_centres"]

Array = NDArray[np.float64]


class Near(NamedTuple):
    """Of each row of a part: the nearest candidate and the squared distance to it."""

    places: NDArray[np.int32]
    squares: Array


class Drawn(NamedTuple):
    """Rows that were drawn, by their position in the table."""

    positions: NDArray[np.int64]
    values: Array


def initial_centres(
    held: Held, clusters: int, oversampling: float, rounds: int, seed: int
) -> Array:
    """Return centres about the mean of the table.

    Each round draws rows, the more likely the farther they are from those drawn before and the
    more they count for; in the end all that were drawn, weighted by the rows that are nearest to
    them, are clustered here.

    Parameters
    ----------
    held : Held
    clusters : int
    oversampling : float
        Rows that a round draws, for each cluster.
    rounds : int
        More are done only where they have drawn too few.
    seed : int

    Raises
    ------
    InputError
        There are fewer different rows than clusters.

    References
    ----------
    Bahmani, Moseley, Vattani, Kumar, Vassilvitskii: *Scalable K-Means++*. VLDB 2012.
    """
    first = int(chances(0, 1, seed, draw=0)[0] * held.rows)
    candidates = held.row(first)[None]
    parts, weights, mean = held.parts, held.weights, held.mean
    lazy = for_each(_near, parts, candidates, mean)
    number = 0
    while True:
        number += 1
        *near, cost = held.persist(*lazy, add_up(for_each(_cost, lazy, weights), sum))
        wanted = oversampling * clusters
        draws = for_each(_draw, parts, near, weights, held.starts, cost, wanted, seed, number, mean)
        left, drawn = held.compute(cost, add_up(draws, _together))
        if left == 0 or (number > rounds and len(candidates) >= clusters):
            break
        fresh = _different(drawn)
        lazy = for_each(_nearer, parts, near, fresh, len(candidates), mean)
        candidates = np.concatenate([candidates, fresh])
    if len(candidates) < clusters:
        raise InputError(
            f"The table has only {len(candidates):,} different rows for {clusters:,} clusters. "
            "Lower n_clusters."
        )
    counts = held.compute(add_up(for_each(_count, near, weights, len(candidates)), sum))[0]
    found = sklearn.cluster.KMeans(clusters, n_init=10, random_state=seed)
    centres: Array = found.fit(candidates, sample_weight=counts).cluster_centers_
    return centres


def _near(values: Array, candidates: Array, mean: Array) -> Near:
    return Near(*nearest(values, candidates, mean))


def _nearer(values: Array, before: Near, fresh: Array, first: int, mean: Array) -> Near:
    """Look whether new candidates, the first of which has the number `first`, are nearer."""
    if not len(fresh):
        return before
    places, squares = nearest(values, fresh, mean)
    closer = squares < before.squares
    return Near(
        np.where(closer, places + np.int32(first), before.places),
        np.where(closer, squares, before.squares),
    )


def _cost(near: Near, weights: Array | None) -> float:
    return float(near.squares.sum() if weights is None else weights @ near.squares)


def _draw(
    values: Array,
    near: Near,
    weights: Array | None,
    start: int,
    cost: float,
    wanted: float,
    seed: int,
    number: int,
    mean: Array,
) -> Drawn:
    squares = near.squares if weights is None else near.squares * weights
    share = squares * (wanted / cost) if cost else squares
    taken = np.flatnonzero(chances(start, len(values), seed, number) < share)
    return Drawn(start + taken, values[taken] - mean)


def _together(drawn: Sequence[Drawn]) -> Drawn:
    return Drawn(*(np.concatenate(each) for each in zip(*drawn, strict=True)))


def _different(drawn: Drawn) -> Array:
    """Return each value once, in the order of the table."""
    values = drawn.values[np.argsort(drawn.positions)]
    _, first = np.unique(values, axis=0, return_index=True)
    return values[np.sort(first)]


def _count(near: Near, weights: Array | None, candidates: int) -> Any:
    return np.bincount(near.places, weights, minlength=candidates).astype(np.float64)
