"""Lengths of time as text, such as "7d"."""

import re

import pandas as pd

from dmlkit.errors import ConfigurationError

__all__ = ["UNITS_PER_SECOND", "in_whole_units", "length_of"]

UNITS_PER_SECOND = {"us": 1e6, "ns": 1e9}

#: Numbers with units, such as "7d" or "1h30min": a bare number would be nanoseconds.
LENGTH = re.compile(r"-?(\d+(\.\d+)?\s*[a-zA-Z]+\s*)+")


def length_of(text: str) -> pd.Timedelta:
    """Parse a length of time.

    Raises
    ------
    ConfigurationError
        It has no unit, one that is unknown, or one without a fixed length (months, years).

    Examples
    --------
    >>> length_of("1h30min")
    Timedelta('0 days 01:30:00')
    """
    try:
        if not LENGTH.fullmatch(text):
            raise ValueError
        return pd.Timedelta(re.sub(r"(?<=\d)\s*d(?![a-z])", "D", text))  # pandas calls a day "D"
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{text!r} is no length of time. Write it as '30min', '1h' or '7d'."
        ) from None


def in_whole_units(length: pd.Timedelta, unit: str) -> int:
    """Return a length in whole microseconds (``"us"``) or nanoseconds (``"ns"``), rounded up.

    Times are whole numbers too: one lies after ``t - length`` when it does after this.

    Examples
    --------
    >>> in_whole_units(length_of("1500ns"), "us")
    2
    """
    return -(-length.as_unit("ns").value // (1 if unit == "ns" else 1000))
