"""Scores by medians and other quantiles: exact on any partitions, from one ranking of all rows."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import for_each
from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.rows import LabelledScores, Source
from dmlkit.metrics.side_by_side import (
    added_up,
    check_lengths,
    finite_numbers,
    parts_of,
    weights_of,
)

__all__ = [
    "d2_absolute_error_score",
    "d2_pinball_score",
    "mean_pinball_loss",
    "median_absolute_error",
]

Array = NDArray[np.float64]

#: Sums of weights that should be the same differ by so much of them.
ROUNDING = 1e-12


def median_absolute_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the median size of errors.

    Parameters
    ----------
    y_true, y_pred : dask or pandas Series
        Of numbers.
    sample_weight : Series like y_true, optional

    Returns
    -------
    float
        Equal to scikit-learn's, on any partitions: errors are ranked over all of them.

    Raises
    ------
    InputError
        They are not partitioned alike, a value is missing or infinite, or there is no row.

    Examples
    --------
    >>> median_absolute_error(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.5, 9.0]))
    0.5
    """
    return _quantile(_errors, 0.5, y_true, y_pred, sample_weight)


def mean_pinball_loss(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, alpha: float = 0.5
) -> float:
    """Return the mean loss of a predicted quantile.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As of `median_absolute_error`.
    alpha : float
        Which quantile was predicted, from 0 to 1; for 0.5 it is half the mean absolute error.

    Returns
    -------
    float
        Equal to scikit-learn's within 1e-12, in one pass.

    Examples
    --------
    >>> mean_pinball_loss(pd.Series([1.0, 2.0]), pd.Series([2.0, 4.0]), alpha=0.75).__round__(3)
    0.375
    """
    _, weight, loss = _losses_of(y_true, y_pred, sample_weight, alpha)
    return float(loss / weight)


def d2_pinball_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, alpha: float = 0.5
) -> float:
    """Return the share of the pinball loss that predictions take away from that of the quantile.

    Parameters
    ----------
    y_true, y_pred, sample_weight, alpha
        As of `mean_pinball_loss`.

    Returns
    -------
    float
        At most 1; below 0 where one number for all, the quantile of the truth, would be better;
        NaN for a single row. Of a truth that does not vary: 1 where all is predicted, else 0.

    Examples
    --------
    >>> d2_pinball_score(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 2.0]))
    0.5
    """
    rows, _, loss = _losses_of(y_true, y_pred, sample_weight, alpha)
    if rows < 2:
        return float("nan")
    quantile = _quantile(_truth, alpha, y_true, y_pred, sample_weight)
    _, _, without = _losses_of(y_true, y_pred, sample_weight, alpha, instead=quantile)
    if without == 0:
        return float(loss == 0)
    return float(1 - loss / without)


def d2_absolute_error_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the share of absolute errors that predictions take away from those of the median.

    Examples
    --------
    >>> d2_absolute_error_score(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 2.0]))
    0.5
    """
    return d2_pinball_score(y_true, y_pred, sample_weight=sample_weight, alpha=0.5)


def _losses_of(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    alpha: float,
    instead: float | None = None,
) -> Array:
    """Return the number of rows, their weight, and the sum of their losses."""
    if not 0 <= alpha <= 1:
        raise ConfigurationError(f"alpha is {alpha}; it must be from 0 to 1.")
    summary = partial(_losses, alpha=alpha, instead=instead)
    sums: Array = added_up(summary, partial(np.sum, axis=0), y_true, y_pred, sample_weight)
    if not sums[0]:
        raise InputError("There is no row to judge. Look at the filters before it.")
    if not sums[1]:
        raise InputError("All weights are 0: there is nothing to judge by.")
    return sums


def _losses(
    true: pd.Series,
    found: pd.Series,
    weight: pd.Series | None = None,
    *,
    alpha: float,
    instead: float | None,
) -> Array:
    check_lengths(true, found, weight)
    truth, prediction = finite_numbers(true, "label"), finite_numbers(found, "prediction")
    weights = weights_of(len(truth), weight)
    apart = truth - (prediction if instead is None else instead)
    return np.array(
        [len(truth), weights.sum(), weights @ np.maximum(alpha * apart, (alpha - 1) * apart)]
    )


def _quantile(
    figure: Callable[[Array, Array], Array],
    share: float,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
) -> float:
    """Return a quantile of a figure of rows; between two of them, their mean."""
    given = [y_true, y_pred, *([] if sample_weight is None else [sample_weight])]
    parts, scheduler = parts_of(*given)
    rows = for_each(partial(_figures, figure), *parts)
    epsilon = float(np.finfo(np.float64).eps)
    source = Source([], rows, epsilon, scheduler)
    found = compute_metrics(source, [Metric(partial(_reached, share), _lowest)])[0]
    return float(found)


def _figures(
    figure: Callable[[Array, Array], Array],
    true: pd.Series,
    found: pd.Series,
    weight: pd.Series | None = None,
) -> LabelledScores:
    check_lengths(true, found, weight)
    values = figure(finite_numbers(true, "label"), finite_numbers(found, "prediction"))
    if weight is None:
        return LabelledScores(np.ones(len(values), bool), values, None, None, None, ())
    weights = weights_of(len(values), weight)
    there = weights > 0
    return LabelledScores(
        np.ones(there.sum(), bool), values[there], weights[there], None, there, ()
    )


def _errors(truth: Array, prediction: Array) -> Array:
    return np.abs(prediction - truth)


def _truth(truth: Array, _: Array) -> Array:
    return truth


def _reached(share: float, ranked: Ranked) -> tuple[float, float]:
    """Return the lowest values here up to which the share of all weight lies, and above it."""
    total = ranked.totals.rows
    upto = total - ranked.flagged + ranked.rows  # lines fall with the value
    reached = ranked.lines.score[upto >= share * total - ROUNDING * total]
    beyond = ranked.lines.score[upto > share * total + ROUNDING * total]
    return reached.min(initial=math.inf), beyond.min(initial=math.inf)


def _lowest(found: list[tuple[float, float]], _: Totals) -> float:
    reached, beyond = (min(each) for each in zip(*found, strict=True))
    return reached if math.isinf(beyond) else (reached + beyond) / 2
