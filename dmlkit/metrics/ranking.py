"""Metrics of how well scores rank positives before negatives; probabilities are not asked for."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics.class_probabilities import of_classes
from dmlkit.metrics.class_ranking import roc_auc_of_classes
from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.rows import scored_rows

__all__ = [
    "average_precision",
    "average_precision_score",
    "lift",
    "lift_at",
    "need_both_classes",
    "need_positives",
    "precision_at",
    "precision_at_k",
    "roc_auc",
    "roc_auc_score",
]


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    sample_weight: Any = None,
    multi_class: str = "raise",
    average: str = "macro",
    labels: Sequence[Any] | None = None,
) -> float:
    """Area under the receiver operating characteristic, exact on any partitioning.

    The probability that a positive has a higher score than a negative, ties counted half.

    Parameters
    ----------
    y_true : (n,) dask Series or Array, or anything like a NumPy array
        0 or 1, or labels of several classes.
    y_score : (n,) like y_true, or (n, classes) DataFrame or array
        Of the same frame, so that partitions match; divisions may be unknown. Of several classes
        all columns of ``predict_proba``.
    sample_weight : (n,) like y_true, optional
        Not negative.
    multi_class : {"raise", "ovr", "ovo"}
        With several classes: one against the rest, or the mean over pairs of classes.
    average : {"macro", "weighted"}
        With several classes, the plain mean or that by the rows of each.
    labels : sequence, optional
        The class of each column, where the columns are not called after them.

    Returns
    -------
    float

    Raises
    ------
    InputError
        All rows are of one class; a label, score or weight is missing or out of its range.

    Notes
    -----
    The same number as `sklearn.metrics.roc_auc_score`, to rounding; no column is gathered. Of
    several classes, all is counted in one pass too.

    Examples
    --------
    >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    if of_classes(y_score) and multi_class != "raise":
        return roc_auc_of_classes(
            y_true,
            y_score,
            sample_weight,
            multi_class=multi_class,
            average=average,
            labels=labels,
        )
    return _metric(roc_auc(), y_true, y_score, sample_weight)


def average_precision_score(y_true: Any, y_score: Any, *, sample_weight: Any = None) -> float:
    """Precision averaged over recall: the area under the precision-recall steps.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `roc_auc_score`.

    Returns
    -------
    float

    Raises
    ------
    InputError
        There is no positive; a label, score or weight is missing or out of its range.

    Notes
    -----
    The same number as `sklearn.metrics.average_precision_score`, to rounding.

    Examples
    --------
    >>> round(average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 6)
    0.833333
    """
    return _metric(average_precision(), y_true, y_score, sample_weight)


def precision_at_k(y_true: Any, y_score: Any, *, k: int) -> float:
    """Share of positives among the `k` rows with the highest scores.

    Rows that tie at the cut count by their mean, so that the order of rows does not matter.

    Parameters
    ----------
    y_true, y_score
        As of `roc_auc_score`.
    k : int
        Rows; those beyond the number of rows count as negatives.

    Returns
    -------
    float

    Examples
    --------
    >>> precision_at_k([0, 1, 1, 0], [0.9, 0.8, 0.8, 0.1], k=2)
    0.5
    """
    return _metric(precision_at(k), y_true, y_score)


def lift(y_true: Any, y_score: Any, *, share: float, sample_weight: Any = None) -> float:
    """How much denser positives are among the highest scores than among all rows.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `roc_auc_score`.
    share : float
        The share of rows (of their weight) that is looked at, above 0 and up to 1. Rows that tie
        at the cut count by their mean.

    Returns
    -------
    float

    Examples
    --------
    >>> lift([0, 1, 1, 0], [0.9, 0.8, 0.7, 0.1], share=0.75)
    1.3333333333333333
    """
    return _metric(lift_at(share), y_true, y_score, sample_weight)


def roc_auc() -> Metric:
    """Return the area under the ROC curve as a `Metric`."""
    return Metric(_pairs, _auc)


def average_precision() -> Metric:
    """Return average precision as a `Metric`."""
    return Metric(_precision_by_recall, _average_precision)


def precision_at(k: int) -> Metric:
    """Return precision at k rows as a `Metric`."""
    if k < 1:
        raise ConfigurationError(f"k is {k}; it must be at least 1.")
    return Metric(partial(_caught, k), partial(_over, k))


def lift_at(share: float) -> Metric:
    """Return the lift as a `Metric`."""
    if not 0 < share <= 1:
        raise ConfigurationError(f"The share is {share}; it must be above 0 and at most 1.")
    return Metric(partial(_caught_by_share, share), partial(_lift, share))


def need_positives(totals: Totals, metric: str) -> None:
    """Raise an InputError where there is no positive."""
    if totals.positives == 0:
        raise InputError(
            f"None of the {totals.rows:,.0f} rows has the label 1, and {metric} needs some. "
            "Take a longer period or more rows."
        )


def need_both_classes(totals: Totals) -> None:
    """Raise an InputError where all rows are of one class."""
    if totals.positives == 0 or totals.negatives == 0:
        label = 0 if totals.positives == 0 else 1
        raise InputError(
            f"All {totals.rows:,.0f} rows have the label {label}, and the area under the ROC "
            "curve needs both classes. Take a longer period or more rows."
        )


def _metric(metric: Metric, y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    return float(compute_metrics(scored_rows(y_true, y_score, sample_weight), [metric])[0])


def _pairs(ranked: Ranked) -> float:
    """Count pairs of a negative here with a positive that has a higher score; a tie is half."""
    before = ranked.true_positives - ranked.lines.positives / 2
    return float((ranked.lines.negatives * before).sum())


def _auc(pairs: list[float], totals: Totals) -> float:
    need_both_classes(totals)
    return math.fsum(pairs) / (totals.positives * totals.negatives)


def _precision_by_recall(ranked: Ranked) -> float:
    return float((ranked.lines.positives * ranked.true_positives / ranked.flagged).sum())


def _average_precision(sums: list[float], totals: Totals) -> float:
    need_positives(totals, "average precision")
    return math.fsum(sums) / totals.positives


def _caught(checked: float, ranked: Ranked) -> float:
    """Return the weight of positives here when `checked` rows are taken from the top."""
    rows = ranked.rows
    taken = np.clip(checked - (ranked.flagged - rows), 0.0, rows)
    return float((ranked.lines.positives * (taken / rows)).sum())


def _over(k: int, caught: list[float], _: Totals) -> float:
    return math.fsum(caught) / k


def _caught_by_share(share: float, ranked: Ranked) -> float:
    return _caught(share * ranked.totals.rows, ranked)


def _lift(share: float, caught: list[float], totals: Totals) -> float:
    need_positives(totals, "lift")
    return math.fsum(caught) / (share * totals.positives)
