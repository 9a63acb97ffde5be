"""Exact sums of doubles of any size, as digits (numba). For what `integer_kernels` is too short.

A sum is an int64 array of digits of 32 bits each, the lowest first. A value is added to the three
digits that its bits lie in and carries nothing, so that taking it away again gives back the digits
that were there. What is read of them is rounded once.
"""

import numpy as np

from dmlkit.features.compiled import compiled
from dmlkit.features.integer_kernels import nearest_of_two, parts_of, scaled

__all__ = [
    "PADDING",
    "WHOLE",
    "add_to_digits",
    "carried",
    "digits_for",
    "nearest_of_digits",
    "sums_of_digits",
    "variance_of",
    "variances_of_digits",
]

#: Zeros before the digits that are read, so that the lowest ones too have some before them.
PADDING = 3

#: All bits of a place: the digits are no ring.
WHOLE = -1

DIGIT, DIGIT_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)


@compiled
def digits_for(bits):  # type: ignore[no-untyped-def]
    """Return how many digits a sum of values of so many bits needs at most."""
    return bits // 32 + 5


@compiled
def _three_digits(mantissa, place):  # type: ignore[no-untyped-def]
    """Return ``mantissa * 2**place`` as digits, the lowest first, for 0 to 31 places."""
    places = np.uint64(place)
    rest = mantissa >> (DIGIT_BITS - places)
    return (mantissa << places) & DIGIT, rest & DIGIT, rest >> DIGIT_BITS


@compiled
def add_to_digits(digits, mantissa, place, sign, ring):  # type: ignore[no-untyped-def]
    """Add ``sign * mantissa * 2**place``, a mantissa of 53 bits at most.

    With a `ring` the digits come around again after so many and one, a power of two.
    """
    first = place >> 5
    lowest, middle, upper = _three_digits(mantissa, place & 31)
    digits[first & ring] += sign * np.int64(lowest)
    digits[(first + 1) & ring] += sign * np.int64(middle)
    digits[(first + 2) & ring] += sign * np.int64(upper)


@compiled
def _add_square(digits, mantissa, place, sign):  # type: ignore[no-untyped-def]
    """Add ``sign * (mantissa * 2**place) ** 2``."""
    factors = _three_digits(mantissa, place & 31)
    for i in range(3):
        for j in range(3):
            product = factors[i] * factors[j]
            first = 2 * (place >> 5) + i + j
            digits[first] += sign * np.int64(product & DIGIT)
            digits[first + 1] += sign * np.int64(product >> DIGIT_BITS)


@compiled
def carried(digits, first, count, ring, read):  # type: ignore[no-untyped-def]
    """Write the size of a sum into `read`, and return its sign.

    Parameters
    ----------
    digits : int64 array
    first, count : int
        Where the digits that may not be zero begin, and how many there are; the last of them has
        to take the carries.
    ring : int
        As in `add_to_digits`.
    read : int64 array
        Takes the digits from place `PADDING` on, each from 0 to 2**32 - 1.
    """
    carry = np.int64(0)
    for k in range(count):
        carry += digits[(first + k) & ring]
        read[PADDING + k] = carry & 0xFFFFFFFF
        carry >>= 32
    if carry == 0:
        return 1.0
    carry = np.int64(1)
    for k in range(PADDING, PADDING + count):
        carry += 0xFFFFFFFF - read[k]
        read[k] = carry & 0xFFFFFFFF
        carry >>= 32
    return -1.0


@compiled
def nearest_of_digits(read, count):  # type: ignore[no-untyped-def]
    """Return what is nearest to `count` digits that `carried` wrote, as `nearest_of_two` does."""
    top = PADDING + count - 1
    while top > PADDING and read[top] == 0:
        top -= 1
    rest = top - 4
    while rest >= PADDING and read[rest] == 0:
        rest -= 1
    high = (np.uint64(read[top]) << DIGIT_BITS) | np.uint64(read[top - 1])
    low = (np.uint64(read[top - 2]) << DIGIT_BITS) | np.uint64(read[top - 3])
    value, exponent = nearest_of_two(high, low | np.uint64(rest >= PADDING))
    return value, exponent + 32 * (top - 3 - PADDING)


