"""Windows by plain loops, straight from their definition: what the package is judged against."""

import math
from collections.abc import Callable
from fractions import Fraction

import pandas as pd


def total(values: list[float]) -> float:
    if any(map(math.isinf, values)):
        return sum(values)
    return math.fsum(values)


def variance(values: list[float]) -> float:
    if len(values) < 2 or any(map(math.isinf, values)):
        return math.nan
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return float(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))


AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "count": len,
    "sum": total,
    "mean": lambda values: total(values) / len(values) if values else math.nan,
    "var": variance,
    "std": lambda values: math.sqrt(variance(values)),
    "min": lambda values: min(values, default=math.nan),
    "max": lambda values: max(values, default=math.nan),
}


def windows(
    table: pd.DataFrame, by: str, value: str, window: str, delay: str = "0s"
) -> list[list[float]]:
    """Return, for each row, the values of its entity in (t - delay - window, t - delay]."""
    columns = (table[by], table["time"], table[value].astype("float64"))
    there = [row for row in zip(*columns, strict=True) if not any(map(pd.isna, row))]
    length, late = (pd.Timedelta(text.replace("d", "D")) for text in (window, delay))
    return [
        [
            number
            for other, then, number in there
            if not (pd.isna(entity) or pd.isna(now))
            and other == entity
            and now - late - length < then <= now - late
        ]
        for entity, now, _ in zip(*columns, strict=True)
    ]
