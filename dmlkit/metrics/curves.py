"""Curves over score thresholds, thinned for drawing: which points they need is decided here."""

from functools import partial
from typing import Any

import numpy as np

from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.ranking import need_both_classes, need_positives
from dmlkit.metrics.results import Curve
from dmlkit.metrics.rows import scored_rows

__all__ = [
    "by_class",
    "by_rank",
    "evenly",
    "precision_recall",
    "precision_recall_curve",
    "receiver_operating_characteristic",
    "roc_curve",
]


def roc_curve(y_true: Any, y_score: Any, *, sample_weight: Any = None, points: int = 500) -> Curve:
    """Receiver operating characteristic, thinned for drawing; its points are exact.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `roc_auc_score`.
    points : int
        About the most that there will be; neighbours differ by ``2 / points`` or by one score.

    Returns
    -------
    Curve
        x is the false positive rate, y the true positive rate.

    Examples
    --------
    >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.x.tolist(), curve.y.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    source = scored_rows(y_true, y_score, sample_weight)
    curve: Curve = compute_metrics(source, [receiver_operating_characteristic(points)])[0]
    return curve


def precision_recall_curve(
    y_true: Any, y_score: Any, *, sample_weight: Any = None, points: int = 500
) -> Curve:
    """Precision over recall, thinned for drawing; its points are exact.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `roc_auc_score`.
    points : int
        About the most that there will be: half by recall, half by rank on a logarithmic scale.

    Returns
    -------
    Curve
        x is the recall, y the precision; the first point is (0, 1), as of scikit-learn's.

    Examples
    --------
    >>> curve = precision_recall_curve([0, 1, 1], [0.1, 0.4, 0.3])
    >>> curve.x.tolist(), curve.y.round(3).tolist()
    ([0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0, 0.667])
    """
    source = scored_rows(y_true, y_score, sample_weight)
    curve: Curve = compute_metrics(source, [precision_recall(points)])[0]
    return curve


def receiver_operating_characteristic(points: int = 500) -> Metric:
    """Return the ROC curve as a `Metric`."""
    return Metric(partial(_roc_points, points // 2), _roc)


def precision_recall(points: int = 500) -> Metric:
    """Return the precision-recall curve as a `Metric`."""
    return Metric(partial(_precision_recall_points, points // 2), _precision_recall)


def evenly(ranked: Ranked, steps: int) -> np.ndarray:
    """Return places of lines with which another 1 / `steps` of the rows is reached."""
    targets = ranked.totals.rows * np.arange(1, steps + 1) / steps
    return ranked.first_to_reach(ranked.flagged, ranked.above.rows, targets)


def by_class(ranked: Ranked, steps: int) -> np.ndarray:
    """Return places of lines with which another 1 / `steps` of a class is reached."""
    shares = np.arange(1, steps + 1) / steps
    above, totals = ranked.above, ranked.totals
    true = ranked.first_to_reach(ranked.true_positives, above.positives, totals.positives * shares)
    false = ranked.first_to_reach(
        ranked.false_positives, above.negatives, totals.negatives * shares
    )
    return np.union1d(true, false)


def by_rank(ranked: Ranked, steps: int) -> np.ndarray:
    """Return places of lines for a drawing by rank on a logarithmic scale."""
    targets = np.expm1(np.log1p(ranked.totals.rows) * np.arange(1, steps + 1) / steps)
    return ranked.first_to_reach(ranked.flagged, ranked.above.rows, targets)


def _roc_points(steps: int, ranked: Ranked) -> np.ndarray:
    drawn = by_class(ranked, steps)
    return np.array(
        [ranked.false_positives[drawn], ranked.true_positives[drawn], ranked.lines.score[drawn]]
    )


def _roc(points: list[np.ndarray], totals: Totals) -> Curve:
    need_both_classes(totals)
    false, true, threshold = np.concatenate([_start(), *points], axis=1)
    return Curve(false / totals.negatives, true / totals.positives, threshold)


def _precision_recall_points(steps: int, ranked: Ranked) -> np.ndarray:
    shares = np.arange(1, steps + 1) / steps
    by_recall = ranked.first_to_reach(
        ranked.true_positives, ranked.above.positives, ranked.totals.positives * shares
    )
    drawn = np.union1d(by_recall, by_rank(ranked, steps))
    return np.array(
        [ranked.flagged[drawn], ranked.true_positives[drawn], ranked.lines.score[drawn]]
    )


def _precision_recall(points: list[np.ndarray], totals: Totals) -> Curve:
    need_positives(totals, "a precision-recall curve")
    flagged, true, threshold = np.concatenate(points, axis=1)
    precision = true / flagged
    return Curve(
        np.r_[0.0, true / totals.positives], np.r_[1.0, precision], np.r_[np.inf, threshold]
    )


def _start() -> np.ndarray:
    return np.array([[0.0], [0.0], [np.inf]])
