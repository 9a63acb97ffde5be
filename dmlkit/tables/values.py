"""Values of a column as the dtype of a schema: converted where they can be, else missing."""

from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import (
    is_bool_dtype,
    is_datetime64_any_dtype,
    is_float_dtype,
    is_integer_dtype,
    is_numeric_dtype,
)

from dmlkit.tables.schema import Column

__all__ = ["cast_column", "is_missing", "parse_column"]

#: Above this, float64 does not hold every whole number.
EXACT_FLOAT = 2.0**53

#: Texts for a missing number, time or truth value; in a column of text they are values.
NO_VALUE = ("", "nan", "na", "n/a", "#n/a", "null", "none")

WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def is_missing(values: pd.Series, parsed: pd.Series, column: Column) -> np.ndarray:
    """Tell which values are missing, or say in words that they are.

    Parameters
    ----------
    values : pandas.Series
    parsed : pandas.Series
        What `parse_column` made of them.
    column : Column
    """
    missing = values.isna().to_numpy(dtype=bool, copy=True)
    if column.dtype != "string" and _is_text(values):
        # Only what is not a number or time otherwise is looked at: few rows of a good table.
        suspects = np.flatnonzero(parsed.isna().to_numpy(dtype=bool) & ~missing)
        words = values.take(suspects).astype("str").str.strip().str.lower()
        missing[suspects[words.isin(NO_VALUE).to_numpy()]] = True
    return missing


def parse_column(values: pd.Series, column: Column) -> pd.Series:
    """Return the values as numbers, times, truth values or text; missing where that fails.

    Times as text are ISO 8601; an offset is taken into account and the result is UTC without a
    zone, the same in every partition.
    """
    if column.dtype == "datetime":
        return _times(values)
    if column.dtype == "string":
        return values if values.dtype == "str" else values.astype("str").where(values.notna(), None)
    if column.dtype == "bool":
        return _truth_values(values)
    if column.dtype.startswith("int"):
        return _integers(values, column.dtype)
    return _finite(values, column.dtype)


def cast_column(values: pd.Series, column: Column) -> pd.Series:
    """Return good values with the column's dtype; a datetime keeps its resolution."""
    parsed = parse_column(values, column)
    dtype: Any = column.pandas_dtype
    return parsed if column.dtype == "datetime" else parsed.astype(dtype)


def _is_text(values: pd.Series) -> bool:
    return not (is_numeric_dtype(values.dtype) or is_datetime64_any_dtype(values.dtype))


def _times(values: pd.Series) -> pd.Series:
    if is_datetime64_any_dtype(values.dtype):
        return values
    texts = _as_text(values)
    fast = _cast_by_arrow(texts, pa.timestamp("us"))
    if fast is not None:
        return pd.Series(fast.to_numpy(zero_copy_only=False), index=values.index)
    parsed = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    return parsed.dt.tz_localize(None).astype("datetime64[us]")


def _truth_values(values: pd.Series) -> pd.Series:
    if is_bool_dtype(values.dtype):
        return values
    if is_numeric_dtype(values.dtype):
        return values.where(values.isin((0, 1))).astype("boolean")
    return values.astype("str").str.strip().str.lower().map(WORDS).astype("boolean")


def _finite(values: pd.Series, dtype: str) -> pd.Series:
    numbers = _floats_of_text(_as_text(values)) if _is_text(values) else values
    if is_bool_dtype(numbers.dtype) or is_integer_dtype(numbers.dtype):
        return numbers
    own: Any = numbers.dtype
    narrower = min(own.name.lower(), dtype, key=lambda name: np.dtype(name).itemsize)
    largest = np.finfo(narrower).max
    finite = numbers.isna() | (numbers.abs() <= largest)
    return numbers if finite.all() else numbers.where(finite)


def _integers(values: pd.Series, dtype: str) -> pd.Series:
    """Return whole numbers within the range of `dtype`, none of them through float64."""
    if is_bool_dtype(values.dtype):
        return values
    if is_integer_dtype(values.dtype):
        numbers = values
    elif is_float_dtype(values.dtype):
        numbers = _whole(values.to_numpy(dtype="float64", na_value=np.nan), values.index)
    else:
        numbers = _integers_of_text(_as_text(values))
    limits = np.iinfo(dtype)
    own = np.iinfo(numbers.dtype.name.lower())
    if own.min >= limits.min and own.max <= limits.max:
        return numbers
    outside = ((numbers < limits.min) | (numbers > limits.max)).fillna(value=False)
    return numbers.astype(_nullable(numbers.dtype)).mask(outside) if outside.any() else numbers


def _nullable(dtype: Any) -> Any:
    name = str(dtype).lower()
    return name.replace("uint", "UInt") if name.startswith("u") else name.replace("int", "Int")


def _whole(numbers: np.ndarray, index: pd.Index) -> pd.Series:
    """Return floats as Int64, missing where they are not whole or too large."""
    with np.errstate(invalid="ignore"):
        whole = (numbers == np.floor(numbers)) & (numbers >= -(2.0**63)) & (numbers < 2.0**63)
    integers = np.where(whole, numbers, 0).astype("int64")
    return pd.Series(pd.arrays.IntegerArray(integers, ~whole), index=index)


def _integers_of_text(texts: pd.Series) -> pd.Series:
    fast = _cast_by_arrow(texts, pa.int64())
    if fast is not None:
        mask = fast.is_null().to_numpy(zero_copy_only=False)
        whole = np.array(fast.fill_null(0))
        return pd.Series(pd.arrays.IntegerArray(whole, mask), index=texts.index)
    floats = _floats_of_text(texts).to_numpy()
    integers = _whole(floats, texts.index)
    with np.errstate(invalid="ignore"):
        large = np.flatnonzero(np.abs(floats) >= EXACT_FLOAT)
    if len(large):
        exact = [_exact(str(written)) for written in texts.iloc[large]]
        integers.iloc[large] = pd.array(exact, dtype="Int64")
    return integers


def _floats_of_text(texts: pd.Series) -> pd.Series:
    """Return the nearest float64 to each number, by either way the same to the last bit."""
    fast = _cast_by_arrow(texts, pa.float64())
    if fast is not None:
        return pd.Series(fast.to_numpy(zero_copy_only=False), index=texts.index)
    is_number = pd.to_numeric(texts, errors="coerce").notna().to_numpy()
    numbers = np.full(len(texts), np.nan)
    numbers[is_number] = texts[is_number].to_numpy(dtype=object).astype("float64")
    return pd.Series(numbers, index=texts.index)


def _as_text(values: pd.Series) -> pd.Series:
    return values if values.dtype == "str" else values.astype("str")


def _cast_by_arrow(texts: pd.Series, kind: pa.DataType) -> pa.Array | None:
    """Return all texts converted, ten times as fast as one by one; None if it can't do some."""
    array = pa.array(texts, pa.large_string(), from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if pa.types.is_integer(kind) and _holds(array, "x", "X"):  # Arrow takes 0x10 for a number
        return None
    try:
        return pc.cast(array, kind)
    except pa.ArrowInvalid:
        return None


def _holds(texts: pa.Array, *parts: str) -> bool:
    return any(pc.any(pc.match_substring(texts, part)).as_py() for part in parts)


def _exact(text: str) -> Any:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return pd.NA
    whole = number.is_finite() and number == number.to_integral_value()
    return int(number) if whole and -(2**63) <= number < 2**63 else pd.NA
