"""Windows by plain loops, straight from their definition: what the package is judged against."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

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


Seen = list[tuple[pd.Timestamp, Any]]


def of_values(aggregate: Callable[[list[float]], float]) -> Callable[[Seen, Any], float]:
    return lambda seen, _: aggregate([value for _, value in seen])


def at(instant: Callable[..., Any]) -> Callable[[Seen, Any], Any]:
    """Return the largest value of the oldest (min) or the newest (max) instant."""
    return lambda seen, _: max(
        (value for then, value in seen if then == instant(then for then, _ in seen)),
        default=math.nan,
    )


def mode(values: list[Any]) -> Any:
    most = max(map(values.count, values), default=0)
    return min((value for value in values if values.count(value) == most), default=math.nan)


def since_change(seen: Seen, _: Any) -> int:
    newest = at(max)(seen, None)
    changed = [then for then, value in seen if value != newest]
    return sum(not changed or then > max(changed) for then, _ in seen)


def since_last(seen: Seen, now: pd.Timestamp, late: bool) -> float:
    before = [then for then, _ in seen if late or then < now]
    return (now - max(before)).total_seconds() if before else math.nan


#: Of the events in a window, and when the row was: aggregates of any value.
OF_EVENTS: dict[str, Callable[[Seen, Any], Any]] = {
    **{name: of_values(aggregate) for name, aggregate in AGGREGATES.items()},
    "first": at(min),
    "last": at(max),
    "nunique": of_values(lambda values: len(set(values))),
    "mode": of_values(mode),
    "events_since_change": since_change,
}


def decayed(seen: Seen, known: pd.Timestamp, half_life: str) -> tuple[float, float]:
    """Return the decayed sum and the decayed mean."""
    length = pd.Timedelta(half_life.replace("d", "D"))
    weights = [0.5 ** ((known - then) / length) for then, _ in seen]
    terms = [weight * value for weight, (_, value) in zip(weights, seen, strict=True)]
    return math.fsum(terms), math.fsum(terms) / math.fsum(weights) if seen else math.nan


def events(
    table: pd.DataFrame, by: list[str], value: str, window: str, delay: str = "0s"
) -> list[Seen]:
    """Return, for each row, when and what: its entity's in (t - delay - window, t - delay]."""
    entities = list(table[by].itertuples(index=False, name=None))
    rows = list(zip(entities, table["time"], table[value], strict=True))
    there = [row for row in rows if not any(map(pd.isna, [*row[0], *row[1:]]))]
    length, late = (pd.Timedelta(text.replace("d", "D")) for text in (window, delay))
    return [
        [
            (then, what)
            for other, then, what in there
            if not (any(map(pd.isna, entity)) or pd.isna(now))
            and other == entity
            and now - late - length < then <= now - late
        ]
        for entity, now, _ in rows
    ]


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
