import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.features import exact_kernels, kernels

finite = st.floats(-1e300, 1e300).filter(lambda value: value == 0 or abs(value) > 1e-280)
moderate = st.floats(-1e100, 1e100).filter(lambda value: value == 0 or abs(value) > 1e-100)


def windows_of(count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one entity's codes and windows of the latest `width` rows."""
    rows = np.arange(count)
    return np.zeros(count, np.int64), np.maximum(rows - width + 1, 0), rows + 1


def sums(values: list[float], width: int) -> list[float]:
    codes, start, stop = windows_of(len(values), width)
    return exact_kernels.sliding_sum(codes, np.array(values), start, stop).tolist()


def variances(values: list[float], width: int) -> list[float]:
    codes, start, stop = windows_of(len(values), width)
    return exact_kernels.sliding_variance(codes, np.array(values), start, stop).tolist()


def exact_variance(values: list[float]) -> float:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))


def test_a_window_is_open_at_its_old_end_and_closed_at_its_new_one():
    codes = np.zeros(4, np.int64)
    times = np.array([0, 5, 10, 10])
    start, stop = kernels.window_bounds(codes, times, 10, 0)
    assert start.tolist() == [0, 0, 1, 1]
    assert stop.tolist() == [1, 2, 4, 4]


def test_a_delay_moves_both_ends():
    codes = np.zeros(4, np.int64)
    times = np.array([0, 5, 10, 13])
    start, stop = kernels.window_bounds(codes, times, 5, 3)
    assert [range(*bounds) for bounds in zip(start, stop, strict=True)] == [
        range(0),
        range(1),
        range(1, 2),
        range(2, 3),
    ]


def test_a_window_holds_rows_of_its_own_entity_only_and_none_of_a_missing_one():
    codes = np.array([-1, 0, 1, 1, -1])
    start, stop = kernels.window_bounds(codes, np.array([1, 1, 1, 2, 2]), 10, 0)
    assert (stop - start).tolist() == [0, 1, 1, 2, 0]


@given(st.lists(finite, max_size=40), st.integers(1, 12))
def test_a_sum_is_the_true_sum_rounded_once(values, width):
    expected = [math.fsum(values[max(0, i - width + 1) : i + 1]) for i in range(len(values))]
    assert sums(values, width) == expected


def test_a_half_is_rounded_to_even_as_the_parts_below_it_say():
    assert sums([1.0, 2.0**-53, 2.0**-120], 3)[-1] == 1.0 + 2.0**-52
    assert sums([1.0, 2.0**-53, -(2.0**-120)], 3)[-1] == 1.0
    assert sums([1.0, 2.0**-53], 2)[-1] == 1.0


@pytest.mark.parametrize("passing", [[1e300], [1e308, 1e308], [np.inf], [1e300, 1e150, 1e16, 1e-9]])
def test_what_entered_a_sum_and_left_it_leaves_no_trace(passing):
    values = [0.1, 0.7, *passing, 0.1, 0.2, 0.3]
    assert sums(values, 3)[-1] == math.fsum([0.1, 0.2, 0.3])
    assert variances(values, 3)[-1] == exact_variance([0.1, 0.2, 0.3])


def test_infinities_add_up_as_in_ieee():
    assert sums([1.0, np.inf, 1.0], 2) == [1.0, np.inf, np.inf]
    assert sums([-np.inf, 1.0], 2) == [-np.inf, -np.inf]
    assert math.isnan(sums([np.inf, -np.inf], 2)[-1])


def test_nothing_adds_up_to_zero():
    assert sums([np.nan], 1) == [0.0]


@given(st.lists(moderate, min_size=2, max_size=30), st.integers(2, 10))
def test_a_variance_is_right_to_the_last_digits(values, width):
    for i, found in enumerate(variances(values, width)[1:], start=1):
        expected = exact_variance(values[max(0, i - width + 1) : i + 1])
        assert found == pytest.approx(expected, rel=4e-16, abs=1e-220)


def test_a_variance_of_one_around_a_billion_is_one():
    noise = np.random.default_rng(0).normal(size=200).tolist()
    for middle in (1e9, 1e14):
        values = [middle + value for value in noise]
        assert variances(values, 200)[-1] == pytest.approx(exact_variance(values), rel=1e-15)


@pytest.mark.parametrize("value", [0.0, 3.3, 1e9 + 0.1, -7e99])
def test_equal_values_have_no_variance(value):
    found = variances([5.0, value, value, np.nan, value, value], 4)
    assert found[-2:] == [0.0, 0.0]


def test_a_variance_needs_two_finite_values():
    found = variances([1.0, np.nan, 2.0, np.inf, 5.0, 6.0], 2)
    assert [math.isnan(value) for value in found] == [True, True, True, True, True, False]


def test_a_value_whose_square_overflows_counts_as_infinite_in_a_variance():
    assert math.isnan(variances([1.0, 1e200, 1.0], 3)[-1])


@given(st.lists(st.floats(allow_nan=True), max_size=40), st.integers(1, 12))
def test_counts_and_maxima_are_of_what_is_not_missing(values, width):
    codes, start, stop = windows_of(len(values), width)
    array = np.array(values, dtype=np.float64)
    counts = kernels.sliding_count(codes, array, start, stop)
    maxima = kernels.sliding_maximum(codes, array, start, stop)
    for i in range(len(values)):
        there = [value for value in values[start[i] : stop[i]] if not math.isnan(value)]
        assert counts[i] == len(there)
        assert maxima[i] == max(there) if there else math.isnan(maxima[i])


def test_no_rows_are_no_rows():
    none = np.empty(0, np.int64)
    start, stop = kernels.window_bounds(none, none, 1, 0)
    for kernel in (kernels.sliding_count, kernels.sliding_maximum):
        assert len(kernel(none, np.empty(0), start, stop)) == 0
    for kernel in (exact_kernels.sliding_sum, exact_kernels.sliding_variance):
        assert len(kernel(none, np.empty(0), start, stop)) == 0
