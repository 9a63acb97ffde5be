"""What an evaluation consists of: curves, bins and figures, small enough to draw; no computing."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = [
    "BinaryEvaluation",
    "CalibrationBins",
    "Costs",
    "Curve",
    "GainCurve",
    "ScoreHistogram",
]


@dataclass(frozen=True)
class Curve:
    """A curve over score thresholds, thinned for drawing; each point is exact.

    Attributes
    ----------
    x, y : (n,) float64 array
        From the highest threshold to the lowest.
    threshold : (n,) float64 array
        Rows with this score or a higher one count as flagged; the first is infinite (no row).
    """

    x: np.ndarray
    y: np.ndarray
    threshold: np.ndarray


@dataclass(frozen=True)
class ScoreHistogram:
    """Weights of negatives and positives by score.

    Attributes
    ----------
    edges : (n + 1,) float64 array
        A bin holds its lower edge; the last bin holds both of its edges.
    negatives, positives : (n,) float64 array
    """

    edges: np.ndarray
    negatives: np.ndarray
    positives: np.ndarray


@dataclass(frozen=True)
class CalibrationBins:
    """Mean score against the share of positives, for the score bins that have rows.

    Attributes
    ----------
    mean_score, observed_rate, rows : (n,) float64 array
        `rows` is the weight of a bin.
    low, high : (n,) float64 array
        The 95% Wilson interval of `observed_rate`.
    """

    mean_score: np.ndarray
    observed_rate: np.ndarray
    rows: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class GainCurve:
    """Money gained against checking none, when the rows with the highest scores are checked.

    Attributes
    ----------
    checked, caught, gain : (n,) float64 array
        Rows checked, positives among them, and the gain; the largest gain is among the points.
    """

    checked: np.ndarray
    caught: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True)
class Costs:
    """What a check costs, and what a missed positive does.

    Parameters
    ----------
    check : float
        The cost of checking one row.
    missed : float or str
        The loss by a positive that is not checked: a sum, or the column that has it.
    """

    check: float = 5.0
    missed: float | str = "amount"


@dataclass(frozen=True)
class BinaryEvaluation:
    """How well a score tells positives from negatives.

    Attributes
    ----------
    rows, positives : int
    threshold : float
        The score from which on a row is flagged, for precision and recall.
    metrics : dict of str to float
    intervals : dict of str to (float, float)
        95% bootstrap intervals of some of the metrics.
    roc : Curve
        x is the false positive rate, y the true positive rate.
    precision_recall : Curve
        x is the recall, y the precision.
    histogram : ScoreHistogram
    calibration : CalibrationBins
    gain : GainCurve or None
        None when no costs were given.
    interval_method : str
        A sentence on what was resampled.
    """

    rows: int
    positives: int
    threshold: float
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    roc: Curve
    precision_recall: Curve
    histogram: ScoreHistogram
    calibration: CalibrationBins
    gain: GainCurve | None
    interval_method: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it: lists for arrays, None for what is not finite.

        Examples
        --------
        >>> import pandas as pd
        >>> from dmlkit.metrics import evaluate_binary
        >>> frame = pd.DataFrame({"label": [0, 1, 0, 1], "score": [0.1, 0.9, 0.4, 0.3]})
        >>> evaluation = evaluate_binary(frame, label="label", score="score", replicates=0)
        >>> evaluation.to_dict()["metrics"]["roc_auc"]
        0.75
        """
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
