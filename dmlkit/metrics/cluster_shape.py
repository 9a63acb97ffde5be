"""How far apart clusters are, and how close their rows: told of the rows alone, in a pass or two.

How they agree with known classes is in `cluster_agreement`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import add_up, for_each
from dmlkit.metrics.keys import all_there
from dmlkit.metrics.side_by_side import finite_numbers, parts_of

__all__ = ["calinski_harabasz_score", "davies_bouldin_score", "silhouette_score"]

#: Rows whose distances to all clusters are held at once.
CHUNK = 16_384

Array = NDArray[np.float64]


class _Clusters(NamedTuple):
    """Clusters by name: rows, means, and sums of squares about them, over all columns."""

    names: list[Any]
    rows: Array
    means: Array
    squares: Array


def calinski_harabasz_score(X: Any, labels: Any) -> float:
    """Return the variance between clusters against that within: the higher, the better apart.

    Parameters
    ----------
    X : dask or pandas DataFrame
        Of numbers.
    labels : Series like X
        The cluster of each row, of any type.

    Returns
    -------
    float
        Equal to scikit-learn's within 1e-9 on any partitions; one pass.

    Raises
    ------
    InputError
        A column holds no numbers, a value is missing, or there is one cluster or one a row.

    Examples
    --------
    >>> X = pd.DataFrame({"x": [0.0, 1.0, 9.0, 10.0]})
    >>> calinski_harabasz_score(X, pd.Series([0, 0, 1, 1]))
    162.0
    """
    clusters = _clusters(X, labels)
    rows, count = clusters.rows.sum(), len(clusters.rows)
    centre = clusters.rows @ clusters.means / rows
    between = float(clusters.rows @ ((clusters.means - centre) ** 2).sum(axis=1))
    within = float(clusters.squares.sum())
    return 1.0 if within == 0 else float(between * (rows - count) / (within * (count - 1.0)))


def davies_bouldin_score(X: Any, labels: Any) -> float:
    """Return the mean likeness of each cluster to the one most like it: the lower, the better.

    Parameters
    ----------
    X, labels
        As of `calinski_harabasz_score`.

    Returns
    -------
    float
        Equal to scikit-learn's within 1e-9 on any partitions; two passes.

    Examples
    --------
    >>> X = pd.DataFrame({"x": [0.0, 1.0, 9.0, 10.0]})
    >>> round(davies_bouldin_score(X, pd.Series([0, 0, 1, 1])), 4)
    0.1111
    """
    clusters = _clusters(X, labels)
    spread = _summed(_distances, X, labels, clusters) / clusters.rows
    apart = cdist(clusters.means, clusters.means)
    if np.allclose(spread, 0) or np.allclose(apart, 0):
        return 0.0
    apart[apart == 0] = np.inf
    return float(((spread[:, None] + spread) / apart).max(axis=1).mean())


def silhouette_score(X: Any, labels: Any, *, metric: str = "sqeuclidean") -> float:
    """Return how much nearer rows are to their own cluster than to the next one, at most 1.

    Parameters
    ----------
    X, labels
        As of `calinski_harabasz_score`.
    metric : {"sqeuclidean"}
        Of squared distances the means follow from the clusters' means and variances, in two
        passes. Of others each row has to be held against each other one.

    Returns
    -------
    float
        Equal to scikit-learn's with that metric within 1e-9 on any partitions.

    Raises
    ------
    ConfigurationError
        The metric is another one.

    Examples
    --------
    >>> X = pd.DataFrame({"x": [0.0, 1.0, 9.0, 10.0]})
    >>> round(silhouette_score(X, pd.Series([0, 0, 1, 1])), 4)
    0.9876
    """
    if metric != "sqeuclidean":
        raise ConfigurationError(
            f"metric is {metric!r}, for which each row would be held against each other one. "
            "Use 'sqeuclidean', or scikit-learn's on a sample of rows."
        )
    clusters = _clusters(X, labels)
    return float(_summed(_silhouettes, X, labels, clusters).sum() / clusters.rows.sum())


def _clusters(X: Any, labels: Any) -> _Clusters:
    if getattr(X, "ndim", 0) != 2 or not hasattr(X, "columns"):
        raise InputError(f"A dask or pandas DataFrame is needed, but this is {type(X).__name__}.")
    parts, scheduler = parts_of(X, labels)
    found: _Clusters = add_up(for_each(_of_part, *parts), _add).compute(scheduler=scheduler)
    rows, count = int(found.rows.sum()), len(found.rows)
    if not 1 < count < rows:
        raise InputError(
            f"There are {count:,} clusters of {rows:,} rows. At least 2 are needed, and fewer than "
            "there are rows."
        )
    return found


def _summed(function: Callable[..., Array], X: Any, labels: Any, clusters: _Clusters) -> Array:
    """Sum a figure of rows up by cluster, in a pass."""
    parts, scheduler = parts_of(X, labels)
    sums = for_each(partial(_by_cluster, function, clusters), *parts)
    total: Array = add_up(sums, _total).compute(scheduler=scheduler)
    return total


def _values(part: pd.DataFrame, labels: pd.Series) -> Array:
    if len(part) != len(labels):
        raise InputError(
            f"A partition has {len(part):,} rows, but {len(labels):,} labels. Take both from one "
            "frame."
        )
    all_there(labels)
    columns = [finite_numbers(part[name], f"{name!r}") for name in part.columns]
    return np.column_stack(columns)


def _of_part(part: pd.DataFrame, labels: pd.Series) -> _Clusters:
    values = _values(part, labels)
    code, names = pd.factorize(labels.astype(object))
    rows = np.bincount(code, minlength=len(names)).astype(np.float64)
    sums = np.array([np.bincount(code, column, len(names)) for column in values.T])
    means = sums.T.reshape(len(names), values.shape[1]) / rows[:, None]
    squares = _by_code(code, ((values - means[code]) ** 2).sum(axis=1), len(names))
    return _Clusters(list(names), rows, means, squares)


def _add(parts: list[_Clusters]) -> _Clusters:
    """Add clusters up about their common means (Chan, Golub, LeVeque)."""
    names = sorted({name for part in parts for name in part.names}, key=_sortable)
    place = {name: number for number, name in enumerate(names)}
    code = np.array([place[name] for part in parts for name in part.names], np.int64)
    rows, means, squares = (np.concatenate(each) for each in list(zip(*parts, strict=True))[1:])
    total = _by_code(code, rows, len(names))
    common = np.zeros((len(names), means.shape[1]))
    np.add.at(common, code, means * rows[:, None])
    common /= total[:, None]
    moved = squares + rows * ((means - common[code]) ** 2).sum(axis=1)
    return _Clusters(names, total, common, _by_code(code, moved, len(names)))


def _by_code(code: NDArray[np.int64], values: Array, count: int) -> Array:
    """Sum values up by number; floats even of nothing."""
    return np.bincount(code, values, count).astype(np.float64)


def _sortable(name: Any) -> tuple[str, Any]:
    """Sort names of one type by themselves, and types by their names."""
    return ("", name) if isinstance(name, (int, float)) else (type(name).__name__, name)


def _by_cluster(
    function: Callable[..., Array], clusters: _Clusters, part: pd.DataFrame, labels: pd.Series
) -> Array:
    values = _values(part, labels)
    code = pd.Index(clusters.names, dtype=object).get_indexer(labels.astype(object))
    total = np.zeros(len(clusters.names))
    for start in range(0, len(values), CHUNK):
        near = slice(start, start + CHUNK)
        figures = function(clusters, values[near], code[near])
        total += np.bincount(code[near], figures, len(total))
    return total


def _distances(clusters: _Clusters, values: Array, code: NDArray[np.int64]) -> Array:
    return np.sqrt(((values - clusters.means[code]) ** 2).sum(axis=1))


def _silhouettes(clusters: _Clusters, values: Array, code: NDArray[np.int64]) -> Array:
    """Return each row's silhouette, which is 0 where it is alone in its cluster."""
    rows = np.arange(len(values))
    mean = cdist(values, clusters.means, "sqeuclidean") + clusters.squares / clusters.rows
    size = clusters.rows[code]
    # Among the others of its own cluster a row is not.
    own = mean[rows, code] * size / np.maximum(size - 1, 1)
    mean[rows, code] = np.inf
    other = mean.min(axis=1)
    largest = np.maximum(own, other)
    apart = np.where(largest > 0, (other - own) / np.where(largest > 0, largest, 1), 0.0)
    return np.where(size > 1, apart, 0.0)


def _total(sums: list[Array]) -> Array:
    total: Array = np.sum(sums, axis=0)
    return total
