"""How far scores can be taken at their word: calibration, bin by bin, with intervals."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmlkit.graph import add_up, for_each
from dmlkit.metrics.intervals import wilson_interval
from dmlkit.metrics.probability import binned_calibration, calibration_error
from dmlkit.metrics.ranked import compute_metrics
from dmlkit.metrics.results import CalibrationBins
from dmlkit.metrics.rows import LabelledScores, scored_rows

__all__ = ["calibration_bins", "expected_calibration_error"]


def expected_calibration_error(
    y_true: Any, y_score: Any, *, bins: int = 10, sample_weight: Any = None
) -> float:
    """Mean distance, over rows, of a score bin's mean score to its share of positives.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `log_loss`.
    bins : int
        Bins of equal width between 0 and 1.

    Returns
    -------
    float

    References
    ----------
    Naeini, Cooper, Hauskrecht: *Obtaining Well Calibrated Probabilities Using Bayesian Binning*.
    AAAI 2015.

    Examples
    --------
    >>> round(expected_calibration_error([0, 1, 0, 1], [0.25, 0.25, 0.75, 0.75]), 6)
    0.25
    """
    source = scored_rows(y_true, y_score, sample_weight)
    return float(compute_metrics(source, [calibration_error(bins)])[0])


def calibration_bins(
    y_true: Any, y_score: Any, *, bins: int = 10, sample_weight: Any = None
) -> CalibrationBins:
    """Mean score against the share of positives, by bins of the score.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `log_loss`.
    bins : int
        Bins of equal width between 0 and 1; those without rows are left out. A bin holds its
        upper edge, as in `sklearn.calibration.calibration_curve`.

    Returns
    -------
    CalibrationBins
        With weights, intervals are those of as many rows as tell as much (Kish): weights that are
        all the same make no difference.

    Examples
    --------
    >>> found = calibration_bins([0, 1, 0, 1], [0.25, 0.25, 0.75, 0.75], bins=2)
    >>> found.mean_score.tolist(), found.observed_rate.tolist(), found.rows.tolist()
    ([0.25, 0.75], [0.5, 0.5], [2.0, 2.0])
    """
    source = scored_rows(y_true, y_score, sample_weight)
    found: CalibrationBins = compute_metrics(source, [binned_calibration(bins)])[0]
    if sample_weight is None:
        return found
    squares = source.compute(add_up(for_each(partial(_squares_by_bin, bins), source.rows), _total))
    rows = found.rows**2 / squares[0][squares[0] > 0]
    low, high = wilson_interval(found.observed_rate * rows, rows)
    return replace(found, low=low, high=high)


def _squares_by_bin(bins: int, rows: LabelledScores) -> NDArray[np.float64]:
    """Sum up the squares of weights in each bin, which holds its upper edge."""
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], rows.score)
    weight = np.ones(len(place)) if rows.weight is None else rows.weight
    return np.bincount(place, weight**2, bins).astype(np.float64)


def _total(sums: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum(sums, axis=0)
    return total
