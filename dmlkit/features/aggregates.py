"""What can be told of a window: the aggregates of `TimeWindows`, by their names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, nearest
from dmlkit.features import category_kernels, decay_kernels, order_kernels
from dmlkit.features.events import View
from dmlkit.features.lengths import UNITS_PER_SECOND, in_whole_units, length_of

__all__ = ["AGGREGATES", "Aggregate", "check_parameter", "parse_aggregate"]


@dataclass(frozen=True)
class Aggregate:
    """How an aggregate is computed.

    Attributes
    ----------
    compute : callable
        Takes a `View` and the parameter; returns an array.
    needs_number : bool
        Whether it can only be taken of numbers.
    parameter : str, optional
        What has to be told after a colon, such as "the value" or "the half-life".
    result : {"count", "total", "number", "value"}
        Counts are whole numbers and totals are zero in an empty window; numbers are missing there;
        a value has the type of the column.
    """

    compute: Callable[[View, str], Any]
    needs_number: bool = True
    parameter: str | None = None
    result: str = "number"


def parse_aggregate(text: str) -> tuple[str, str]:
    """Split ``"share:web"`` into the aggregate's name and its parameter, and check both.

    Examples
    --------
    >>> parse_aggregate("decayed_sum:1d")
    ('decayed_sum', '1d')
    """
    name, colon, parameter = text.partition(":")
    if name not in AGGREGATES:
        guess = nearest(name, AGGREGATES)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"Unknown aggregate {text!r}{hint}. Known: {', '.join(AGGREGATES)}."
        )
    wanted = AGGREGATES[name].parameter
    if wanted and not parameter:
        raise ConfigurationError(
            f"The aggregate {name!r} needs {wanted}: write '{name}:{EXAMPLES[name]}'."
        )
    if colon and not wanted:
        raise ConfigurationError(f"The aggregate {name!r} takes no {parameter!r} after a colon.")
    if name.startswith("decayed") and length_of(parameter) <= pd.Timedelta(0):
        raise ConfigurationError(f"The half-life in {text!r} is not longer than nothing.")
    return name, parameter


def check_parameter(name: str, parameter: str, column: pd.Series) -> None:
    """Raise when a share of a number column is asked for what is no number."""
    if name == "share" and pd.api.types.is_numeric_dtype(column.dtype):
        try:
            _as_number(parameter)
        except ValueError:
            raise ConfigurationError(
                f"Column {column.name!r} is {column.dtype}: no value of it can be {parameter!r}, "
                "of which the share is asked for. Give a number, true or false."
            ) from None


def _share(view: View, value: str) -> np.ndarray:
    """Return the share of the events with a value."""
    events = view.events
    if events.is_number:
        same = events.numbers == _as_number(value)
    else:
        same = (events.column.astype(str) == value).to_numpy()
    until = np.r_[0, np.cumsum(same)]
    start, stop = view.bounds
    return view.per_event(until[stop] - until[start])


def _as_number(value: str) -> float:
    truth = {"true": 1.0, "false": 0.0}
    return truth[value.lower()] if value.lower() in truth else float(value)


def _seconds_since_last(view: View, _: str) -> np.ndarray:
    """Return the seconds since the newest event before the row's own instant."""
    events, (start, stop) = view.events, view.bounds
    if view.delay == 0:
        # What happens at the row's own instant is no earlier event: an instant more of delay.
        stop = events.stops(view.codes, view.times, 1)
        start = events.starts(view.codes, view.times, view.window, stop)
    newest = np.r_[events.times, 0][np.where(stop > start, stop - 1, -1)]
    seconds = (view.times - newest) / UNITS_PER_SECOND[events.unit]
    return np.where(stop > start, seconds, np.nan)


def _events_since_change(view: View, _: str) -> np.ndarray:
    start, stop = view.bounds
    run_start = np.r_[view.events.run_starts, 0][view.event(stop - 1)]
    return np.where(stop > start, stop - np.maximum(run_start, start), 0)


def _decayed(kernel: Any) -> Callable[[View, str], np.ndarray]:
    def compute(view: View, half_life: str) -> np.ndarray:
        events = view.events
        length = in_whole_units(length_of(half_life), events.unit)
        return kernel(events.numbers, events.times, view.times, *view.bounds, length, view.delay)

    return compute


def _distinct(view: View, _: str) -> np.ndarray:
    events = view.events
    return category_kernels.sliding_distinct(
        events.levels_of_rows, *view.bounds, len(events.levels)
    )


def _mode(view: View, _: str) -> Any:
    events = view.events
    return events.restored(
        category_kernels.sliding_mode(events.levels_of_rows, *view.bounds, len(events.levels))
    )


AGGREGATES: Mapping[str, Aggregate] = {
    "count": Aggregate(lambda view, _: view.count, needs_number=False, result="count"),
    "sum": Aggregate(lambda view, _: view.sum, result="total"),
    "mean": Aggregate(lambda view, _: view.per_event(view.sum)),
    "std": Aggregate(lambda view, _: np.sqrt(view.variance)),
    "var": Aggregate(lambda view, _: view.variance),
    "min": Aggregate(
        lambda view, _: -order_kernels.sliding_maximum(-view.events.numbers, *view.bounds)
    ),
    "max": Aggregate(
        lambda view, _: order_kernels.sliding_maximum(view.events.numbers, *view.bounds)
    ),
    "first": Aggregate(
        lambda view, _: view.value_at(view.bounds[0]), needs_number=False, result="value"
    ),
    "last": Aggregate(
        lambda view, _: view.value_at(view.bounds[1] - 1), needs_number=False, result="value"
    ),
    "nunique": Aggregate(_distinct, needs_number=False, result="count"),
    "mode": Aggregate(_mode, needs_number=False, result="value"),
    "share": Aggregate(_share, needs_number=False, parameter="the value to look for"),
    "decayed_sum": Aggregate(
        _decayed(decay_kernels.sliding_decayed_sum), parameter="a half-life", result="total"
    ),
    "decayed_mean": Aggregate(
        _decayed(decay_kernels.sliding_decayed_mean), parameter="a half-life"
    ),
    "seconds_since_last": Aggregate(_seconds_since_last, needs_number=False),
    "events_since_change": Aggregate(_events_since_change, needs_number=False, result="count"),
}

#: A parameter for each aggregate that needs one.
EXAMPLES = {"share": "web", "decayed_sum": "1d", "decayed_mean": "1d"}
