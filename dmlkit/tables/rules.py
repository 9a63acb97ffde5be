"""Which rows of a partition break a schema."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.tables.schema import Column, Schema
from dmlkit.tables.text import PROBLEM
from dmlkit.tables.values import cast_column, is_missing, parse_column

__all__ = ["UNREADABLE", "key_hashes", "problems"]

UNREADABLE = "ragged or broken row"

#: So far ahead of UTC are the clocks of the furthest time zone.
FURTHEST_ZONE = pd.Timedelta(hours=14)

#: Of allowed values, in a reason.
MOST_LISTED = 10


def problems(
    frame: pd.DataFrame, schema: Schema, now: pd.Timestamp
) -> Iterator[tuple[str, np.ndarray]]:
    """Give each reason for which rows are bad, with the mask of these rows.

    Parameters
    ----------
    frame : pandas.DataFrame
    schema : Schema
    now : Timestamp
        With a time zone, it is compared as it is with times of a zone, and a column without one is
        given the 14 hours that clocks may be ahead of UTC. Without a zone, it is by the column's
        clock.

    Examples
    --------
    >>> schema = Schema([Column("amount", "float64", minimum=0)])
    >>> frame = pd.DataFrame({"amount": ["1.5", "-2", "many", None]})
    >>> for reason, mask in problems(frame, schema, pd.Timestamp("2025-01-01")):
    ...     print(reason, mask.nonzero()[0])
    amount: not a float64 [2]
    amount: missing [3]
    amount: below 0 [1]
    """
    readable = np.ones(len(frame), dtype=bool)
    if PROBLEM in frame.columns:
        unreadable = frame[PROBLEM].notna().to_numpy()
        readable = ~unreadable
        yield UNREADABLE, unreadable
    for column in schema.columns:
        parsed = parse_column(frame[column.name], column)
        missing = is_missing(frame[column.name], parsed, column)
        for reason, mask in _column_problems(parsed, missing, column):
            yield f"{column.name}: {reason}", mask & readable
        if column.name == schema.time:
            yield f"{column.name}: in the future", _after(parsed, now) & readable


def key_hashes(frame: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Return a number for the unique key of each row: the key itself if it is one integer.

    Other keys are hashed to 64 bits; that two of a billion differing keys are taken for the same
    has a chance of 3 in 100. Missing values in a key are the same as each other.
    """
    columns = [column for column in schema.columns if column.name in schema.unique]
    values = [_comparable(cast_column(frame[column.name], column)) for column in columns]
    if len(columns) == 1 and columns[0].dtype.startswith("int") and not columns[0].nullable:
        return values[0].to_numpy(dtype="int64").view(np.uint64)
    return pd.util.hash_pandas_object(pd.concat(values, axis=1), index=False).to_numpy()


def _comparable(values: pd.Series) -> pd.Series:
    """Return values that are equal bit by bit where they are equal: no negative zero."""
    return values + 0.0 if pd.api.types.is_float_dtype(values.dtype) else values


def _column_problems(
    parsed: pd.Series, missing: np.ndarray, column: Column
) -> Iterator[tuple[str, np.ndarray]]:
    failed = parsed.isna().to_numpy(dtype=bool) & ~missing
    hint = ", written as 2025-01-31 12:00:00" if column.dtype == "datetime" else ""
    yield f"not {'an' if column.dtype.startswith('i') else 'a'} {column.dtype}{hint}", failed
    if not column.nullable:
        yield "missing", missing
    good = ~failed & ~missing
    if column.minimum is not None:
        yield f"below {column.minimum}", good & _compare(parsed, "lt", column.minimum)
    if column.maximum is not None:
        yield f"above {column.maximum}", good & _compare(parsed, "gt", column.maximum)
    if column.allowed is not None:
        allowed = [_bound(parsed, value) for value in column.allowed]
        is_allowed = parsed.isin(allowed).to_numpy(dtype=bool, na_value=False)
        yield f"not one of {_listed(column.allowed)}", good & ~is_allowed


def _listed(values: Sequence[Any]) -> str:
    words = [str(value) for value in values]
    more = f" and {len(words) - MOST_LISTED} more" if len(words) > MOST_LISTED else ""
    return ", ".join(words[:MOST_LISTED]) + more


def _compare(parsed: pd.Series, operator: str, limit: object) -> np.ndarray:
    compared = getattr(parsed, operator)(_bound(parsed, limit))
    return compared.fillna(value=False).to_numpy(dtype=bool)


def _bound(parsed: pd.Series, limit: object) -> object:
    """Return a limit of a time column as a time of its zone, UTC where one has none."""
    if not pd.api.types.is_datetime64_any_dtype(parsed.dtype):
        return limit
    time = pd.to_datetime(str(limit), utc=True)
    return time if parsed.dt.tz is not None else time.tz_localize(None)


def _after(time: pd.Series, now: pd.Timestamp) -> np.ndarray:
    if time.dt.tz is not None:
        limit = now if now.tzinfo is not None else now.tz_localize("UTC")
    elif now.tzinfo is not None:
        limit = now.tz_convert("UTC").tz_localize(None) + FURTHEST_ZONE
    else:
        limit = now
    return (time > limit).to_numpy(dtype=bool)
