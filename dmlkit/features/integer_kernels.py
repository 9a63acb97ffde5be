"""Whole numbers of 128 and 256 bits, and the doubles next to them (numba). Scalars only.

Such numbers are uint64 limbs, the upper ones first, and wrap around as machine words do: so what is
added and taken away again leaves no trace, and differences of running totals are exact.
"""

import numpy as np
from numba import types
from numba.extending import intrinsic

from dmlkit.features.compiled import compiled

__all__ = [
    "ONE",
    "ZERO",
    "add",
    "nearest_of_four",
    "nearest_of_two",
    "negated",
    "parts_of",
    "power_of_two",
    "scaled",
    "shifted",
    "square",
    "subtract",
    "times",
]

ZERO, ONE = np.uint64(0), np.uint64(1)

FRACTION_BITS, EXPONENT_FIELD = np.uint64(52), np.uint64(0x7FF)
IMPLICIT_BIT = np.uint64(1 << 52)
LAST_PLACE = np.uint64(63)


@intrinsic
def _high_product(context, first, second):  # type: ignore[no-untyped-def]  # noqa: ARG001
    from llvmlite import ir  # type: ignore[import-untyped]

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ARG001
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        return builder.trunc(builder.lshr(product, wide(64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@intrinsic
def _leading_zeros(context, number):  # type: ignore[no-untyped-def]  # noqa: ARG001
    from llvmlite import ir

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # noqa: ARG001
        return builder.ctlz(arguments[0], ir.IntType(1)(0))

    return types.uint64(types.uint64), generate


@compiled
def high_product(first, second):  # type: ignore[no-untyped-def]
    """Return the upper limb of a product of two limbs."""
    return _high_product(first, second)


@compiled
def leading_zeros(limb):  # type: ignore[no-untyped-def]
    """Return how many of the upper bits of a limb are zero."""
    return _leading_zeros(limb)


@compiled
def parts_of(value):  # type: ignore[no-untyped-def]
    """Return a double as ``(mantissa, exponent)``: its size is ``mantissa * 2**exponent``."""
    bits = np.float64(value).view(np.uint64)
    field = np.int64((bits >> FRACTION_BITS) & EXPONENT_FIELD)
    fraction = bits & (IMPLICIT_BIT - ONE)
    if field == 0:
        return fraction, np.int64(-1074)
    return fraction | IMPLICIT_BIT, field - 1075


@compiled
def power_of_two(exponent):  # type: ignore[no-untyped-def]
    """Return ``2.0**exponent``, for exponents from -1022 to 1023, without any library."""
    return np.uint64(np.uint64(exponent + 1023) << FRACTION_BITS).view(np.float64)


@compiled
def scaled(value, exponent):  # type: ignore[no-untyped-def]
    """Return ``value * 2**exponent`` rounded once, for a value of a size from 2**-60 to 2**64."""
    if exponent < -900:
        return value * 2.0**-900 * power_of_two(max(exponent + 900, -1022))
    if exponent > 900:
        return value * 2.0**900 * power_of_two(min(exponent - 900, 1023))
    return value * power_of_two(exponent)


@compiled
def shifted(mantissa, places):  # type: ignore[no-untyped-def]
    """Return ``mantissa * 2**places`` in two limbs, for 0 to 127 places."""
    within = np.uint64(places) & LAST_PLACE
    if places >= 64:
        return mantissa << within, ZERO
    return (mantissa >> ONE) >> (LAST_PLACE - within), mantissa << within


@compiled
def negated(high, low):  # type: ignore[no-untyped-def]
    """Return the opposite of a number of two limbs."""
    low = ~low + ONE
    return ~high + np.uint64(low == ZERO), low


@compiled
def square(high, low):  # type: ignore[no-untyped-def]
    """Return the square, in four limbs, of a number of two that is below 2**127."""
    mixed, mixed_low = high_product(high, low), high * low
    mixed, mixed_low = (mixed << ONE) | (mixed_low >> LAST_PLACE), mixed_low << ONE
    outer = (high_product(high, high), high * high, high_product(low, low), low * low)
    return add(outer, (ZERO, mixed, mixed_low, ZERO))


@compiled
def times(number, factor):  # type: ignore[no-untyped-def]
    """Return a number of four limbs times a limb."""
    upper, third, second, lowest = number
    carried = (
        high_product(factor, third),
        high_product(factor, second),
        high_product(factor, lowest),
        ZERO,
    )
    return add((factor * upper, factor * third, factor * second, factor * lowest), carried)


@compiled
def add(first, second):  # type: ignore[no-untyped-def]
    """Return the sum of two numbers of four limbs."""
    limb3, carry = first[3] + second[3], ZERO
    limb2, carry = _add_limbs(first[2], second[2], np.uint64(limb3 < second[3]))
    limb1, carry = _add_limbs(first[1], second[1], carry)
    return first[0] + second[0] + carry, limb1, limb2, limb3


@compiled
def _add_limbs(first, second, carry):  # type: ignore[no-untyped-def]
    total = first + second
    over = np.uint64(total < second)
    total += carry
    return total, over + np.uint64(total < carry)


@compiled
def subtract(first, second):  # type: ignore[no-untyped-def]
    """Return the difference of two numbers of four limbs."""
    limb3, borrow = first[3] - second[3], np.uint64(first[3] < second[3])
    limb2, borrow = _subtract_limbs(first[2], second[2], borrow)
    limb1, borrow = _subtract_limbs(first[1], second[1], borrow)
    return first[0] - second[0] - borrow, limb1, limb2, limb3


@compiled
def _subtract_limbs(first, second, borrow):  # type: ignore[no-untyped-def]
    left = first - second
    under = np.uint64(first < second) + np.uint64(left < borrow)
    return left - borrow, under


@compiled
def nearest_of_two(high, low):  # type: ignore[no-untyped-def]
    """Return what is nearest to a number of two limbs, ties to even, as ``(value, exponent)``.

    That is ``value * 2**exponent``; the value is a double from 2**62 to 2**63, or zero.
    """
    exponent = 65
    if high == ZERO:
        high, low, exponent = low, ZERO, 1
    if high == ZERO:
        return 0.0, 0
    zeros = leading_zeros(high)
    top = (high << zeros) | ((low >> ONE) >> (LAST_PLACE - zeros))
    # A last bit that is set when any of those cut off was: only it tells a tie from more than one.
    top = (top >> ONE) | (top & ONE) | np.uint64((low << zeros) != ZERO)
    return np.float64(np.int64(top)), exponent - np.int64(zeros)


@compiled
def nearest_of_four(number):  # type: ignore[no-untyped-def]
    """Return what is nearest to a number of four limbs, likewise."""
    upper, third, second, lowest = number
    exponent = 128
    if upper == ZERO:
        upper, third, second, lowest, exponent = third, second, lowest, ZERO, 64
    if upper == ZERO:
        upper, third, second, exponent = third, second, ZERO, 0
    value, more = nearest_of_two(upper, third | np.uint64((second | lowest) != ZERO))
    return value, exponent + more
