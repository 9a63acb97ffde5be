"""Row loops for sums and variances over windows (numba), exact and rounded once. Arrays only.

A result depends on the values in the window and on nothing else: neither on their order nor on
what lay in the window before. What events, `start` and `stop` are is said in
`dmlkit.features.bound_kernels`.
"""

from typing import NamedTuple

import numpy as np

from dmlkit.features.compiled import compiled
from dmlkit.features.expansions import (
    MOST_PARTS,
    add,
    expand,
    grow,
    rounded,
    two_product,
    two_sum,
    with_infinities,
)

__all__ = ["Moments", "prepare", "sliding_sum", "sliding_variance"]

#: Sums are of values times this power of two, so that they don't overflow on the way.
SCALE = 2.0**-40

#: In a variance larger values count as infinite: sums of their squares could overflow.
LARGEST_SQUARED = 1e140

#: Where a variance is a smaller share of the mean square than this, it is computed exactly.
CANCELLED = 2.0**-40

#: A little more than one: what is not more than half of a double's last bit is not near it either.
MORE = 1.0 + 2.0**-40


class Moments(NamedTuple):
    """Values with what their sums and variances over different windows share.

    Attributes
    ----------
    values : (m,) float64 array
        None is missing.
    squares, errors : (m,) float64 arrays
        Each square is the sum of both, exactly; NaN where a value counts as infinite.
    others : (m,) int64 array
        The last event before with another value, -1 if there is none.
    """

    values: np.ndarray
    squares: np.ndarray
    errors: np.ndarray
    others: np.ndarray


def prepare(values: np.ndarray) -> Moments:
    """Return what the windows on a column of values share."""
    squares, errors = _squares(values)
    return Moments(values, squares, errors, _last_other_events(values))


