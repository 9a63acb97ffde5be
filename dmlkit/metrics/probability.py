"""Metrics of scores as probabilities: log loss, Brier score, calibration and their histogram.

Calibration is offered by `reliability`, and computed here together with the others.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics.class_probabilities import log_loss_of_classes, of_classes
from dmlkit.metrics.intervals import wilson_interval
from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.results import CalibrationBins, ScoreHistogram
from dmlkit.metrics.rows import scored_rows

__all__ = [
    "binned_calibration",
    "brier",
    "brier_score_loss",
    "calibration_error",
    "histogram",
    "log_loss",
    "logarithmic_loss",
]


class _Sum(NamedTuple):
    """A range's sum of losses, and its rows with a score that is no probability."""

    loss: float
    outside: float
    example: float


def log_loss(
    y_true: Any,
    y_score: Any,
    *,
    sample_weight: Any = None,
    labels: Sequence[Any] | None = None,
) -> float:
    """Mean negative logarithm of the probability given to what happened.

    Parameters
    ----------
    y_true : (n,) dask Series or Array, or anything like a NumPy array
        0 or 1, or labels of several classes.
    y_score : (n,) like y_true, or (n, classes) DataFrame or array
        The probability of 1, or of each class. Clipped by the spacing of its float type, as
        scikit-learn does.
    sample_weight : (n,) like y_true, optional
    labels : sequence, optional
        The class of each column, where the columns are not called after them.

    Returns
    -------
    float

    Raises
    ------
    InputError
        A score is not within 0 and 1; a label, score or weight is missing.

    Notes
    -----
    The same number as `sklearn.metrics.log_loss`, to rounding; sums are in float64 for any type.

    Examples
    --------
    >>> round(log_loss([1, 0, 0, 1], [0.9, 0.1, 0.2, 0.65]), 6)
    0.216162
    """
    if of_classes(y_score):
        return log_loss_of_classes(y_true, y_score, sample_weight, labels)
    source = scored_rows(y_true, y_score, sample_weight)
    return float(compute_metrics(source, [logarithmic_loss(source.epsilon)])[0])


def brier_score_loss(y_true: Any, y_score: Any, *, sample_weight: Any = None) -> float:
    """Mean squared difference between the probability and what happened.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As of `log_loss`.

    Returns
    -------
    float

    Notes
    -----
    The same number as `sklearn.metrics.brier_score_loss`, to rounding.

    Examples
    --------
    >>> round(brier_score_loss([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]), 6)
    0.0375
    """
    return float(compute_metrics(scored_rows(y_true, y_score, sample_weight), [brier()])[0])


def logarithmic_loss(epsilon: float) -> Metric:
    """Return log loss, with scores clipped by `epsilon`, as a `Metric`."""
    return Metric(partial(_log_losses, epsilon), partial(_mean, "Log loss"))


def brier() -> Metric:
    """Return the Brier score as a `Metric`."""
    return Metric(_squares, partial(_mean, "The Brier score"))


def calibration_error(bins: int = 10) -> Metric:
    """Return the expected calibration error as a `Metric`."""
    return Metric(partial(_binned, _some(bins)), _expected_error)


def binned_calibration(bins: int = 10) -> Metric:
    """Return calibration bins as a `Metric`."""
    return Metric(partial(_binned, _some(bins)), _calibration)


def histogram(bins: int = 50) -> Metric:
    """Return the histogram of scores within 0 and 1 as a `Metric`."""
    return Metric(partial(_histogram, _some(bins)), partial(_whole_histogram, bins))


def log_losses(score: NDArray[np.float64], epsilon: float) -> tuple[Any, Any]:
    """Return the loss of each score if the row is a positive, and if it is a negative."""
    clipped = np.clip(score, epsilon, 1 - epsilon)
    return -np.log(clipped), -np.log1p(-clipped)


def _log_losses(epsilon: float, ranked: Ranked) -> _Sum:
    lines = ranked.lines
    if_positive, if_negative = log_losses(lines.score, epsilon)
    loss = float((lines.positives * if_positive + lines.negatives * if_negative).sum())
    return _Sum(loss, *_outside(ranked))


def _squares(ranked: Ranked) -> _Sum:
    lines = ranked.lines
    squares = lines.positives * (1 - lines.score) ** 2 + lines.negatives * lines.score**2
    return _Sum(float(squares.sum()), *_outside(ranked))


def _outside(ranked: Ranked) -> tuple[float, float]:
    """Return the weight of rows with a score that is no probability, and such a score."""
    outside = (ranked.lines.score < 0) | (ranked.lines.score > 1)
    if not outside.any():
        return 0.0, 0.0
    return float(ranked.rows[outside].sum()), float(ranked.lines.score[outside][0])


def _mean(metric: str, sums: list[_Sum], totals: Totals) -> float:
    outside = math.fsum(part.outside for part in sums)
    if outside:
        example = next(part.example for part in sums if part.outside)
        raise InputError(
            f"{metric} needs probabilities, but {outside:,.0f} of {totals.rows:,.0f} rows have a "
            f"score outside 0 and 1, such as {example:g}. Give the column of class 1 of "
            "predict_proba, not margins."
        )
    return math.fsum(part.loss for part in sums) / totals.rows


def _binned(bins: int, ranked: Ranked) -> tuple[_Sum, NDArray[np.float64]]:
    """Return rows, positives and the sum of scores in each bin, which holds its upper edge."""
    score = ranked.lines.score
    limits = np.searchsorted(-score, -np.linspace(0, 1, bins + 1)[-2:0:-1])
    values = (ranked.rows, ranked.lines.positives, ranked.rows * score)
    sums = np.array([_sums_between(value, limits) for value in values])
    return _Sum(0.0, *_outside(ranked)), sums


def _sums_between(values: NDArray[np.float64], limits: NDArray[np.int64]) -> list[float]:
    """Sum up what falls into each bin; lines fall with the score, bins are told rising."""
    return [float(part.sum()) for part in np.split(values, limits)][::-1]


def _bins(shares: list[Any], totals: Totals) -> NDArray[np.float64]:
    _mean("Calibration", [part for part, _ in shares], totals)
    sums: NDArray[np.float64] = np.sum([part for _, part in shares], axis=0)
    return sums[:, sums[0] > 0]


def _expected_error(shares: list[Any], totals: Totals) -> float:
    _, positives, scores = _bins(shares, totals)
    return math.fsum(np.abs(positives - scores)) / totals.rows


def _calibration(shares: list[Any], totals: Totals) -> CalibrationBins:
    rows, positives, scores = _bins(shares, totals)
    low, high = wilson_interval(positives, rows)
    return CalibrationBins(scores / rows, positives / rows, rows, low, high)


def _histogram(bins: int, ranked: Ranked) -> NDArray[np.float64]:
    lines = ranked.lines
    limits = np.searchsorted(-lines.score, -np.linspace(0, 1, bins + 1)[-2:0:-1], side="right")
    return np.array(
        [_sums_between(values, limits) for values in (lines.negatives, lines.positives)]
    )


def _whole_histogram(bins: int, counts: list[NDArray[np.float64]], _: Totals) -> ScoreHistogram:
    return ScoreHistogram(np.linspace(0, 1, bins + 1), *np.sum(counts, axis=0))


def _some(bins: int) -> int:
    if bins < 1:
        raise ConfigurationError(f"bins is {bins}; it must be at least 1.")
    return bins
