"""Row loops for sums and variances over windows (numba), exact and rounded once. Arrays only.

Doubles are whole numbers times a power of two. Where sums of a column fit into 127 bits, those of
windows are differences of running totals in whole numbers, which are exact; else windows slide over
digits (`dmlkit.features.digit_kernels`). So a result depends on the values in the window and on
nothing else: neither on their order nor on what lay in the window before, and it has the same bits
either way. What events, `start` and `stop` are is said in `dmlkit.features.bound_kernels`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dmlkit.features import integer_kernels as integers
from dmlkit.features.compiled import compiled
from dmlkit.features.digit_kernels import sums_of_digits, variance_of, variances_of_digits
from dmlkit.features.integer_kernels import ZERO, negated, parts_of

__all__ = ["Moments", "WholeNumbers", "prepare", "sliding_sum", "sliding_variance"]

#: In a variance larger values count as infinite.
LARGEST_SQUARED = 1e140

#: Sums that fit into so many bits, and their squares into twice as many, are taken of totals.
LIMB_BITS = 127


@dataclass(frozen=True)
class WholeNumbers:
    """Finite doubles as whole numbers of `bits` bits at most, times ``2**lowest``.

    Attributes
    ----------
    values : (m,) float64 array
    lowest, bits : int
    fit : bool
        Whether their sums are differences of running totals, or slide over digits.
    """

    values: np.ndarray
    lowest: int
    bits: int
    fit: bool

    @classmethod
    def of(cls, values: np.ndarray) -> "WholeNumbers":
        """Find the power of two for some values."""
        smallest, largest = _smallest_and_largest(values)
        lowest = parts_of(smallest)[1]
        bits = parts_of(largest)[1] - lowest + 53
        return cls(values, lowest, bits, bits + len(values).bit_length() <= LIMB_BITS)

    @cached_property
    def totals(self) -> np.ndarray:
        """Running totals: (m + 1, 2) limbs."""
        return _totals(self.values, self.lowest)

    @cached_property
    def square_totals(self) -> np.ndarray:
        """Running totals of the squares: (m + 1, 4) limbs."""
        return _square_totals(self.values, self.lowest)

    def sums(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return the sums over windows."""
        if self.fit:
            return _sums_of_totals(self.totals, start, stop, self.lowest)
        return sums_of_digits(self.values, start, stop, self.lowest, self.bits)

    def variances(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return the variances in windows."""
        if self.fit:
            totals = self.totals, self.square_totals
            return _variances_of_totals(*totals, start, stop, self.lowest)
        return variances_of_digits(self.values, start, stop, self.lowest, self.bits)


@dataclass(frozen=True)
class Moments:
    """Values with what their sums and variances over different windows share.

    Attributes
    ----------
    values : (m,) float64 array
        None is missing.
    """

    values: np.ndarray

    @cached_property
    def summed(self) -> WholeNumbers:
        """The finite values; zero for the infinite ones."""
        finite = np.isfinite(self.values)
        return WholeNumbers.of(self.values if finite.all() else np.where(finite, self.values, 0.0))

    @cached_property
    def squared(self) -> WholeNumbers:
        """The values that a variance can have in its window; zero for the others."""
        if self.too_large is None:
            return self.summed
        return WholeNumbers.of(np.where(np.abs(self.values) > LARGEST_SQUARED, 0.0, self.values))

    @cached_property
    def infinite(self) -> tuple[np.ndarray, np.ndarray] | None:
        """How many values before each are infinite and positive, and negative; None if none is."""
        if np.isfinite(self.values).all():
            return None
        return _how_many_before(self.values == np.inf), _how_many_before(self.values == -np.inf)

    @cached_property
    def too_large(self) -> np.ndarray | None:
        """How many values before each are too large for a variance; None if none is."""
        too_large = np.abs(self.values) > LARGEST_SQUARED
        return _how_many_before(too_large) if too_large.any() else None


def prepare(values: np.ndarray) -> Moments:
    """Return what the windows on a column of values share."""
    return Moments(values)


def sliding_sum(moments: Moments, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Sum the values in each window: an (n,) float64 array, 0 if there are none.

    Each is the true sum rounded once, as `math.fsum` has it; infinite values count as IEEE has it.
    """
    sums = moments.summed.sums(start, stop)
    if moments.infinite is not None:
        positive, negative = (before[stop] > before[start] for before in moments.infinite)
        sums[positive] = np.inf
        sums[negative] = -np.inf
        sums[positive & negative] = np.nan
    return sums


def sliding_variance(moments: Moments, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the sample variance in each window: (n,) float64, missing below two values.

    A window with an infinite value, or one above 1e140, has a missing variance. Each of the others
    is ``n * sum of squares - sum**2``, exact and then rounded to the nearest double, divided by
    ``n * (n - 1)``: right to 3e-16 of itself, and zero where all values are equal. In plain Python:
    ``float(n * sum(v * v) - sum(v) ** 2) / (n * (n - 1.0))`` of `fractions.Fraction`, to the bit
    where that does not underflow.
    """
    variances = moments.squared.variances(start, stop)
    if moments.too_large is not None:
        variances[moments.too_large[stop] > moments.too_large[start]] = np.nan
    return variances


def _how_many_before(condition: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(condition)])


@compiled
def _smallest_and_largest(values):  # type: ignore[no-untyped-def]
    """Return the sizes of the smallest and of the largest value that is not zero."""
    smallest, largest = np.inf, 0.0
    for value in values:
        size = abs(value)
        largest = max(largest, size)
        if size > 0.0:
            smallest = min(smallest, size)
    if largest == 0.0:
        return 1.0, 1.0
    return smallest, largest


@compiled
def _totals(values, lowest):  # type: ignore[no-untyped-def]
    totals = np.empty((len(values) + 1, 2), np.uint64)
    high = low = ZERO
    totals[0, 0] = totals[0, 1] = ZERO
    for i in range(len(values)):
        mantissa, exponent = parts_of(values[i])
        upper, lower = integers.shifted(mantissa, max(exponent - lowest, 0))
        if values[i] < 0.0:
            upper, lower = negated(upper, lower)
        low += lower
        high += upper + np.uint64(low < lower)
        totals[i + 1, 0], totals[i + 1, 1] = high, low
    return totals


@compiled
def _square_totals(values, lowest):  # type: ignore[no-untyped-def]
    totals = np.empty((len(values) + 1, 4), np.uint64)
    total = (ZERO, ZERO, ZERO, ZERO)
    totals[0] = ZERO
    for i in range(len(values)):
        mantissa, exponent = parts_of(values[i])
        high, low = integers.shifted(mantissa, max(exponent - lowest, 0))
        total = integers.add(total, integers.square(high, low))
        totals[i + 1, 0], totals[i + 1, 1], totals[i + 1, 2], totals[i + 1, 3] = total
    return totals


@compiled
def _size_and_sign(totals, first, last):  # type: ignore[no-untyped-def]
    """Return the size of a difference of totals in two limbs, and its sign."""
    low = totals[last, 1] - totals[first, 1]
    borrow = np.uint64(totals[last, 1] < totals[first, 1])
    high = totals[last, 0] - totals[first, 0] - borrow
    if np.int64(high) < 0:
        high, low = negated(high, low)
        return high, low, -1.0
    return high, low, 1.0


@compiled
def _sums_of_totals(totals, start, stop, lowest):  # type: ignore[no-untyped-def]
    sums = np.empty(len(start))
    for i in range(len(start)):
        high, low, sign = _size_and_sign(totals, start[i], stop[i])
        value, exponent = integers.nearest_of_two(high, low)
        sums[i] = integers.scaled(sign * value + 0.0, exponent + lowest)
    return sums


@compiled
def _limbs(totals, row):  # type: ignore[no-untyped-def]
    return totals[row, 0], totals[row, 1], totals[row, 2], totals[row, 3]


@compiled
def _variances_of_totals(totals, square_totals, start, stop, lowest):  # type: ignore[no-untyped-def]
    variances = np.full(len(start), np.nan)
    for i in range(len(start)):
        count = stop[i] - start[i]
        if count < 2:
            continue
        high, low, _ = _size_and_sign(totals, start[i], stop[i])
        squares = integers.subtract(_limbs(square_totals, stop[i]), _limbs(square_totals, start[i]))
        spread = integers.subtract(
            integers.times(squares, np.uint64(count)), integers.square(high, low)
        )
        value, exponent = integers.nearest_of_four(spread)
        variances[i] = variance_of(value, exponent + 2 * lowest, count)
    return variances