def sliding_sum(moments: Moments, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Sum the values in each window: an (n,) float64 array, 0 if there are none.

    Each is the true sum rounded once, but for values below 1e-290, which lose digits.
    """
    return _sliding_sum(moments.values, start, stop)


def sliding_variance(moments: Moments, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the sample variance in each window: (n,) float64, missing below two values.

    A window with an infinite value, or one above 1e140, has a missing variance. The others are
    right to about 4e-16 of themselves.
    """
    return _sliding_variance(*moments, start, stop)


@compiled
def square_of(value):  # type: ignore[no-untyped-def]
    """Return a value's square and what rounding took away; NaN for one that is too large."""
    if abs(value) > LARGEST_SQUARED:
        return np.nan, np.nan
    return two_product(value, value)


@compiled
def _squares(values):  # type: ignore[no-untyped-def]
    squares = np.empty(len(values))
    errors = np.empty(len(values))
    for i in range(len(values)):
        squares[i], errors[i] = square_of(values[i])
    return squares, errors


@compiled
def _last_other_events(values):  # type: ignore[no-untyped-def]
    others = np.empty(len(values), np.int64)
    other = -1
    for i in range(len(values)):
        if i > 0 and values[i] != values[i - 1]:
            other = i - 1
        others[i] = other
    return others


@compiled
def _sliding_sum(values, start, stop):  # type: ignore[no-untyped-def]
    n = len(start)
    sums = np.zeros(n, np.float64)
    parts = np.empty(MOST_PARTS)
    work = np.empty(MOST_PARTS)
    first = last = 0
    high = low = 0.0
    used = positive = negative = 0
    for i in range(n):
        if start[i] >= last:
            first = last = start[i]
            high = low = 0.0
            used = positive = negative = 0
        while last < stop[i] or first < start[i]:
            sign = 1 if last < stop[i] else -1
            value = values[last if sign > 0 else first]
            last += sign > 0
            first += sign < 0
            if np.isinf(value):
                positive += sign * (value > 0)
                negative += sign * (value < 0)
            else:
                high, low, used = add(high, low, parts, used, sign * value * SCALE)
        total = high + low
        if used:
            total = rounded(work, expand(high, low, parts, used, work))
        sums[i] = with_infinities(total / SCALE, positive, negative)
    return sums


@compiled
def quick_variance(count, total, rest, squares, squares_rest):  # type: ignore[no-untyped-def]
    """Return (sum of squares - sum² / count) / (count - 1) in twice a double's precision.

    Where these cancel out by more than a few digits: -1.

    Parameters
    ----------
    count : int
    total, rest : float
        The double next to the sum, and the one next to what is left.
    squares, squares_rest : float
        Likewise of the sum of squares.
    """
    product, error = two_product(total, total)
    error += 2.0 * total * rest
    quotient = product / count
    back, back_error = two_product(quotient, float(count))
    correction = ((product - back) - back_error + error) / count
    spread = (squares - quotient) + (squares_rest - correction)
    if spread > squares * CANCELLED:
        return spread / (count - 1)
    return -1.0


@compiled
def _exact_variance(count, sums, used, squares, squares_used, work):  # type: ignore[no-untyped-def]
    """Return (count * sum of squares - sum²) / (count * (count - 1)), the difference exact."""
    grown = 0
    for i in range(squares_used):
        product, error = two_product(squares[i], float(count))
        grown = grow(work, grow(work, grown, error), product)
    for i in range(used):
        for j in range(used):
            product, error = two_product(-sums[i], sums[j])
            grown = grow(work, grow(work, grown, error), product)
    return max(rounded(work, grown), 0.0) / (float(count) * (count - 1))


@compiled
def _two_nearest(parts, used, work):  # type: ignore[no-untyped-def]
    """Return the double next to an expansion, and the one next to what is left."""
    nearest = rounded(parts, used)
    work[:used] = parts[:used]
    return nearest, rounded(work, grow(work, used, -nearest))


@compiled
def _distilled(a, b, c, d):  # type: ignore[no-untyped-def]
    """Return the double next to a + b + c + d, the one next to what is left, and if that's sure."""
    for _ in range(2):
        c, d = two_sum(c, d)
        b, c = two_sum(b, c)
        a, b = two_sum(a, b)
    sure = a + b * MORE == a and b + (c + d) * MORE == b
    return a, b, sure


@compiled
def _variance(count, high, low, parts, used, square, square_parts, square_used, work):  # type: ignore[no-untyped-def]
    """Return the variance from a sum and a sum of squares (four doubles), and their parts."""
    if used == 0 and square_used == 0:
        total, rest = two_sum(high, low)
        squares, squares_rest, sure = _distilled(square[0], square[1], square[2], square[3])
        if sure:
            found = quick_variance(count, total, rest, squares, squares_rest)
            if found >= 0.0:
                return found
    sums, square_sums = work[0], work[1]
    grown = expand(high, low, parts, used, sums)
    square_sums[:square_used] = square_parts[:square_used]
    square_grown = square_used
    for each in range(3, -1, -1):
        square_grown = grow(square_sums, square_grown, square[each])
    total, rest = _two_nearest(sums, grown, work[2])
    squares, squares_rest = _two_nearest(square_sums, square_grown, work[2])
    found = quick_variance(count, total, rest, squares, squares_rest)
    if found >= 0.0:
        return found
    return _exact_variance(count, sums, grown, square_sums, square_grown, work[2])


@compiled
def _sliding_variance(values, squares, errors, others, start, stop):  # type: ignore[no-untyped-def]
    n = len(start)
    variances = np.full(n, np.nan)
    parts, square_parts = np.empty(MOST_PARTS), np.empty(MOST_PARTS)
    work = np.empty((3, 4 * MOST_PARTS))
    square = np.zeros(4)
    first = last = 0
    high = low = square_high = square_low = error_high = error_low = 0.0
    used = square_used = infinite = 0
    for i in range(n):
        if start[i] >= last:
            first = last = start[i]
            high = low = square_high = square_low = error_high = error_low = 0.0
            used = square_used = infinite = 0
        while last < stop[i] or first < start[i]:
            sign = 1 if last < stop[i] else -1
            event = last if sign > 0 else first
            last += sign > 0
            first += sign < 0
            if np.isnan(squares[event]):
                infinite += sign
                continue
            high, low, used = add(high, low, parts, used, sign * values[event])
            square_high, square_low, square_used = add(
                square_high, square_low, square_parts, square_used, sign * squares[event]
            )
            error_high, error_low, square_used = add(
                error_high, error_low, square_parts, square_used, sign * errors[event]
            )
        if infinite > 0 or stop[i] - start[i] < 2:
            continue
        if others[stop[i] - 1] < start[i]:
            variances[i] = 0.0
            continue
        square[0], square[1], square[2], square[3] = square_high, square_low, error_high, error_low
        variances[i] = _variance(
            stop[i] - start[i], high, low, parts, used, square, square_parts, square_used, work
        )
    return variances
