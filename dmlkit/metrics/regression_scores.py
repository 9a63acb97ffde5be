"""Scores of predicted numbers with scikit-learn's names: each in one pass, on any partitions."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.metrics.side_by_side import added_up, check_lengths, finite_numbers, weights_of

__all__ = [
    "explained_variance_score",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "r2_score",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
]


@dataclass(frozen=True)
class _Sums:
    """Weighted sums over rows.

    Attributes
    ----------
    rows : int
    weight : float
    mean, apart : float
        Of the truth: the mean, and the squares of what is apart from it. Kept like this, and not
        as a sum of squares, nothing is lost where numbers are large and alike.
    squared, absolute, relative : float
        Of the errors.
    bias, around : float
        Of the errors with their sign: the mean, and the squares of what is apart from it.
    largest : float
        The size of the largest error.
    """

    rows: int
    weight: float
    mean: float
    apart: float
    squared: float
    absolute: float
    relative: float
    bias: float
    around: float
    largest: float


def mean_squared_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean of squared errors.

    Parameters
    ----------
    y_true, y_pred : dask or pandas Series
        Of numbers.
    sample_weight : Series like y_true, optional

    Returns
    -------
    float
        Equal to scikit-learn's, on any partitions.

    Raises
    ------
    InputError
        They are not partitioned alike, a value is missing or infinite, or there is no row.

    Examples
    --------
    >>> mean_squared_error(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 6.0]))
    3.0
    """
    sums = _sums_of(y_true, y_pred, sample_weight)
    return sums.squared / sums.weight


def root_mean_squared_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the root of `mean_squared_error`.

    Examples
    --------
    >>> root_mean_squared_error(pd.Series([1.0, 2.0]), pd.Series([4.0, 5.0]))
    3.0
    """
    return float(np.sqrt(mean_squared_error(y_true, y_pred, sample_weight=sample_weight)))


def mean_absolute_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean size of errors; as `mean_squared_error` otherwise.

    Examples
    --------
    >>> mean_absolute_error(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 6.0]))
    1.0
    """
    sums = _sums_of(y_true, y_pred, sample_weight)
    return sums.absolute / sums.weight


def mean_absolute_percentage_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean size of errors as a share of the truth; as `mean_squared_error` otherwise.

    Where the truth is 0, the share is of the least number above it, as scikit-learn has it.

    Examples
    --------
    >>> mean_absolute_percentage_error(pd.Series([1.0, 2.0]), pd.Series([2.0, 2.0]))
    0.5
    """
    sums = _sums_of(y_true, y_pred, sample_weight)
    return sums.relative / sums.weight


def mean_squared_log_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean of squared errors of log(1 + y); as `mean_squared_error` otherwise.

    Raises
    ------
    InputError
        A number is -1 or less, besides.

    Examples
    --------
    >>> round(mean_squared_log_error(pd.Series([0.0, 3.0]), pd.Series([1.0, 3.0])), 4)
    0.2402
    """
    sums = _sums_of(y_true, y_pred, sample_weight, logarithms=True)
    return sums.squared / sums.weight


def root_mean_squared_log_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the root of `mean_squared_log_error`.

    Examples
    --------
    >>> round(root_mean_squared_log_error(pd.Series([0.0, 3.0]), pd.Series([1.0, 3.0])), 4)
    0.4901
    """
    return float(np.sqrt(mean_squared_log_error(y_true, y_pred, sample_weight=sample_weight)))


def max_error(y_true: Any, y_pred: Any) -> float:
    """Return the size of the largest error; as `mean_squared_error` otherwise.

    Examples
    --------
    >>> max_error(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.5, 1.0]))
    2.0
    """
    return _sums_of(y_true, y_pred, None).largest


def explained_variance_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the share of the truth's variance that is not in the errors; as `r2_score` otherwise.

    Errors that are all the same count for nothing, which makes the difference to `r2_score`.

    Examples
    --------
    >>> explained_variance_score(pd.Series([1.0, 2.0, 3.0]), pd.Series([2.0, 3.0, 4.0]))
    1.0
    """
    sums = _sums_of(y_true, y_pred, sample_weight)
    if sums.apart == 0:
        return float(sums.around == 0)
    return 1 - sums.around / sums.apart


def r2_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the share of the truth's variance that predictions explain.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As for `mean_squared_error`.

    Returns
    -------
    float
        At most 1; below 0 where the mean would be better. Of a truth that does not vary: 1 where
        all is predicted, else 0, as scikit-learn has it; NaN for a single row.

    Examples
    --------
    >>> r2_score(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 2.0, 2.0]))
    0.5
    """
    sums = _sums_of(y_true, y_pred, sample_weight)
    if sums.rows < 2:
        return float("nan")
    if sums.apart == 0:
        return float(sums.squared == 0)
    return 1 - sums.squared / sums.apart


def _sums_of(y_true: Any, y_pred: Any, sample_weight: Any, *, logarithms: bool = False) -> _Sums:
    summary = partial(_sums, logarithms=logarithms)
    sums: _Sums = added_up(summary, _add, y_true, y_pred, sample_weight)
    if not sums.rows:
        raise InputError("There is no row to judge. Look at the filters before it.")
    if not sums.weight:
        raise InputError("All weights are 0: there is nothing to judge by.")
    return sums


def _sums(
    true: pd.Series, found: pd.Series, weight: pd.Series | None = None, *, logarithms: bool
) -> _Sums:
    check_lengths(true, found, weight)
    truth, prediction = finite_numbers(true, "label"), finite_numbers(found, "prediction")
    if logarithms:
        truth, prediction = _logarithms(truth), _logarithms(prediction)
    weights = weights_of(len(truth), weight)
    total = float(weights.sum())
    mean = float(weights @ truth / total) if total else 0.0
    signed = truth - prediction
    errors = np.abs(signed)
    bias = float(weights @ signed / total) if total else 0.0
    return _Sums(
        rows=len(truth),
        weight=total,
        mean=mean,
        apart=float(weights @ (truth - mean) ** 2),
        squared=float(weights @ errors**2),
        absolute=float(weights @ errors),
        relative=float(weights @ (errors / np.maximum(np.abs(truth), np.finfo(np.float64).eps))),
        bias=bias,
        around=float(weights @ (signed - bias) ** 2),
        largest=float(errors.max(initial=0.0)),
    )


def _logarithms(values: np.ndarray) -> np.ndarray:
    wrong = values <= -1
    if wrong.any():
        raise InputError(
            f"{int(wrong.sum()):,} rows of a partition have {values[wrong][0]:g}, and logarithms "
            "are of numbers above -1. Use mean_squared_error, or drop them."
        )
    return np.log1p(values)


def _add(parts: list[_Sums]) -> _Sums:
    """Add sums up; those about the mean as Chan, Golub and LeVeque do (1983)."""
    weight = sum(part.weight for part in parts)
    mean = sum(part.weight * part.mean for part in parts) / weight if weight else 0.0
    bias = sum(part.weight * part.bias for part in parts) / weight if weight else 0.0
    return _Sums(
        rows=sum(part.rows for part in parts),
        weight=weight,
        mean=mean,
        apart=sum(part.apart + part.weight * (part.mean - mean) ** 2 for part in parts),
        squared=sum(part.squared for part in parts),
        absolute=sum(part.absolute for part in parts),
        relative=sum(part.relative for part in parts),
        bias=bias,
        around=sum(part.around + part.weight * (part.bias - bias) ** 2 for part in parts),
        largest=max(part.largest for part in parts),
    )