@compiled
def variance_of(spread, exponent, count):  # type: ignore[no-untyped-def]
    """Return ``spread * 2**exponent / (count * (count - 1))``, the spread from 2**62 to 2**63."""
    return scaled(spread / (np.float64(count) * (np.float64(count) - 1.0)), exponent)


@compiled
def _place_and_sign(value, lowest):  # type: ignore[no-untyped-def]
    mantissa, exponent = parts_of(value)
    return mantissa, max(exponent - lowest, 0), 1 if value >= 0.0 else -1


@compiled
def sums_of_digits(values, start, stop, lowest, bits):  # type: ignore[no-untyped-def]
    """Sum finite values of at most `bits` bits, in units of ``2**lowest``, over windows."""
    sums = np.zeros(len(start))
    count = digits_for(bits)
    digits = np.zeros(count, np.int64)
    read = np.zeros(count + PADDING, np.int64)
    first = last = 0
    for i in range(len(start)):
        if start[i] >= last:
            digits[:] = 0
            first = last = start[i]
        while last < stop[i] or first < start[i]:
            step = 1 if last < stop[i] else -1
            mantissa, place, sign = _place_and_sign(values[last if step > 0 else first], lowest)
            add_to_digits(digits, mantissa, place, step * sign, WHOLE)
            last += step > 0
            first += step < 0
        negative = carried(digits, 0, count, WHOLE, read)
        value, exponent = nearest_of_digits(read, count)
        sums[i] = scaled(negative * value + 0.0, exponent + lowest)
    return sums


@compiled
def _spread_of_digits(number, sums, squares, spread):  # type: ignore[no-untyped-def]
    """Write ``number * squares - sums**2`` into `spread`: digits all, the first two as read."""
    spread[:] = 0
    for i in range(len(squares) - PADDING):
        product = number * squares[PADDING + i]
        spread[i] += product & 0xFFFFFFFF
        spread[i + 1] += product >> 32
    for i in range(len(sums) - PADDING):
        if sums[PADDING + i] == 0:
            continue
        for j in range(len(sums) - PADDING):
            product = np.uint64(sums[PADDING + i]) * np.uint64(sums[PADDING + j])
            spread[i + j] -= np.int64(product & DIGIT)
            spread[i + j + 1] -= np.int64(product >> DIGIT_BITS)


@compiled
def variances_of_digits(values, start, stop, lowest, bits):  # type: ignore[no-untyped-def]
    """Return the sample variances of such values in windows, missing below two values."""
    variances = np.full(len(start), np.nan)
    count, square_count = digits_for(bits), 2 * digits_for(bits)
    digits, square_digits = np.zeros(count, np.int64), np.zeros(square_count, np.int64)
    read, square_read = (
        np.zeros(count + PADDING, np.int64),
        np.zeros(square_count + PADDING, np.int64),
    )
    spread, spread_read = (
        np.zeros(square_count + 2, np.int64),
        np.zeros(square_count + 2 + PADDING, np.int64),
    )
    first = last = 0
    for i in range(len(start)):
        if start[i] >= last:
            digits[:] = 0
            square_digits[:] = 0
            first = last = start[i]
        while last < stop[i] or first < start[i]:
            step = 1 if last < stop[i] else -1
            mantissa, place, sign = _place_and_sign(values[last if step > 0 else first], lowest)
            add_to_digits(digits, mantissa, place, step * sign, WHOLE)
            _add_square(square_digits, mantissa, place, step)
            last += step > 0
            first += step < 0
        number = stop[i] - start[i]
        if number < 2:
            continue
        carried(digits, 0, count, WHOLE, read)
        carried(square_digits, 0, square_count, WHOLE, square_read)
        _spread_of_digits(number, read, square_read, spread)
        carried(spread, 0, square_count + 2, WHOLE, spread_read)
        value, exponent = nearest_of_digits(spread_read, square_count + 2)
        variances[i] = variance_of(value, exponent + 2 * lowest, number)
    return variances
