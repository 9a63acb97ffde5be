"""`Comparable`: a column, a value or a constant as what a condition compares it as.

Numbers, text and times, whatever the type they come in. A column and a single value of it are
brought to the same form, so that comparing whole columns and comparing one event cannot differ.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError

__all__ = ["NOTHING", "NUMBER", "TEXT", "TIME", "Comparable", "Constant"]

NUMBER, TEXT, TIME = "number", "text", "time"
#: A value that is missing, or a column of no type without a value.
NOTHING = "nothing"

Constant = bool | int | float | str

#: What `object` columns hold, as pandas infers it, and the type they are given.
OBJECT_TYPES = {
    "string": "str",
    "boolean": "boolean",
    "integer": "Int64",
    "floating": "float64",
    "mixed-integer-float": "float64",
    "decimal": "float64",
}


@dataclass(frozen=True)
class Comparable:
    """What a column, a value or a constant is compared as.

    Attributes
    ----------
    kind : {"number", "text", "time", "nothing"}
    data : array, pd.Series, or one value
        Whole numbers as they are, others as doubles; times in UTC, without a zone.
    there : bool, or array of them
        False where missing.
    told : str
        What it is, for messages.
    is_truth : bool
        Whether the numbers are truth values.
    """

    kind: str
    data: Any
    there: Any
    told: str
    is_truth: bool = False

    @classmethod
    def of_column(cls, values: Any, name: str) -> "Comparable":
        """Take a column, by its type."""
        column = _typed(pd.Series(values, copy=False), name)
        dtype, there = column.dtype, column.notna().to_numpy(dtype=bool)
        told = f"column {name!r} ({dtype})"
        if dtype == np.dtype(object):
            return cls(NOTHING, None, there, told)
        if pd.api.types.is_datetime64_any_dtype(dtype):
            return cls(TIME, _in_utc(column), there, told)
        if pd.api.types.is_string_dtype(dtype):
            return cls(TEXT, column.astype("str"), there, told)
        if pd.api.types.is_bool_dtype(dtype):
            numbers = column.to_numpy(dtype=bool, na_value=False).view("int8")
            return cls(NUMBER, numbers, there, told, is_truth=True)
        if pd.api.types.is_numeric_dtype(dtype) and dtype.kind != "c":
            numbers = _numbers(column)
            there = ~np.isnan(numbers) if numbers.dtype.kind == "f" else there
            return cls(NUMBER, numbers, there, told)
        raise InputError(
            f"Column {name!r} is {dtype}, which a condition can't compare. Turn it into a number, "
            "text or a time first."
        )

    @classmethod
    def of_value(cls, value: Any, name: str) -> "Comparable":
        """Take one value of a column."""
        if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
            value = value.item()
        if value is None or value is pd.NA or value is pd.NaT or value != value:
            return cls(NOTHING, None, False, f"column {name!r} (missing)")
        told = f"column {name!r} ({value!r})"
        if isinstance(value, str):
            return cls(TEXT, value, True, told)
        if isinstance(value, bool | int | float | Decimal):
            number = float(value) if isinstance(value, Decimal) else value
            return cls(NUMBER, number, True, told, isinstance(value, bool))
        if isinstance(value, date | np.datetime64):
            return cls(TIME, _without_zone(pd.Timestamp(value)), True, told)
        raise InputError(
            f"Column {name!r} has the value {value!r}, which a condition can't compare. Turn it "
            "into a number, text or a time first."
        )

    def constants(self, constants: Sequence[Constant]) -> list["Comparable"]:
        """Take constants as something to compare this with.

        Text is read as a time where this is one. Where this is whole, numbers are compared by
        their exact value; where it is not, as doubles.
        """
        return _fitted(tuple(constants), self.kind, self.is_floating)

    @property
    def is_floating(self) -> bool:
        """Whether it is made of doubles."""
        if isinstance(self.data, np.ndarray):
            return self.data.dtype.kind == "f"
        return isinstance(self.data, float)

    def compared(self, compare: Callable[[Any, Any], Any], other: "Comparable") -> Any:
        """Return where a comparison holds: not where one of both is missing."""
        left, right = self.data, other.data
        if self.is_floating != other.is_floating and not isinstance(left, np.ndarray):
            left, right = float(left), float(right)  # as numpy does it with columns
        found = compare(left, right.array if isinstance(right, pd.Series) else right)
        found = found.to_numpy(dtype=bool) if isinstance(found, pd.Series) else found
        return found & self.there & other.there

    def among(self, constants: Sequence["Comparable"]) -> Any:
        """Return where it is one of constants of its kind; what is missing may seem to be."""
        others = [constant.data for constant in constants]
        if isinstance(self.data, np.ndarray):
            dtype = self.data.dtype
            fitting = [number for number in others if _fits(number, dtype)]
            return np.isin(self.data, np.array(fitting, dtype=dtype))
        if not isinstance(self.data, pd.Series):
            return self.data in others
        if self.kind == TEXT:
            return self.data.isin(others).to_numpy(dtype=bool)
        nowhere = np.zeros(len(self.data), dtype=bool)
        return np.logical_or.reduce([nowhere, *(self.data == time for time in others)])


def capitalized(text: str) -> str:
    """Write the first letter large, and leave the others."""
    return text[:1].upper() + text[1:]


def _typed(column: Any, name: str) -> Any:
    """Give a column whose type does not tell what it holds one that does."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        if column.dtype.categories.empty:
            return column.astype(object)
        levels = pd.Series(pd.array(column.dtype.categories.to_numpy()))
        column = levels.reindex(column.cat.codes.to_numpy())  # -1, which none has, is missing
    if column.dtype != np.dtype(object):
        return column
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "empty":
        return column
    if found in OBJECT_TYPES:
        return column.astype(OBJECT_TYPES[found])
    if found in ("date", "datetime", "datetime64"):
        return pd.to_datetime(column, utc=True)
    kinds = Counter(type(value).__name__ for value in column[column.notna()])
    raise InputError(
        f"Column {name!r} holds "
        + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        + f", such as {column[column.notna()].iloc[0]!r}, which a condition can't compare. "
        "Convert it to one type of number, text or time first."
    )


