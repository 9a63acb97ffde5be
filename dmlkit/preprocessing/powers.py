"""Box-Cox's and Yeo-Johnson's powers of numbers, without losing digits far from 0. Arrays only."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import boxcox1p

__all__ = ["logarithms", "powered"]

Array = NDArray[np.float64]


def powered(values: Array, power: float, origin: float, method: str) -> Array:
    """Take values to a power, about an origin and in its units.

    What comes out is a linear function of the transformation as it is usually written, and equal
    to it about 1 (Box-Cox) or 0.
    """
    with np.errstate(all="ignore"):
        if method == "box-cox":
            return _of_logarithms(logarithms(values, origin, method), power)
        sign, own = (1.0, power) if origin >= 0 else (-1.0, 2 - power)
        near = sign * _of_logarithms(_ratios(np.abs(values), abs(origin), np.log1p), own)
        apart = _yeo_johnson(values, power) - _yeo_johnson(np.array(origin), power)
        far = apart / (1 + abs(origin)) ** own
    return np.where((values >= 0) == (origin >= 0), near, far)


def _of_logarithms(logarithms: Array, power: float) -> Array:
    return np.expm1(power * logarithms) / power if power else logarithms


def _yeo_johnson(values: Array, power: float) -> Array:
    return np.where(values >= 0, boxcox1p(values, power), -boxcox1p(-values, 2 - power))


def logarithms(values: Array, origin: float, method: str) -> Array:
    """Return what the powers' derivatives add to the likelihood, for each power above 1."""
    if method == "box-cox":
        return _ratios(values, origin, np.log)
    if origin == 0:
        return np.sign(values) * np.log1p(np.abs(values))
    return np.sign(origin) * _ratios(np.abs(values), abs(origin), np.log1p)


def _ratios(sizes: Array, origin: float, log: Callable[[Any], Any]) -> Array:
    """Return ``log(sizes) - log(origin)``, to the last digit where they are near each other."""
    unit = origin + 1 if log is np.log1p else origin
    apart = (sizes - origin) / unit
    return np.where(np.abs(apart) < 0.5, np.log1p(apart), log(sizes) - log(origin))
