"""Levels and parameters of transformers as values for JSON, and back."""

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError

__all__ = ["plain", "restored"]


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: arrays are lists, NaN is None, others say what they are.

    Raises
    ------
    ConfigurationError
        It is of a type that is not kept.

    Examples
    --------
    >>> plain([pd.Timestamp("2025-01-01"), decimal.Decimal("1.10"), np.float64("nan")])
    [{'timestamp': ['2025-01-01T00:00:00', None, 'us']}, {'decimal': '1.10'}, None]
    """
    if isinstance(value, np.ndarray):
        return [plain(each) for each in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isnan(value):
        return None
    for kind, (of, told, _) in KINDS.items():
        if isinstance(value, of):
            return {kind: told(value)}
    if value is None or isinstance(value, (bool, int, float, str, dict)):
        return value
    raise ConfigurationError(
        f"{value!r} is a {type(value).__name__}, which is not kept in a file. Make it a number or "
        "text."
    )


def restored(value: Any) -> Any:
    """Return what `plain` was given, but for arrays and NaN.

    Examples
    --------
    >>> restored([{"date": "2025-01-31"}, 5, ["a"]])
    [datetime.date(2025, 1, 31), 5, ['a']]
    """
    if isinstance(value, list):
        return [restored(each) for each in value]
    if isinstance(value, dict) and len(value) == 1:
        ((kind, told),) = value.items()
        if kind in KINDS:
            return KINDS[kind][2](told)
    return value


def _told_timestamp(value: pd.Timestamp) -> list[str | None]:
    zone = None if value.tz is None else str(value.tz)
    return [value.isoformat(), zone, value.unit]


def _timestamp(told: list[Any]) -> pd.Timestamp:
    text, zone, unit = told
    made = pd.Timestamp(text).as_unit(unit)
    return made if zone is None else made.tz_convert(zone)


def _told_timedelta(value: pd.Timedelta) -> list[Any]:
    return [value.isoformat(), value.unit]


def _timedelta(told: list[Any]) -> pd.Timedelta:
    return pd.Timedelta(told[0]).as_unit(told[1])


#: What is told, how, and how it is made again; a Timestamp is a datetime, and that a date.
KINDS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "timestamp": (pd.Timestamp, _told_timestamp, _timestamp),
    "datetime": (
        datetime.datetime,
        datetime.datetime.isoformat,
        datetime.datetime.fromisoformat,
    ),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "timedelta": (pd.Timedelta, _told_timedelta, _timedelta),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
}