def _numbers(column: Any) -> np.ndarray:
    """Return whole numbers as they are (missing ones as 0), others as doubles."""
    if isinstance(column.dtype, np.dtype):
        whole = column.dtype.kind in "iu"
        return column.to_numpy() if whole else column.to_numpy(dtype="float64")
    stored = column.dtype.numpy_dtype
    if stored.kind in "iu":
        return column.to_numpy(dtype=stored, na_value=0)
    return column.to_numpy(dtype="float64", na_value=np.nan)


def _in_utc(column: Any) -> Any:
    arrow = getattr(column.dtype, "pyarrow_dtype", None)
    if arrow is not None:
        zone = ", UTC" if getattr(arrow, "tz", None) else ""
        unit = np.datetime_data(column.dtype.numpy_dtype)[0]
        column = column.astype(f"datetime64[{unit}{zone}]")
    return column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)


def _without_zone(time: pd.Timestamp) -> pd.Timestamp:
    return time if time.tzinfo is None else time.tz_convert("UTC").tz_localize(None)


@lru_cache(maxsize=1000)
def _fitted(constants: tuple[Constant, ...], kind: str, floating: bool) -> list[Comparable]:
    return [_constant(constant, kind, floating) for constant in constants]


def _constant(constant: Constant, kind: str, floating: bool) -> Comparable:
    if isinstance(constant, str):
        time = _time_of(constant) if kind == TIME else None
        if time is not None:
            return Comparable(TIME, time, True, f"the time {constant!r}")
        return Comparable(TEXT, constant, True, f"the text {constant!r}")
    told = f"the number {constant!r}"
    if floating:
        return Comparable(NUMBER, float(constant), True, told)
    whole = isinstance(constant, float) and constant.is_integer()
    return Comparable(NUMBER, int(constant) if whole else constant, True, told)


def _time_of(text: str) -> pd.Timestamp | None:
    try:
        datetime.fromisoformat(text)  # pandas alone would take "1/2/25" and "now" too
        return _without_zone(pd.Timestamp(text))
    except ValueError:
        return None


def _fits(number: Any, dtype: np.dtype) -> bool:
    """Return whether an array of a type can hold a number as it is."""
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype)
    return isinstance(number, int) and int(limits.min) <= number <= int(limits.max)
