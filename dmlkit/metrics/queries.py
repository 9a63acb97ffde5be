"""Metrics of rows ranked within queries: a query's rows may lie in any partitions."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.hashing import hash_values
from dmlkit.graph import add_up, bucket_count, exchange, for_each
from dmlkit.metrics.kernels import average_precisions, discounted_gains, reciprocal_ranks
from dmlkit.metrics.keys import all_there
from dmlkit.metrics.side_by_side import check_lengths, finite_numbers, parts_of, weights_of

__all__ = ["dcg_score", "mean_average_precision", "mean_reciprocal_rank", "ndcg_score"]

GAINS = ("linear", "exponential")

Array = NDArray[np.float64]


class _Rows(NamedTuple):
    """Rows, with the hash of each one's query."""

    query: NDArray[np.uint64]
    label: Array
    score: Array
    weight: Array


def ndcg_score(
    y_true: Any,
    y_score: Any,
    qid: Any,
    *,
    k: int | None = None,
    gains: str = "linear",
    sample_weight: Any = None,
) -> float:
    """Mean over queries of the discounted cumulative gain, as a share of the best order's.

    Parameters
    ----------
    y_true : dask or pandas Series
        How relevant a row is to its query: 0 or more.
    y_score, qid : Series like y_true
        The score that rows are ranked by, and the query that they belong to; rows of a query need
        not lie together.
    k : int, optional
        Only so many rows of each query count, those with the highest scores.
    gains : {"linear", "exponential"}
        What a relevance is worth: itself, or two to its power less one, as XGBoost has it.
    sample_weight : Series like y_true, optional
        What a query counts for: the same for all of its rows.

    Returns
    -------
    float

    Raises
    ------
    InputError
        A value is missing, a relevance is negative, or weights of a query differ.

    Notes
    -----
    The same number as `sklearn.metrics.ndcg_score` to rounding, which takes a table with a row
    for each query; rows that tie share their places likewise. A query with nothing relevant
    counts as 0.

    Examples
    --------
    >>> relevance, score = pd.Series([1, 0, 3, 0]), pd.Series([0.9, 0.5, 0.1, 0.8])
    >>> round(ndcg_score(relevance, score, pd.Series([7, 7, 7, 8])), 4)
    0.3443
    """
    metric = _gains_of(k, gains, normalised=True)
    return _mean(metric, y_true, y_score, qid, sample_weight)


def dcg_score(
    y_true: Any,
    y_score: Any,
    qid: Any,
    *,
    k: int | None = None,
    gains: str = "linear",
    sample_weight: Any = None,
) -> float:
    """Mean over queries of the discounted cumulative gain; see `ndcg_score`.

    Examples
    --------
    >>> dcg_score(pd.Series([1, 0, 3]), pd.Series([0.9, 0.5, 0.1]), pd.Series([7, 7, 7]))
    2.5
    """
    metric = _gains_of(k, gains, normalised=False)
    return _mean(metric, y_true, y_score, qid, sample_weight)


def mean_reciprocal_rank(
    y_true: Any, y_score: Any, qid: Any, *, sample_weight: Any = None
) -> float:
    """Mean over queries of one over the rank of the first relevant row.

    Parameters
    ----------
    y_true, y_score, qid, sample_weight
        As of `ndcg_score`; a row is relevant where y_true is above 0.

    Returns
    -------
    float
        Where rows tie, the mean over all orders of them. A query with nothing relevant counts
        as 0.

    Examples
    --------
    >>> score = pd.Series([0.9, 0.5, 0.1, 0.4, 0.4])
    >>> mean_reciprocal_rank(pd.Series([0, 1, 1, 0, 1]), score, pd.Series([7, 7, 7, 8, 8]))
    0.625
    """
    return _mean(partial(_of_relevant, reciprocal_ranks), y_true, y_score, qid, sample_weight)


