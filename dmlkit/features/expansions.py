"""Exact sums of doubles (numba): what enters a sum and leaves it again leaves no trace.

A sum is ``high + low`` and an *expansion* of what does not fit into these two: doubles of rising
size whose bits don't overlap.

References
----------
D. E. Knuth: The Art of Computer Programming 2, 4.2.2 (TwoSum). J. R. Shewchuk: Adaptive precision
floating-point arithmetic. Discrete & Computational Geometry 18, 1997 (expansions).
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = [
    "MOST_PARTS",
    "add",
    "expand",
    "grow",
    "rounded",
    "two_sum",
    "with_infinities",
]

#: No sum of doubles needs more of them: their exponents range over 2100 bits, and each has 53.
MOST_PARTS = 64


@compiled
def two_sum(a, b):  # type: ignore[no-untyped-def]
    """Return the rounded sum and what rounding took away."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


@compiled
def grow(parts, used, value):  # type: ignore[no-untyped-def]
    """Add a value to an expansion: `parts` of rising size whose bits don't overlap."""
    kept = 0
    for i in range(used):
        value, rest = two_sum(value, parts[i])
        if rest != 0.0:
            parts[kept] = rest
            kept += 1
    if value != 0.0:
        parts[kept] = value
        kept += 1
    return kept


@compiled
def add(high, low, parts, used, value):  # type: ignore[no-untyped-def]
    """Add a value exactly: the sum is high + low + the first `used` of `parts`.

    Two doubles mostly do, in registers; only what does not fit into them goes to the parts.
    """
    high, rest = two_sum(high, value)
    low, rest = two_sum(low, rest)
    if rest != 0.0:
        used = grow(parts, used, rest)
    return high, low, used


@compiled
def rounded(parts, used):  # type: ignore[no-untyped-def]
    """Round an expansion to the nearest double, ties to even."""
    if used == 0:
        return 0.0
    i = used - 1
    total = parts[i]
    rest = 0.0
    while i > 0 and rest == 0.0:
        i -= 1
        total, rest = two_sum(total, parts[i])
    # When exactly half a bit was cut off, the parts below decide.
    if i > 0 and rest * parts[i - 1] > 0.0:
        twice = 2.0 * rest
        if (total + twice) - total == twice:
            total += twice
    return total


@compiled
def expand(high, low, parts, used, work):  # type: ignore[no-untyped-def]
    """Write an exact sum into `work` as an expansion; return how many parts it has."""
    work[:used] = parts[:used]
    return grow(work, grow(work, used, low), high)


@compiled
def with_infinities(total, positive, negative):  # type: ignore[no-untyped-def]
    """Return a sum as IEEE has it, given how many infinite values the window holds."""
    if positive > 0 and negative > 0:
        return np.nan
    if positive > 0:
        return np.inf
    if negative > 0:
        return -np.inf
    return total
