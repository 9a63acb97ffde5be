"""Rows that are flagged because their score reaches a threshold, and thresholds by capacity."""

import math
from functools import partial
from typing import Any

import numpy as np

from dmlkit.errors import ConfigurationError
from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.ranking import need_positives
from dmlkit.metrics.rows import scored_rows

__all__ = [
    "precision_above",
    "precision_score",
    "recall_above",
    "recall_score",
    "threshold_at_capacity",
]


def precision_score(
    y_true: Any, y_score: Any, *, threshold: float = 0.5, sample_weight: Any = None
) -> float:
    """Share of positives among the rows with a score of `threshold` or more.

    Parameters
    ----------
    y_true : (n,) dask Series or Array, or anything like a NumPy array
        0 or 1.
    y_score : (n,) like y_true
        Scores; predictions of 0 and 1 are scores too, so that scikit-learn's calls work.
    threshold : float
    sample_weight : (n,) like y_true, optional

    Returns
    -------
    float
        0 where no row is flagged.

    Examples
    --------
    >>> precision_score([0, 1, 1, 0], [0.9, 0.8, 0.3, 0.1])
    0.5
    """
    metric = precision_above(threshold)
    return float(compute_metrics(scored_rows(y_true, y_score, sample_weight), [metric])[0])


def recall_score(
    y_true: Any, y_score: Any, *, threshold: float = 0.5, sample_weight: Any = None
) -> float:
    """Share of the positives that have a score of `threshold` or more.

    Parameters
    ----------
    y_true, y_score, threshold, sample_weight
        As of `precision_score`.

    Returns
    -------
    float

    Raises
    ------
    InputError
        There is no positive.

    Examples
    --------
    >>> recall_score([0, 1, 1, 0], [0.9, 0.8, 0.3, 0.1], threshold=0.3)
    1.0
    """
    metric = recall_above(threshold)
    return float(compute_metrics(scored_rows(y_true, y_score, sample_weight), [metric])[0])


def threshold_at_capacity(
    y_true: Any, y_score: Any, *, share: float, sample_weight: Any = None
) -> float:
    """Find the lowest score from which on no more than a share of the rows is flagged.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `precision_score`.
    share : float
        What can be taken care of, as a share of all rows.

    Returns
    -------
    float
        Just above the highest score where even its rows are too many.

    Examples
    --------
    >>> threshold_at_capacity([0, 1, 1, 0], [0.9, 0.8, 0.3, 0.1], share=0.6)
    0.8
    """
    if not 0 < share <= 1:
        raise ConfigurationError(f"share is {share}; it must be above 0 and up to 1.")
    metric = Metric(partial(_lowest_within, share), _lowest_score)
    return float(compute_metrics(scored_rows(y_true, y_score, sample_weight), [metric])[0])


def precision_above(threshold: float) -> Metric:
    """Return precision at a threshold as a `Metric`."""
    return Metric(partial(_flagged, threshold), _precision)


def recall_above(threshold: float) -> Metric:
    """Return recall at a threshold as a `Metric`."""
    return Metric(partial(_flagged, threshold), _recall)


def _flagged(threshold: float, ranked: Ranked) -> tuple[float, float]:
    """Return the weight of positives and of negatives that are flagged."""
    flagged = ranked.lines.score >= threshold
    return (
        float(ranked.lines.positives[flagged].sum()),
        float(ranked.lines.negatives[flagged].sum()),
    )


def _precision(counts: list[tuple[float, float]], _: Totals) -> float:
    positives = math.fsum(positive for positive, _ in counts)
    flagged = positives + math.fsum(negative for _, negative in counts)
    return positives / flagged if flagged else 0.0


def _recall(counts: list[tuple[float, float]], totals: Totals) -> float:
    need_positives(totals, "recall")
    return math.fsum(positive for positive, _ in counts) / totals.positives


def _lowest_within(share: float, ranked: Ranked) -> float:
    """Return the lowest score down to which the rows are within the share; infinite for none."""
    within = ranked.lines.score[ranked.flagged <= share * ranked.totals.rows]
    return float(within.min()) if len(within) else math.inf


def _lowest_score(scores: list[float], totals: Totals) -> float:
    lowest = min(scores)
    return lowest if lowest < math.inf else float(np.nextafter(totals.highest, np.inf))
