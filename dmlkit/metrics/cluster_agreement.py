"""How well clusters agree with known classes, or with other clusters: all from counts of pairs.

What is told of clusters by themselves is in `cluster_shape`.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics.classes import counts_of_pairs

__all__ = [
    "adjusted_rand_score",
    "completeness_score",
    "homogeneity_score",
    "normalized_mutual_info_score",
    "v_measure_score",
]

AVERAGES = ("arithmetic", "geometric", "max", "min")

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class _Table:
    """Rows of each pair of a class and a cluster that occurs, of each class, of each cluster."""

    pairs: Counts
    classes: Counts
    clusters: Counts
    class_of_pair: Counts
    cluster_of_pair: Counts

    @property
    def information(self) -> float:
        """What one says of the other, in nats."""
        rows = float(self.pairs.sum())
        share = self.pairs / rows
        both = np.log(self.classes[self.class_of_pair] / rows)
        both += np.log(self.clusters[self.cluster_of_pair] / rows)
        terms = share * (np.log(share) - both)
        terms[np.abs(terms) < np.finfo(np.float64).eps] = 0.0
        return max(float(terms.sum()), 0.0)


def adjusted_rand_score(labels_true: Any, labels_pred: Any) -> float:
    """Return the share of pairs of rows that are together, or apart, in both, less chance.

    Parameters
    ----------
    labels_true, labels_pred : dask or pandas Series
        Classes and clusters, of any type. Which is which makes no difference.

    Returns
    -------
    float
        1 where they are the same but for names, and about 0 where one says nothing of the other.

    Raises
    ------
    InputError
        They are not partitioned alike, a value is missing, or more than 1,000,000 different pairs
        of a class and a cluster occur.

    Notes
    -----
    Equal to scikit-learn's within 1e-12 on any partitions, in one pass that counts rows of each
    class and cluster; only the counts come to the client. The same holds for the others.

    Examples
    --------
    >>> adjusted_rand_score(pd.Series(["a", "a", "b", "b"]), pd.Series([1, 1, 0, 2])).__round__(4)
    0.5714
    """
    table = _table(labels_true, labels_pred)
    rows = int(table.pairs.sum())
    # Whole numbers of any size: pairs of rows are many.
    together, first, second = (
        sum(count * count for count in counts.tolist()) - rows
        for counts in (table.pairs, table.classes, table.clusters)
    )
    only_first, only_second = first - together, second - together
    apart = rows * (rows - 1) - first - second + together
    if only_first == 0 and only_second == 0:
        return 1.0
    agreed = 2 * (together * apart - only_first * only_second)
    return agreed / (first * (only_first + apart) + second * (only_second + apart))


def normalized_mutual_info_score(
    labels_true: Any, labels_pred: Any, *, average_method: str = "arithmetic"
) -> float:
    """Return what clusters say of classes, as a share of the mean of what there is to say.

    Parameters
    ----------
    labels_true, labels_pred
        As of `adjusted_rand_score`.
    average_method : {"arithmetic", "geometric", "max", "min"}
        The mean of both entropies.

    Examples
    --------
    >>> classes, clusters = pd.Series(["a", "a", "b", "b"]), pd.Series([1, 1, 0, 2])
    >>> round(normalized_mutual_info_score(classes, clusters), 4)
    0.8
    """
    if average_method not in AVERAGES:
        raise ConfigurationError(
            f"average_method is {average_method!r}; it must be one of {AVERAGES}."
        )
    table = _table(labels_true, labels_pred)
    if len(table.classes) == len(table.clusters) == 1:
        return 1.0
    information = table.information
    if information == 0:
        return 0.0
    one, other = _entropy(table.classes), _entropy(table.clusters)
    means = {
        "arithmetic": (one + other) / 2,
        "geometric": sqrt(one * other),
        "max": max(one, other),
        "min": min(one, other),
    }
    return information / means[average_method]


def homogeneity_score(labels_true: Any, labels_pred: Any) -> float:
    """Return how far each cluster has rows of one class only: 1 where all do.

    Examples
    --------
    >>> round(homogeneity_score(pd.Series(["a", "a", "b", "b"]), pd.Series([1, 1, 0, 2])), 4)
    1.0
    """
    return _homogeneity_and_completeness(labels_true, labels_pred)[0]


def completeness_score(labels_true: Any, labels_pred: Any) -> float:
    """Return how far each class is in one cluster only: 1 where all are.

    Examples
    --------
    >>> round(completeness_score(pd.Series(["a", "a", "b", "b"]), pd.Series([1, 1, 0, 2])), 4)
    0.6667
    """
    return _homogeneity_and_completeness(labels_true, labels_pred)[1]


def v_measure_score(labels_true: Any, labels_pred: Any, *, beta: float = 1.0) -> float:
    """Return the harmonic mean of homogeneity and completeness.

    Parameters
    ----------
    labels_true, labels_pred
        As of `adjusted_rand_score`.
    beta : float
        Above 1 completeness counts for more.

    Examples
    --------
    >>> round(v_measure_score(pd.Series(["a", "a", "b", "b"]), pd.Series([1, 1, 0, 2])), 4)
    0.8
    """
    homogeneity, completeness = _homogeneity_and_completeness(labels_true, labels_pred)
    if homogeneity + completeness == 0:
        return 0.0
    return (1 + beta) * homogeneity * completeness / (beta * homogeneity + completeness)


def _homogeneity_and_completeness(labels_true: Any, labels_pred: Any) -> tuple[float, float]:
    table = _table(labels_true, labels_pred)
    information = table.information
    one, other = _entropy(table.classes), _entropy(table.clusters)
    return information / one if one else 1.0, information / other if other else 1.0


def _entropy(counts: Counts) -> float:
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum()) if len(counts) > 1 else 0.0


def _table(labels_true: Any, labels_pred: Any) -> _Table:
    counts = counts_of_pairs(labels_true, labels_pred)
    if not len(counts):
        raise InputError("There is no row to judge. Look at the filters before it.")
    rows = counts["weight"].to_numpy().astype(np.int64)
    one, other = (pd.factorize(counts[name])[0] for name in ("true", "found"))
    classes, clusters = (np.bincount(code, rows).astype(np.int64) for code in (one, other))
    return _Table(rows, classes, clusters, one.astype(np.int64), other.astype(np.int64))
