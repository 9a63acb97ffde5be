"""Sums and variances to the bit, whichever way they are computed."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.features import digit_kernels, integer_kernels
from dmlkit.features.moment_kernels import (
    LARGEST_SQUARED,
    WholeNumbers,
    prepare,
    sliding_sum,
    sliding_variance,
)
from tests.features.test_kernels import values_in_windows

whole = st.integers(-1000, 1000).map(float)
cents = st.integers(-(10**7), 10**7).map(lambda number: number / 100)
narrow = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)
any_finite = st.floats(-1e300, 1e300)
squarable = st.floats(-LARGEST_SQUARED, LARGEST_SQUARED)

limbs = st.integers(0, 2**64 - 1)


def both_ways(values: np.ndarray) -> list[WholeNumbers]:
    """Return values to be summed by running totals, where they fit, and by digits."""
    numbers = WholeNumbers.of(values)
    return [numbers, replace(numbers, fit=False)]


def replayed(values: list[float]) -> float:
    """Return a variance as the docstring defines it, by fractions."""
    count = len(values)
    if count < 2:
        return math.nan
    exact = [Fraction(value) for value in values]
    spread = count * sum(value * value for value in exact) - sum(exact) ** 2
    # Out of the reach of doubles and back, so that only the result can underflow.
    exponent = spread.numerator.bit_length() - spread.denominator.bit_length()
    nearest = float(spread / Fraction(2) ** exponent)
    return math.ldexp(nearest / (count * (count - 1.0)), exponent)


@pytest.mark.parametrize("elements", [whole, cents, narrow])
def test_columns_of_a_usual_range_fit_into_running_totals(elements):
    @given(st.lists(elements, max_size=40))
    def fit(values):
        assert WholeNumbers.of(np.array(values)).fit

    fit()


@given(values_in_windows(st.one_of(whole, cents, narrow, any_finite)))
def test_a_sum_is_that_of_fsum_either_way(drawn):
    values, start, stop = drawn
    expected = [math.fsum(values[a:b]) for a, b in zip(start, stop, strict=True)]
    for numbers in both_ways(values):
        assert numbers.sums(start, stop).tolist() == expected


@pytest.mark.parametrize("elements", [whole, cents, narrow, squarable])
def test_a_variance_can_be_replayed_in_plain_python_either_way(elements):
    @given(values_in_windows(elements))
    def replay(drawn):
        values, start, stop = drawn
        expected = [replayed(values[a:b].tolist()) for a, b in zip(start, stop, strict=True)]
        for numbers in both_ways(values):
            np.testing.assert_array_equal(numbers.variances(start, stop), expected)

    replay()


def test_sums_are_right_down_to_the_smallest_doubles_and_up_to_the_largest():
    values = np.array([5e-324, 3e-310, 1e308, 7e307, -1e308, 5e-324])
    start, stop = np.array([0, 0, 2, 2, 4]), np.array([2, 4, 4, 5, 6])
    expected = [math.fsum(values[a:b]) for a, b in zip(start, stop, strict=True)]
    assert sliding_sum(prepare(values), start, stop).tolist() == expected


def test_a_sum_beyond_the_largest_double_is_infinite_and_leaves_no_trace():
    values = np.array([1e308, 1e308, 1.0, 2.0])
    found = sliding_sum(prepare(values), np.array([0, 2]), np.array([2, 4]))
    assert found.tolist() == [np.inf, 3.0]


def test_values_too_large_for_a_variance_leave_those_of_other_windows_as_they_are():
    values = np.array([1.0, 2.5, np.inf, 4.0, 4.5, -1e200, 1e139, 2e139])
    start, stop = np.array([0, 1, 3, 4, 6]), np.array([2, 3, 5, 6, 8])
    expected = [1.125, math.nan, 0.125, math.nan, replayed([1e139, 2e139])]
    found = sliding_variance(prepare(values), start, stop)
    np.testing.assert_array_equal(found, expected)


def test_zeros_and_empty_windows_sum_to_plus_zero():
    none = np.array([0, 1, 2])
    for values in ([0.0, 0.0], [3.0, -3.0], [1e-200, -1e200]):
        for numbers in both_ways(np.array(values)):
            sums = numbers.sums(none, none)
            assert sums.tolist() == [0.0, 0.0, 0.0]
            assert not np.signbit(sums).any()
    assert not np.signbit(sliding_sum(prepare(np.array([3.0, -3.0])), np.array([0]), np.array([2])))


def test_what_a_window_jumps_over_is_not_in_it():
    values = np.array([1e200, 1e-200, 3.0, 1e250, 4.0, 6.0])
    start, stop = np.array([0, 4]), np.array([2, 6])
    for numbers in both_ways(values):
        assert numbers.sums(start, stop).tolist() == [1e200, 10.0]
        assert numbers.variances(start, stop)[1] == 2.0


@pytest.mark.parametrize("fit", [True, False])
def test_sums_of_five_million_values_around_a_billion_do_not_drift(fit):
    values = 1e9 + np.random.default_rng(0).normal(size=5_000_000)
    rows = np.arange(0, len(values), 1 if fit else 10)
    numbers = replace(WholeNumbers.of(values), fit=fit)
    found = numbers.sums(np.maximum(rows - 999, 0), rows + 1)
    assert found[-1] == math.fsum(values[rows[-1] - 999 : rows[-1] + 1])


@given(limbs, limbs)
def test_a_number_of_two_limbs_is_rounded_once(high, low):
    value, exponent = integer_kernels.nearest_of_two(np.uint64(high), np.uint64(low))
    assert Fraction(value) * Fraction(2) ** exponent == float(high * 2**64 + low)


@given(st.tuples(limbs, limbs, limbs, limbs), st.integers(0, 4))
def test_a_number_of_four_limbs_is_rounded_once(drawn, leading):
    number = [0] * leading + list(drawn)[leading:]
    value, exponent = integer_kernels.nearest_of_four(tuple(map(np.uint64, number)))
    exact = sum(limb << 64 * place for place, limb in enumerate(reversed(number)))
    assert Fraction(value) * Fraction(2) ** exponent == float(exact)


@given(st.integers(0, 2**127 - 1))
def test_squares_and_multiples_are_exact(number):
    square = integer_kernels.square(np.uint64(number >> 64), np.uint64(number & (2**64 - 1)))
    tripled = integer_kernels.times(tuple(map(np.uint64, square)), np.uint64(3))
    for limbs, expected in ((square, number**2), (tripled, 3 * number**2)):
        found = sum(int(limb) << 64 * place for place, limb in enumerate(reversed(limbs)))
        assert found == expected


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 74), limbs, limbs)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_plain_python_gives_the_same_bits(value, places, high, low):
    mantissa, exponent = integer_kernels.parts_of(value)
    assert math.ldexp(mantissa, exponent) == abs(value)
    calls = [
        (integer_kernels.parts_of, (value,)),
        (integer_kernels.shifted, (np.uint64(mantissa), places)),
        (integer_kernels.negated, (np.uint64(high), np.uint64(low))),
        (integer_kernels.nearest_of_two, (np.uint64(high), np.uint64(low))),
        (integer_kernels.scaled, (2.0**62 + high / 8, 20 * places - 1100)),
        (digit_kernels.variance_of, (2.0**62 + high / 8, 20 * places - 1100, places + 2)),
    ]
    for function, arguments in calls:
        assert function(*arguments) == function.py_func(*arguments)
