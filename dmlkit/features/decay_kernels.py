"""Row loops for exponentially decayed sums and means over windows (numba). Arrays only.

The weight of an event is ``2 ** -(age / half_life)``. With the event's time as ``(e + f) *
half_life``, e whole and f between 0 and 1, it is ``2**f`` times a power of two, which scales
exactly; so sums of terms are exact, and what left a window leaves no trace. What events, `start`
and `stop` are is said in `dmlkit.features.bound_kernels`.
"""

import math

import numpy as np

from dmlkit.features.compiled import compiled
from dmlkit.features.expansions import MOST_PARTS, add, expand, rounded, with_infinities

__all__ = ["power_of_two", "sliding_decayed_mean", "sliding_decayed_sum"]

#: Events older than this many half-lives weigh nothing: less than 1e-150 of a new one.
OLDEST = 500

#: Larger values count as infinite: their terms could overflow.
LARGEST = 1e290

#: Of 2**x for x between -1/2 and 1/2, by the powers of x: Taylor's, of which the next is 4e-18.
COEFFICIENTS = tuple(math.log(2.0) ** power / math.factorial(power) for power in range(15))


@compiled
def power_of_two(fraction):  # type: ignore[no-untyped-def]
    """Return 2 ** fraction for a fraction from 0 to 1, by additions and products alone.

    So that it has the same bits on every machine, which functions of libraries have not.
    """
    x = fraction - 1.0 if fraction > 0.5 else fraction
    result = COEFFICIENTS[14]
    for power in range(13, -1, -1):
        result = result * x + COEFFICIENTS[power]
    return 2.0 * result if fraction > 0.5 else result


@compiled
def sliding_decayed_sum(values, event_times, times, start, stop, half_life, delay):  # type: ignore[no-untyped-def]
    """Sum the values in each window, weighted by their age: (n,) float64, 0 if there are none.

    Parameters
    ----------
    values : (m,) float64 array
    event_times : (m,) int64 array
    times : (n,) int64 array
        Of the queries; ages count from ``times - delay``.
    start, stop : (n,) int64 arrays
    half_life, delay : int
    """
    sums = _exponent_sums(values, event_times, times, start, stop, half_life, delay)
    for i in range(len(times)):
        known = times[i] - delay
        sums[i] /= power_of_two((known - known // half_life * half_life) / half_life)
    return sums


@compiled
def sliding_decayed_mean(values, event_times, times, start, stop, half_life, delay):  # type: ignore[no-untyped-def]
    """Return the mean of each window, weighted by age: (n,) float64, missing if it is empty.

    Takes what `sliding_decayed_sum` takes.
    """
    sums = _exponent_sums(values, event_times, times, start, stop, half_life, delay)
    ones = np.ones(len(values))
    weights = _exponent_sums(ones, event_times, times, start, stop, half_life, delay)
    for i in range(len(times)):
        sums[i] = sums[i] / weights[i] if weights[i] > 0.0 else np.nan
    return sums


@compiled
def _terms(values, event_times, half_life):  # type: ignore[no-untyped-def]
    """Return each value times 2**f and its e, where its time is (e + f) half-lives."""
    terms = np.empty(len(values))
    exponents = np.empty(len(values), np.int64)
    for j in range(len(values)):
        exponents[j] = event_times[j] // half_life
        fraction = (event_times[j] - exponents[j] * half_life) / half_life
        terms[j] = values[j] * power_of_two(fraction)
    return terms, exponents


@compiled
def _exponent_sums(values, event_times, times, start, stop, half_life, delay):  # type: ignore[no-untyped-def]
    """Return decayed sums as they are at the last whole multiple of the half-life."""
    n = len(times)
    sums = np.zeros(n)
    terms, exponents = _terms(values, event_times, half_life)
    parts, work = np.empty(MOST_PARTS), np.empty(MOST_PARTS)
    first = last = 0
    high = low = 0.0
    used = positive = negative = 0
    exponent = np.int64(0)
    for i in range(n):
        now = (times[i] - delay) // half_life
        begin = start[i]
        while begin < stop[i] and exponents[begin] < now - OLDEST:
            begin += 1
        if begin >= last:
            first = last = begin
            high = low = 0.0
            used = positive = negative = 0
            exponent = now
        while first < begin:
            value, age = values[first], exponents[first] - exponent
            if abs(value) > LARGEST:
                positive -= value > 0
                negative -= value < 0
            else:
                high, low, used = add(high, low, parts, used, -terms[first] * 2.0 ** float(age))
            first += 1
        scale = 2.0 ** float(exponent - now)
        exponent = now
        high *= scale
        low *= scale
        parts[:used] *= scale
        while last < stop[i]:
            value, age = values[last], exponents[last] - exponent
            if abs(value) > LARGEST:
                positive += value > 0
                negative += value < 0
            else:
                high, low, used = add(high, low, parts, used, terms[last] * 2.0 ** float(age))
            last += 1
        total = high + low
        if used:
            total = rounded(work, expand(high, low, parts, used, work))
        sums[i] = with_infinities(total, positive, negative)
    return sums
