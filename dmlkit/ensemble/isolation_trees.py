"""Trees that isolate rows, and how soon they do. Arrays only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeRegressor

from dmlkit.features.compiled import compiled

__all__ = ["Trees", "average_path_length", "grown", "path_lengths", "together"]

#: Rows that are taken through one tree after the other: they stay in a core's cache.
CHUNK = 8_192


class Trees(NamedTuple):
    """Trees, their nodes one after the other.

    Attributes
    ----------
    feature : (nodes,) int32 array
    threshold : (nodes,) float64 array
        A row goes left where its value is not above this.
    left, right : (nodes,) int32 array
        Below 0 in a leaf.
    length : (nodes,) float64 array
        In a leaf: how many splits isolate a row there, on average.
    roots : (trees,) int64 array
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    length: NDArray[np.float64]
    roots: NDArray[np.int64]


def grown(sample: NDArray[np.float32], features: NDArray[np.int64], seed: int) -> Trees:
    """Grow one tree: random splits of random features, as deep as a balanced one would be.

    Parameters
    ----------
    sample : (n, columns) float32 array
    features : (chosen,) int64 array
        Columns that it may split.
    seed : int
    """
    depth = int(np.ceil(np.log2(max(len(sample), 2))))
    labels = np.random.default_rng(seed).uniform(size=len(sample))
    # scikit-learn's forest grows the same ones: where it splits does not depend on the labels.
    tree = ExtraTreeRegressor(max_features=1, max_depth=depth, random_state=seed)
    nodes = tree.fit(sample[:, features], labels).tree_
    inner = nodes.children_left >= 0
    return Trees(
        np.where(inner, features[np.where(inner, nodes.feature, 0)], -1).astype(np.int32),
        np.asarray(nodes.threshold, dtype=np.float64),
        nodes.children_left.astype(np.int32),
        nodes.children_right.astype(np.int32),
        nodes.compute_node_depths() - 1 + average_path_length(nodes.n_node_samples),
        np.zeros(1, np.int64),
    )


def together(trees: list[Trees]) -> Trees:
    """Put trees one after the other."""
    starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])[:-1]
    moved = [
        tree._replace(
            left=np.where(tree.left >= 0, tree.left + start, -1).astype(np.int32),
            right=np.where(tree.right >= 0, tree.right + start, -1).astype(np.int32),
            roots=tree.roots + start,
        )
        for tree, start in zip(trees, starts, strict=True)
    ]
    return Trees(*(np.concatenate(each) for each in zip(*moved, strict=True)))


def average_path_length(rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many splits isolate one of so many rows, on average.

    References
    ----------
    Liu, Ting, Zhou: *Isolation Forest*. ICDM 2008.

    Examples
    --------
    >>> average_path_length(np.array([1, 2, 256])).round(3).tolist()
    [0.0, 1.0, 10.245]
    """
    many = np.maximum(rows, 3).astype(np.float64)
    length = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(rows > 2, length, np.where(rows == 2, 1.0, 0.0))


def path_lengths(values: NDArray[np.float32], trees: Trees) -> NDArray[np.float64]:
    """Return how many splits isolate each row, added up over all trees."""
    lengths = np.zeros(len(values))
    for start in range(0, len(values), CHUNK):
        rows = np.ascontiguousarray(values[start : start + CHUNK])
        _add_lengths(rows, *trees, lengths[start : start + CHUNK])
    return lengths


@compiled
def _add_lengths(
    values: NDArray[np.float32],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    length: NDArray[np.float64],
    roots: NDArray[np.int64],
    lengths: NDArray[np.float64],
) -> None:
    for root in roots:
        for row in range(values.shape[0]):
            node = root
            while left[node] >= 0:
                goes_left = values[row, feature[node]] <= threshold[node]
                node = left[node] if goes_left else right[node]
            lengths[row] += length[node]
