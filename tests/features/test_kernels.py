"""The row loops beside what they are defined as, and that nothing leaves a trace in them."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.features import category_kernels, decay_kernels, expansions, moment_kernels
from dmlkit.features.bound_kernels import window_starts, window_stops
from dmlkit.features.order_kernels import instant_maximum, run_starts, sliding_maximum

finite = st.floats(-1e300, 1e300).filter(lambda value: value == 0 or abs(value) > 1e-280)
moderate = st.one_of(
    st.integers(-3, 3).map(float),
    st.integers(-(10**6), 10**6).map(lambda cents: cents / 100),
    st.floats(-1e100, 1e100).filter(lambda value: value == 0 or abs(value) > 1e-100),
)


@st.composite
def windows(draw: st.DrawFn, events: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw windows that go on, jump ahead, and are empty at times."""
    steps = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=30))
    start, stop, low, high = [], [], 0, 0
    for drop, take in steps:
        high = min(events, high + take)
        low = min(high, low + drop)
        start.append(low)
        stop.append(high)
    return np.array(start, np.int64), np.array(stop, np.int64)


@st.composite
def values_in_windows(
    draw: st.DrawFn, elements: st.SearchStrategy, dtype: str = "float64"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = draw(st.lists(elements, max_size=40))
    return (np.array(values, dtype), *draw(windows(len(values))))


def sums(values, start, stop):
    return moment_kernels.sliding_sum(moment_kernels.prepare(np.array(values)), start, stop)


def variances(values, start, stop):
    return moment_kernels.sliding_variance(moment_kernels.prepare(np.array(values)), start, stop)


def latest(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows of the latest `width` events."""
    rows = np.arange(count)
    return np.maximum(rows - width + 1, 0), rows + 1


def exact_variance(values) -> float:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))


# Bounds


def bounds(codes, times, event_codes, event_times, window, delay=0):
    arrays = [np.array(each, np.int64) for each in (codes, times, event_codes, event_times)]
    stop = window_stops(*arrays, delay)
    start = window_starts(*arrays, window if window < 0 else window + delay, stop)
    return [start.tolist(), stop.tolist()]


def test_a_window_is_open_at_its_old_end_and_closed_at_its_new_one():
    times = [0, 5, 10, 10]
    assert bounds([0] * 4, times, [0] * 4, times, 10) == [[0, 0, 1, 1], [1, 2, 4, 4]]


def test_a_delay_moves_both_ends():
    times = [0, 5, 10, 13]
    assert bounds([0] * 4, times, [0] * 4, times, 5, 3) == [[0, 0, 1, 2], [0, 1, 2, 3]]


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(-9, 9)), max_size=30).map(sorted)


@given(rows, rows, st.integers(-1, 8), st.integers(0, 5), st.integers(-9, 9))
def test_bounds_are_of_events_of_the_same_entity(queries, events, window, delay, since):
    codes = [-1 if time < since else code for code, time in queries]
    times = [time for _, time in queries]
    start, stop = bounds(codes, times, *np.array(events).reshape(-1, 2).T, window, delay)
    assert start == sorted(start)
    assert stop == sorted(stop)
    for code, time, low, high in zip(codes, times, start, stop, strict=True):
        expected = [
            event
            for event, (of, at) in enumerate(events)
            if of == code and at <= time - delay and (window < 0 or at > time - delay - window)
        ]
        assert list(range(low, high)) == expected


# Sums and variances


@given(values_in_windows(finite))
def test_a_sum_is_the_true_sum_rounded_once(drawn):
    values, start, stop = drawn
    expected = [math.fsum(values[a:b]) for a, b in zip(start, stop, strict=True)]
    assert sums(values, start, stop).tolist() == expected


def test_a_half_is_rounded_to_even_as_the_parts_below_it_say():
    assert sums([1.0, 2.0**-53, 2.0**-120], *latest(3, 3))[-1] == 1.0 + 2.0**-52
    assert sums([1.0, 2.0**-53, -(2.0**-120)], *latest(3, 3))[-1] == 1.0
    assert sums([1.0, 2.0**-53], *latest(2, 2))[-1] == 1.0


@pytest.mark.parametrize("passing", [[1e300], [1e308, 1e308], [np.inf], [1e300, 1e150, 1e16, 1e-9]])
def test_what_entered_a_sum_and_left_it_leaves_no_trace(passing):
    values = [0.1, 0.7, *passing, 0.1, 0.2, 0.3]
    windows = latest(len(values), 3)
    assert sums(values, *windows)[-1] == math.fsum([0.1, 0.2, 0.3])
    assert variances(values, *windows)[-1] == exact_variance([0.1, 0.2, 0.3])


def test_infinities_add_up_as_in_ieee():
    assert sums([1.0, np.inf, 1.0], *latest(3, 2)).tolist() == [1.0, np.inf, np.inf]
    assert sums([-np.inf, 1.0], *latest(2, 2)).tolist() == [-np.inf, -np.inf]
    assert math.isnan(sums([np.inf, -np.inf], *latest(2, 2))[-1])


@given(values_in_windows(moderate))
def test_a_variance_is_right_to_the_last_digits(drawn):
    values, start, stop = drawn
    for found, low, high in zip(variances(values, start, stop), start, stop, strict=True):
        if high - low < 2:
            assert math.isnan(found)
        else:
            expected = exact_variance(values[low:high])
            assert found == pytest.approx(expected, rel=4e-16, abs=1e-220)


@given(values_in_windows(moderate))
def test_a_variance_is_of_its_window_alone_to_the_bit(drawn):
    values, start, stop = drawn
    for found, low, high in zip(variances(values, start, stop), start, stop, strict=True):
        alone = variances(values[low:high][::-1], *latest(high - low, high - low))
        assert high - low < 2 or found == alone[-1]


def test_a_variance_of_one_around_a_billion_is_one():
    noise = np.random.default_rng(0).normal(size=200)
    for middle in (1e9, 1e14):
        found = variances(middle + noise, *latest(200, 200))[-1]
        assert found == pytest.approx(exact_variance((middle + noise).tolist()), rel=1e-15)


@pytest.mark.parametrize("value", [0.0, 3.3, 1e9 + 0.1, -7e99])
def test_equal_values_have_no_variance(value):
    found = variances([5.0, value, value, value, value], *latest(5, 3))
    assert found[-2:].tolist() == [0.0, 0.0]


def test_a_value_whose_square_overflows_counts_as_infinite_in_a_variance():
    found = variances([1.0, 1e200, 1.0, 2.0], *latest(4, 2))
    assert [math.isnan(value) for value in found] == [True, True, True, False]


def test_sums_and_variances_of_millions_of_values_do_not_drift():
    values = 1e9 + np.random.default_rng(0).normal(size=3_000_000)
    windows = latest(len(values), 1000)
    last = values[-1000:]
    assert sums(values, *windows)[-1] == math.fsum(last)
    assert variances(values, *windows)[-1] == pytest.approx(exact_variance(last), rel=4e-16)


# Order


@given(values_in_windows(st.floats(allow_nan=False)))
def test_maxima_are_of_the_window(drawn):
    values, start, stop = drawn
    for found, low, high in zip(sliding_maximum(*drawn), start, stop, strict=True):
        assert math.isnan(found) if low == high else found == max(values[low:high])


# Categories


@given(values_in_windows(st.integers(0, 6), "int64"))
def test_distinct_and_most_frequent_codes_are_of_the_window(drawn):
    values, start, stop = drawn
    distinct = category_kernels.sliding_distinct(*drawn, 7)
    modes = category_kernels.sliding_mode(*drawn, 7)
    for number, (low, high) in enumerate(zip(start, stop, strict=True)):
        seen = values[low:high].tolist()
        most = max(map(seen.count, seen), default=0)
        assert distinct[number] == len(set(seen))
        assert modes[number] == min((v for v in seen if seen.count(v) == most), default=-1)


# Decay


@given(values_in_windows(st.floats(-1e9, 1e9)), st.integers(1, 400), st.data())
def test_a_decayed_sum_is_of_its_window_alone_to_the_bit(drawn, half_life, data):
    values, start, stop = drawn
    clock = st.lists(st.integers(0, 900), min_size=len(values), max_size=len(values))
    at = np.cumsum(np.array(data.draw(clock), np.int64)) - 2000
    now = np.array([at[high - 1] if high else -2000 for high in stop], np.int64) + 5
    now = np.maximum.accumulate(now) if len(now) else now
    for kernel in (decay_kernels.sliding_decayed_sum, decay_kernels.sliding_decayed_mean):
        found = kernel(values, at, now, start, stop, half_life, 0)
        for number, (low, high) in enumerate(zip(start, stop, strict=True)):
            window = (np.array([0]), np.array([high - low]))
            alone = kernel(
                values[low:high], at[low:high], now[number : number + 1], *window, half_life, 0
            )
            np.testing.assert_array_equal(found[number], alone[0])


@given(st.floats(0, 1, exclude_max=True))
def test_a_power_of_two_is_right_and_the_same_in_plain_python(fraction):
    found = decay_kernels.power_of_two(fraction)
    assert found == pytest.approx(2.0**fraction, rel=3e-16)
    assert found == decay_kernels.power_of_two.py_func(fraction)


def test_infinities_decay_like_in_a_sum():
    values, at = np.array([1.0, np.inf, 1.0]), np.array([0, 1, 2])
    found = decay_kernels.sliding_decayed_sum(values, at, at, *latest(3, 1), 5, 0)
    assert found[1] == np.inf
    assert np.isfinite(found[[0, 2]]).all()


def test_no_rows_are_no_rows():
    none = np.empty(0, np.int64)
    assert len(window_stops(none, none, none, none, 0)) == 0
    assert len(window_starts(none, none, none, none, 1, none)) == 0
    assert len(sums([], none, none)) == len(variances([], none, none)) == 0
    assert len(sliding_maximum(np.empty(0), none, none)) == 0
    assert len(instant_maximum(none, none, none)) == len(run_starts(none, none, none)) == 0
    assert len(category_kernels.sliding_mode(none, none, none, 0)) == 0


def test_what_is_added_last_is_what_fits_nowhere():
    parts = np.empty(expansions.MOST_PARTS)
    high, low, used = 0.0, 0.0, 0
    for value in (1e300, 1.0, 1e-300):
        high, low, used = expansions.add(high, low, parts, used, value)
    assert (high, low, parts[:used].tolist()) == (1e300, 1.0, [1e-300])
