"""What margins cost, and the derivatives: for two classes, and for Tweedie's distributions."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

__all__ = ["Logistic", "Loss", "Losses", "Tweedie", "sigmoid"]

Vector = NDArray[np.float64]


class Losses(NamedTuple):
    """Of each row the loss, and its first and second derivative by the margin."""

    value: Vector
    slope: Vector
    curvature: Vector


class Loss(Protocol):
    """A loss that is 0 where a prediction is the label."""

    @property
    def bends(self) -> bool:
        """Whether labels that are far off can bend it downwards."""
        ...

    def outside(self, label: Vector) -> int:
        """Count labels that it is not defined for."""
        ...

    def of(self, label: Vector, margin: Vector, *, expected: bool) -> Losses:
        """Return what margins cost; infinite where no prediction belongs to one.

        With `expected`, curvatures are those that labels have on average, which are never negative.
        """
        ...


@dataclass(frozen=True)
class Logistic:
    """Of a class, 0 or 1, whose log-odds are the margin."""

    bends = False

    def outside(self, label: Vector) -> int:
        """Count labels that are neither class."""
        return int(((label != 0) & (label != 1)).sum())

    def of(self, label: Vector, margin: Vector, *, expected: bool) -> Losses:  # noqa: ARG002
        """Return what margins cost."""
        # Of the size of the margin alone, which nothing overflows at.
        small = np.exp(-np.abs(margin))
        chance = np.where(margin < 0, small, 1.0) / (1 + small)
        value = np.log1p(small) + np.maximum(margin, 0) - label * margin
        return Losses(value, chance - label, chance * (1 - chance))


@dataclass(frozen=True)
class Tweedie:
    """Half the deviance of distributions whose variance is a power of their mean.

    Attributes
    ----------
    power : float
        0 is normal, 1 Poisson, 2 gamma, 3 inverse Gaussian; between 1 and 2 some labels are 0.
    log : bool
        Whether the margin is the logarithm of the mean; else it is the mean.

    References
    ----------
    Jørgensen: *The Theory of Dispersion Models*. Chapman and Hall 1997.
    """

    power: float
    log: bool

    bends = True

    def outside(self, label: Vector) -> int:
        """Count labels that have no chance: negative ones, and from a power of 2 on 0."""
        if self.power <= 0:
            return 0
        return int((label < 0 if self.power < 2 else label <= 0).sum())

    def mean(self, margin: Vector) -> Vector:
        """Return the mean that belongs to a margin."""
        return np.exp(margin) if self.log else margin

    def margin(self, mean: float) -> float:
        """Return the margin that belongs to a mean; minus infinity where there is none."""
        if self.log or self.power != 0:
            return float(np.log(mean) if self.log else mean) if mean > 0 else -np.inf
        return mean

    def of(self, label: Vector, margin: Vector, *, expected: bool) -> Losses:
        """Return what margins cost."""
        with np.errstate(all="ignore"):
            mean = self.mean(margin)
            value = self._half_deviance(label, mean)
            spread = mean**-self.power  # one over the variance
            if self.log:
                slope = spread * mean * (mean - label)
                curvature = spread * mean**2
                observed = curvature + (1 - self.power) * slope
            else:
                slope = spread * (mean - label)
                curvature = spread
                observed = curvature - self.power * slope / mean
        if self.power != 0:
            value = np.where(mean > 0, value, np.inf)
        elif not self.log:
            observed = curvature  # 0 / 0 where the mean is 0
        return Losses(value, slope, curvature if expected else observed)

    def _half_deviance(self, label: Vector, mean: Vector) -> Vector:
        power = self.power
        if power == 0:
            return np.square(label - mean) / 2
        if power == 1:
            return xlogy(label, label / mean) - label + mean
        if power == 2:
            return np.log(mean / label) + label / mean - 1
        best = np.maximum(label, 0) ** (2 - power) / ((1 - power) * (2 - power))
        value: Vector = (
            best - label * mean ** (1 - power) / (1 - power) + mean ** (2 - power) / (2 - power)
        )
        return value


def sigmoid(margin: Vector) -> Vector:
    """Return the chance of class 1 at some log-odds."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-margin))
