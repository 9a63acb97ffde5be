"""Deviances of predicted counts and amounts: Poisson, gamma, Tweedie; scikit-learn's names."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics.side_by_side import added_up, check_lengths, finite_numbers, weights_of

__all__ = [
    "d2_tweedie_score",
    "mean_gamma_deviance",
    "mean_poisson_deviance",
    "mean_tweedie_deviance",
]

Array = NDArray[np.float64]


class _Sums(NamedTuple):
    """Rows, their weight, and weighted sums of the truth and of deviances."""

    rows: int
    weight: float
    truth: float
    deviance: float


def mean_tweedie_deviance(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, power: float = 0
) -> float:
    """Return the mean deviance of a Tweedie distribution.

    Parameters
    ----------
    y_true, y_pred : dask or pandas Series
        Of numbers.
    sample_weight : Series like y_true, optional
    power : float
        0: squared errors; 1: Poisson; between: counts of amounts; 2: gamma; 3: inverse Gaussian.

    Returns
    -------
    float
        Equal to scikit-learn's within 1e-12, on any partitions; one pass.

    Raises
    ------
    ConfigurationError
        There is no distribution of this power (between 0 and 1).
    InputError
        A number is not one that the distribution has, or is missing; or there is no row.

    Examples
    --------
    >>> truth, found = pd.Series([2.0, 0.0, 1.0]), pd.Series([1.0, 0.5, 1.0])
    >>> round(mean_tweedie_deviance(truth, found, power=1.5), 4)
    1.1716
    """
    sums = _sums_of(y_true, y_pred, sample_weight, power)
    return sums.deviance / sums.weight


def mean_poisson_deviance(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean deviance of counts; see `mean_tweedie_deviance`.

    Examples
    --------
    >>> truth, found = pd.Series([2.0, 0.0, 1.0]), pd.Series([1.0, 0.5, 1.0])
    >>> round(mean_poisson_deviance(truth, found), 4)
    0.5909
    """
    return mean_tweedie_deviance(y_true, y_pred, sample_weight=sample_weight, power=1)


def mean_gamma_deviance(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean deviance of amounts; see `mean_tweedie_deviance`.

    Examples
    --------
    >>> round(mean_gamma_deviance(pd.Series([2.0, 0.5]), pd.Series([1.0, 0.5])), 4)
    0.3069
    """
    return mean_tweedie_deviance(y_true, y_pred, sample_weight=sample_weight, power=2)


def d2_tweedie_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, power: float = 0
) -> float:
    """Return the share of the deviance that predictions explain; `r2_score` where power is 0.

    Parameters
    ----------
    y_true, y_pred, sample_weight, power
        As of `mean_tweedie_deviance`.

    Returns
    -------
    float
        At most 1; below 0 where the mean would be better; NaN for a single row. Two passes.

    Examples
    --------
    >>> truth, found = pd.Series([2.0, 0.0, 1.0]), pd.Series([1.5, 0.5, 1.0])
    >>> round(d2_tweedie_score(truth, found, power=1), 4)
    0.585
    """
    sums = _sums_of(y_true, y_pred, sample_weight, power)
    if sums.rows < 2:
        return float("nan")
    mean = sums.truth / sums.weight
    without = _sums_of(y_true, y_pred, sample_weight, power, instead=mean)
    return float(1 - np.float64(sums.deviance) / without.deviance)


def _sums_of(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    power: float,
    instead: float | None = None,
) -> _Sums:
    if 0 < power < 1:
        raise ConfigurationError(f"power is {power}; it must be 0 or less, or 1 or more.")
    summary = partial(_sums, power=power, instead=instead)
    sums: _Sums = added_up(summary, _add, y_true, y_pred, sample_weight)
    if not sums.rows:
        raise InputError("There is no row to judge. Look at the filters before it.")
    if not sums.weight:
        raise InputError("All weights are 0: there is nothing to judge by.")
    return sums


def _sums(
    true: pd.Series,
    found: pd.Series,
    weight: pd.Series | None = None,
    *,
    power: float,
    instead: float | None,
) -> _Sums:
    check_lengths(true, found, weight)
    truth, prediction = finite_numbers(true, "label"), finite_numbers(found, "prediction")
    _check_range(truth, prediction, power)
    weights = weights_of(len(truth), weight)
    if instead is not None:
        prediction = np.full(len(truth), instead)
    deviances = _deviances(truth, prediction, power)
    return _Sums(
        len(truth), float(weights.sum()), float(weights @ truth), float(weights @ deviances)
    )


def _check_range(truth: Array, prediction: Array, power: float) -> None:
    checks = [
        (power >= 2, truth <= 0, "label of 0 or less"),
        (1 <= power < 2, truth < 0, "label below 0"),
        (power != 0, prediction <= 0, "prediction of 0 or less"),
    ]
    for applies, wrong, told in checks:
        if applies and wrong.any():
            raise InputError(
                f"{int(wrong.sum()):,} rows of a partition have a {told}, for which there is no "
                f"deviance of the power {power:g}. Drop them, or take another power."
            )


def _deviances(truth: Array, prediction: Array, power: float) -> Array:
    found: Array
    if power == 0:
        found = (truth - prediction) ** 2
    elif power == 1:
        found = 2 * (xlogy(truth, truth / prediction) - truth + prediction)
    elif power == 2:
        found = 2 * (np.log(prediction / truth) + truth / prediction - 1)
    else:
        above = np.maximum(truth, 0.0) if power < 0 else truth
        found = 2 * (
            above ** (2 - power) / ((1 - power) * (2 - power))
            - truth * prediction ** (1 - power) / (1 - power)
            + prediction ** (2 - power) / (2 - power)
        )
    return found


def _add(parts: list[_Sums]) -> _Sums:
    return _Sums(*(sum(values) for values in zip(*parts, strict=True)))