def mean_average_precision(
    y_true: Any, y_score: Any, qid: Any, *, sample_weight: Any = None
) -> float:
    """Mean over queries of their average precision.

    Parameters
    ----------
    y_true, y_score, qid, sample_weight
        As of `ndcg_score`; a row is relevant where y_true is above 0.

    Returns
    -------
    float
        The mean of `sklearn.metrics.average_precision_score` of each query, to rounding: rows
        that tie are taken at once. A query with nothing relevant counts as 0.

    Examples
    --------
    >>> score = pd.Series([0.9, 0.5, 0.1, 0.4])
    >>> mean_average_precision(pd.Series([1, 0, 1, 0]), score, pd.Series([7, 7, 7, 8])).__round__(4)
    0.4167
    """
    return _mean(partial(_of_relevant, average_precisions), y_true, y_score, qid, sample_weight)


def _gains_of(k: int | None, gains: str, *, normalised: bool) -> Callable[..., Array]:
    if k is not None and k < 1:
        raise ConfigurationError(f"k is {k}; it must be at least 1.")
    if gains not in GAINS:
        raise ConfigurationError(f"gains is {gains!r}; it must be one of {GAINS}.")
    most = np.iinfo(np.int64).max if k is None else k
    return partial(_discounted, most, gains == "exponential", normalised)


def _discounted(
    most: int, exponential: bool, normalised: bool, starts: Any, label: Array, score: Array
) -> Array:
    gain = np.exp2(label) - 1 if exponential else label
    found: Array = discounted_gains(starts, gain, score, most, normalised)
    return found


def _of_relevant(kernel: Callable[..., Array], starts: Any, label: Array, score: Array) -> Array:
    return kernel(starts, label > 0, score)


def _mean(
    metric: Callable[..., Array], y_true: Any, y_score: Any, qid: Any, sample_weight: Any
) -> float:
    given = [y_true, y_score, qid, *([] if sample_weight is None else [sample_weight])]
    parts, scheduler = parts_of(*given)
    rows = for_each(_rows, *parts)
    buckets = bucket_count(len(rows))
    together = exchange(for_each(_split, rows, buckets), buckets, _merge)
    total = add_up(for_each(_sums, together, metric), _add).compute(scheduler=scheduler)
    if not total[1]:
        raise InputError("There is no query to judge. Look at the filters before it.")
    return float(total[0] / total[1])


def _rows(
    true: pd.Series, score: pd.Series, qid: pd.Series, weight: pd.Series | None = None
) -> _Rows:
    check_lengths(true, score, weight)
    check_lengths(true, qid, None)
    all_there(qid)
    label = finite_numbers(true, "label")
    if (label < 0).any():
        raise InputError(
            f"{int((label < 0).sum()):,} rows of a partition have a relevance of "
            f"{label[label < 0][0]:g}. It must be 0 or more."
        )
    weights = weights_of(len(true), weight)
    return _Rows(hash_values(qid), label, finite_numbers(score, "score"), weights)


def _split(rows: _Rows, buckets: int) -> list[_Rows]:
    bucket = ((rows.query >> np.uint64(32)) % np.uint64(buckets)).astype(np.int64)
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket, minlength=buckets))[:-1]
    pieces = zip(*(np.split(values[order], ends) for values in rows), strict=True)
    return [_Rows(*piece) for piece in pieces]


def _merge(pieces: list[_Rows]) -> _Rows:
    return _Rows(*(np.concatenate(values) for values in zip(*pieces, strict=True)))


def _sums(rows: _Rows, metric: Callable[..., Array]) -> Array:
    """Return the weighted sum of a metric over queries, and their weight."""
    order = np.lexsort([-rows.score, rows.query])
    query, label, score, weight = (values[order] for values in rows)
    if not len(query):
        return np.zeros(2)
    starts = np.flatnonzero(np.r_[True, query[1:] != query[:-1]])
    low, high = np.minimum.reduceat(weight, starts), np.maximum.reduceat(weight, starts)
    if (low != high).any():
        raise InputError(
            f"{int((low != high).sum()):,} queries have rows of different weights, such as "
            f"{low[low != high][0]:g} and {high[low != high][0]:g}. Give all rows of a query one."
        )
    found = metric(np.r_[starts, len(query)], label, score)
    return np.array([low @ found, low.sum()])


def _add(sums: list[Array]) -> Array:
    total: Array = np.sum(sums, axis=0)
    return total
