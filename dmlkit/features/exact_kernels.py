"""Row loops for sums and variances over windows (numba), exact and rounded once. No tables here.

What enters a sum and leaves it again leaves no trace, and a result depends neither on the order of
rows nor on what lies before the window. What kernels take is said in `dmlkit.features.kernels`.

References
----------
D. E. Knuth: The Art of Computer Programming 2, 4.2.2 (TwoSum). T. J. Dekker: A floating-point
technique for extending the available precision. Numerische Mathematik 18, 1971 (TwoProduct).
J. R. Shewchuk: Adaptive precision floating-point arithmetic. Discrete & Computational Geometry 18,
1997 (expansions).
"""

import numpy as np

from dmlkit.features.kernels import compiled

__all__ = ["sliding_sum", "sliding_variance"]

#: Sums are of values times this power of two, so that they don't overflow on the way.
SCALE = 2.0**-40

#: In a variance larger values count as infinite: sums of their squares could overflow.
LARGEST_SQUARED = 1e140

#: Dekker's constant: splits a double into two halves of 26 bits.
SPLITTER = 134217729.0

#: Where a variance is a smaller share of the mean square than this, it is computed exactly.
CANCELLED = 2.0**-40

#: No sum of doubles needs more of them: their exponents range over 2100 bits, and each has 53.
MOST_PARTS = 64


@compiled
def _two_sum(a, b):  # type: ignore[no-untyped-def]
    """Return the rounded sum and what rounding took away."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


@compiled
def _two_product(a, b):  # type: ignore[no-untyped-def]
    """Return the rounded product and what rounding took away."""
    product = a * b
    scaled = SPLITTER * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = SPLITTER * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


@compiled
def _grow(parts, used, value):  # type: ignore[no-untyped-def]
    """Add a value to an expansion: `parts` of rising size whose bits don't overlap."""
    kept = 0
    for i in range(used):
        value, rest = _two_sum(value, parts[i])
        if rest != 0.0:
            parts[kept] = rest
            kept += 1
    if value != 0.0:
        parts[kept] = value
        kept += 1
    return kept


@compiled
def _add(high, low, parts, used, value):  # type: ignore[no-untyped-def]
    """Add a value exactly: the sum is high + low + the first `used` of `parts`.

    Two doubles mostly do, in registers; only what does not fit into them goes to the parts.
    """
    high, rest = _two_sum(high, value)
    low, rest = _two_sum(low, rest)
    if rest != 0.0:
        used = _grow(parts, used, rest)
    return high, low, used


@compiled
def _rounded(parts, used):  # type: ignore[no-untyped-def]
    """Round an expansion to the nearest double, ties to even."""
    if used == 0:
        return 0.0
    i = used - 1
    total = parts[i]
    rest = 0.0
    while i > 0 and rest == 0.0:
        i -= 1
        total, rest = _two_sum(total, parts[i])
    # When exactly half a bit was cut off, the parts below decide.
    if i > 0 and rest * parts[i - 1] > 0.0:
        twice = 2.0 * rest
        if (total + twice) - total == twice:
            total += twice
    return total


@compiled
def _expand(high, low, parts, used, work):  # type: ignore[no-untyped-def]
    """Write an exact sum into `work` as an expansion; return how many parts it has."""
    work[:used] = parts[:used]
    return _grow(work, _grow(work, used, low), high)


@compiled
def _with_infinities(total, positive, negative):  # type: ignore[no-untyped-def]
    """Return a sum as IEEE has it, given how many infinite values the window holds."""
    if positive > 0 and negative > 0:
        return np.nan
    if positive > 0:
        return np.inf
    if negative > 0:
        return -np.inf
    return total


@compiled
def sliding_sum(codes, values, start, stop):  # type: ignore[no-untyped-def]
    """Sum the values in each window that are not missing: an (n,) float64 array, 0 if none.

    Each is the true sum rounded once, but for values below 1e-290, which lose digits.
    """
    n = len(codes)
    sums = np.zeros(n, np.float64)
    parts = np.empty(MOST_PARTS)
    work = np.empty(MOST_PARTS)
    first = last = 0
    high = low = 0.0
    used = positive = negative = 0
    for i in range(n):
        if i == 0 or codes[i] != codes[i - 1]:
            first = last = start[i]
            high = low = 0.0
            used = positive = negative = 0
        while last < stop[i]:
            value = values[last]
            last += 1
            if np.isinf(value):
                positive += value > 0
                negative += value < 0
            elif not np.isnan(value):
                high, low, used = _add(high, low, parts, used, value * SCALE)
        while first < start[i]:
            value = values[first]
            first += 1
            if np.isinf(value):
                positive -= value > 0
                negative -= value < 0
            elif not np.isnan(value):
                high, low, used = _add(high, low, parts, used, -value * SCALE)
        total = high + low
        if used:
            total = _rounded(work, _expand(high, low, parts, used, work))
        sums[i] = _with_infinities(total / SCALE, positive, negative)
    return sums


