"""Which rows of a partition break a schema, and the good ones with the schema's dtypes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from dmlkit.tables.schema import Column, Schema
from dmlkit.tables.text import PROBLEM

__all__ = ["cast_column", "key_hashes", "problems"]


def problems(
    frame: pd.DataFrame, schema: Schema, now: pd.Timestamp
) -> Iterator[tuple[str, np.ndarray]]:
    """Give each reason for which rows are bad, with the mask of these rows.

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
        ragged = frame[PROBLEM].notna().to_numpy()
        readable = ~ragged
        yield "ragged row: another number of fields than the header", ragged
    for column in schema.columns:
        for reason, mask in _column_problems(frame[column.name], column):
            yield f"{column.name}: {reason}", mask & readable
        if column.name == schema.time:
            time = _parsed(frame[column.name], column)
            yield f"{column.name}: in the future", _after(time, now) & readable


def cast_column(values: pd.Series, column: Column) -> pd.Series:
    """Return good values with the column's dtype; a datetime keeps its resolution."""
    parsed = _parsed(values, column)
    if column.dtype == "datetime":
        return parsed
    return parsed.astype(column.pandas_dtype)


def key_hashes(frame: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Return a number for the unique key of each row: the key itself if it is one integer.

    Other keys are hashed to 64 bits; that two of a billion differing keys are taken for the same
    has a chance of 3 in 100.
    """
    columns = [column for column in schema.columns if column.name in schema.unique]
    values = [cast_column(frame[column.name], column) for column in columns]
    if len(values) == 1 and pd.api.types.is_integer_dtype(values[0].dtype):
        return values[0].to_numpy(dtype="int64", na_value=0).view(np.uint64)
    return pd.util.hash_pandas_object(pd.concat(values, axis=1), index=False).to_numpy()


def _column_problems(values: pd.Series, column: Column) -> Iterator[tuple[str, np.ndarray]]:
    missing = values.isna().to_numpy()
    parsed = _parsed(values, column)
    failed = parsed.isna().to_numpy() & ~missing
    if column.dtype.startswith("int"):
        failed |= _not_whole(parsed, column.dtype)
    yield f"not {'an' if column.dtype[0] in 'i' else 'a'} {column.dtype}", failed
    if not column.nullable:
        yield "missing", missing
    good = ~failed & ~missing
    if column.minimum is not None:
        yield f"below {column.minimum}", good & _compare(parsed, "lt", column.minimum)
    if column.maximum is not None:
        yield f"above {column.maximum}", good & _compare(parsed, "gt", column.maximum)
    if column.allowed is not None:
        listed = ", ".join(map(str, column.allowed))
        yield f"not one of {listed}", good & ~parsed.isin(column.allowed).to_numpy()


def _parsed(values: pd.Series, column: Column) -> pd.Series:
    """Return the values as numbers, times, booleans or text; missing where that fails."""
    if column.dtype == "datetime":
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            return values
        return pd.to_datetime(values, errors="coerce", format="ISO8601").astype("datetime64[us]")
    if column.dtype == "string":
        return values.astype("str").where(values.notna(), None)
    if column.dtype == "bool" and not pd.api.types.is_numeric_dtype(values.dtype):
        words = {"true": True, "false": False, "1": True, "0": False}
        return values.str.lower().map(words).astype("boolean")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values
    return pd.to_numeric(values, errors="coerce")


def _not_whole(parsed: pd.Series, dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    if pd.api.types.is_integer_dtype(parsed.dtype) or pd.api.types.is_bool_dtype(parsed.dtype):
        if parsed.dtype.itemsize <= np.dtype(dtype).itemsize:
            return np.zeros(len(parsed), dtype=bool)
        outside = (parsed < limits.min) | (parsed > limits.max)
        return outside.fillna(value=False).to_numpy(dtype=bool)
    numbers = parsed.to_numpy(dtype="float64", na_value=np.nan)
    with np.errstate(invalid="ignore"):
        whole = (numbers == np.floor(numbers)) & (numbers >= limits.min) & (numbers <= limits.max)
    return ~whole & ~np.isnan(numbers)


def _compare(parsed: pd.Series, operator: str, limit: object) -> np.ndarray:
    bound = pd.Timestamp(str(limit)) if parsed.dtype.kind == "M" else limit
    compared = getattr(parsed, operator)(bound)
    return compared.fillna(value=False).to_numpy(dtype=bool)


def _after(time: pd.Series, now: pd.Timestamp) -> np.ndarray:
    zone = getattr(time.dtype, "tz", None)
    return (time > (now.tz_localize("UTC") if zone is not None else now)).to_numpy(dtype=bool)