@compiled
def _quick_variance(count, total, rest, squares, squares_rest):  # type: ignore[no-untyped-def]
    """Return (sum of squares - sum² / count) / (count - 1) in twice a double's precision.

    Where these cancel out by more than a few digits: -1.
    """
    product, error = _two_product(total, total)
    error += 2.0 * total * rest
    quotient = product / count
    back, back_error = _two_product(quotient, float(count))
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
        product, error = _two_product(squares[i], float(count))
        grown = _grow(work, _grow(work, grown, error), product)
    for i in range(used):
        for j in range(used):
            product, error = _two_product(-sums[i], sums[j])
            grown = _grow(work, _grow(work, grown, error), product)
    return max(_rounded(work, grown), 0.0) / (float(count) * (count - 1))


@compiled
def _two_largest(a, b, c, d):  # type: ignore[no-untyped-def]
    """Return a + b + c + d as the nearest double, and the nearest to what is left."""
    for _ in range(2):
        c, d = _two_sum(c, d)
        b, c = _two_sum(b, c)
        a, b = _two_sum(a, b)
    return a, b + (c + d)


@compiled
def _last_other_rows(values):  # type: ignore[no-untyped-def]
    """Return, for each row, the last one before it with another value: -1 if there is none."""
    others = np.empty(len(values), np.int64)
    newest, newest_row, other_row = np.nan, -1, -1
    for i in range(len(values)):
        if not np.isnan(values[i]):
            if values[i] != newest:
                newest, other_row = values[i], newest_row
            newest_row = i
        others[i] = other_row
    return others


@compiled
def sliding_variance(codes, values, start, stop):  # type: ignore[no-untyped-def]
    """Return the sample variance in each window: (n,) float64, missing below two values.

    Missing values are left out; a window with an infinite value has a missing variance. Squares
    are summed as a rounded part and what rounding took away, as both mostly stay in registers.
    """
    n = len(codes)
    variances = np.full(n, np.nan)
    others = _last_other_rows(values)
    parts, square_parts = np.empty(MOST_PARTS), np.empty(MOST_PARTS)
    sums, squares = np.empty(MOST_PARTS), np.empty(MOST_PARTS)
    work = np.empty(4 * MOST_PARTS)
    first = last = 0
    high = low = square_high = square_low = error_high = error_low = 0.0
    used = square_used = count = infinite = 0
    for i in range(n):
        if i == 0 or codes[i] != codes[i - 1]:
            first = last = start[i]
            high = low = square_high = square_low = error_high = error_low = 0.0
            used = square_used = count = infinite = 0
        while last < stop[i] or first < start[i]:
            sign = 1 if last < stop[i] else -1
            value = values[last if sign > 0 else first]
            last += sign > 0
            first += sign < 0
            if abs(value) > LARGEST_SQUARED:
                infinite += sign
            elif not np.isnan(value):
                count += sign
                square, error = _two_product(sign * value, value)
                high, low, used = _add(high, low, parts, used, sign * value)
                square_high, square_low, square_used = _add(
                    square_high, square_low, square_parts, square_used, square
                )
                error_high, error_low, square_used = _add(
                    error_high, error_low, square_parts, square_used, error
                )
        if infinite > 0 or count < 2:
            continue
        if others[stop[i] - 1] < start[i]:
            variances[i] = 0.0
        elif used == 0 and square_used == 0:
            variances[i] = _quick_variance(
                count,
                *_two_sum(high, low),
                *_two_largest(square_high, square_low, error_high, error_low),
            )
        if not variances[i] >= 0.0:
            grown = _expand(high, low, parts, used, sums)
            square_grown = _expand(square_high, square_low, square_parts, square_used, squares)
            square_grown = _grow(squares, _grow(squares, square_grown, error_low), error_high)
            variances[i] = _exact_variance(count, sums, grown, squares, square_grown, work)
    return variances
