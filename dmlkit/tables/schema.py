"""What a table shall hold: names, types, ranges, a unique key. Checking rows is done in `check`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd
from pandas.api.types import (
    is_bool_dtype,
    is_datetime64_any_dtype,
    is_float_dtype,
    is_integer_dtype,
)

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["DTYPES", "Column", "Schema", "first_rows"]

#: How many rows types are inferred from.
SAMPLE_ROWS = 10_000

DTYPES = (
    *(f"int{bits}" for bits in (8, 16, 32, 64)),
    "float32",
    "float64",
    "string",
    "bool",
    "datetime",
)


@dataclass(frozen=True)
class Column:
    """A column of a `Schema`.

    Parameters
    ----------
    name : str
    dtype : str
        ``int8`` to ``int64``, ``float32``, ``float64``, ``string``, ``bool`` or ``datetime``.
    nullable : bool
        May values be missing? A nullable integer column becomes ``Int64`` or the like.
    minimum, maximum : number, str, date or datetime, optional
        The range of good values, both ends included: of numbers and datetimes only. Times are kept
        as text, so that the schema can be written as JSON and TOML.
    allowed : sequence, optional
        The only good values.

    Raises
    ------
    ConfigurationError
        The dtype is unknown, or a limit or an allowed value is not of it.

    Examples
    --------
    >>> Column("amount", "float", minimum=0)
    Traceback (most recent call last):
    ...
    dmlkit.errors.ConfigurationError: Column 'amount' has the unknown dtype 'float' (nearest: ...
    """

    name: str
    dtype: str
    nullable: bool = False
    minimum: Any = None
    maximum: Any = None
    allowed: Sequence[Any] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            guess = nearest(self.dtype, DTYPES)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(
                f"Column {self.name!r} has the unknown dtype {self.dtype!r}{hint}. "
                f"Known: {', '.join(DTYPES)}."
            )
        for limit in ("minimum", "maximum"):
            value = getattr(self, limit)
            if value is not None:
                object.__setattr__(self, limit, self._typed(limit, value))
        if self.allowed is not None:
            values = [self._typed("allowed", value) for value in self.allowed]
            object.__setattr__(self, "allowed", tuple(values))
        if self.minimum is not None and self.maximum is not None and self._is_empty_range():
            raise ConfigurationError(
                f"Column {self.name!r} has the minimum {self.minimum} above the maximum "
                f"{self.maximum}: no value is good."
            )

    def _typed(self, key: str, value: Any) -> Any:
        """Return a limit or an allowed value as it is kept, if it is of the column's dtype."""
        if self.dtype == "datetime":
            try:
                return str(pd.Timestamp(value if isinstance(value, str) else str(value)))
            except ValueError:
                raise self._wrong(key, value, "a time such as '2025-01-31 12:00'") from None
        if self.dtype in ("string", "bool"):
            kind = str if self.dtype == "string" else bool
            if key != "allowed" or not isinstance(value, kind):
                raise self._wrong(key, value, f"allowed values of type {kind.__name__}")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key, value, "a number")
        return value

    def _wrong(self, key: str, value: Any, expected: str) -> ConfigurationError:
        return ConfigurationError(
            f"Column {self.name!r} of dtype {self.dtype} has {key} = {value!r}; it takes "
            f"{expected}."
        )

    def _is_empty_range(self) -> bool:
        if self.dtype != "datetime":
            return bool(self.minimum > self.maximum)
        limits = [pd.to_datetime(limit, utc=True) for limit in (self.minimum, self.maximum)]
        return bool(limits[0] > limits[1])

    @property
    def pandas_dtype(self) -> str:
        """The dtype of the column in a checked frame; datetimes keep their resolution."""
        if self.nullable and self.dtype.startswith("int"):
            return self.dtype.replace("int", "Int")
        if self.nullable and self.dtype == "bool":
            return "boolean"
        return {"string": "str", "datetime": "datetime64[us]"}.get(self.dtype, self.dtype)


@dataclass(frozen=True)
class Schema:
    """The columns of a table, what identifies a row, and which column is its time.

    Parameters
    ----------
    columns : sequence of Column
    unique : sequence of str
        Columns whose values together occur once.
    time : str, optional
        The column that tells when a row happened; rows of the future are bad.

    Raises
    ------
    ConfigurationError
        A name stands twice, or `unique` or `time` name a column that is not there.

    Examples
    --------
    >>> schema = Schema([Column("card", "int64"), Column("time", "datetime")], time="time")
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    """

    columns: Sequence[Column]
    unique: Sequence[str] = ()
    time: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "unique", tuple(self.unique))
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise ConfigurationError(f"The schema names the column {twice[0]!r} twice.")
        for name in (*self.unique, *([self.time] if self.time else [])):
            if name not in self.names:
                raise ConfigurationError(
                    f"The schema has no column {name!r}, which 'unique' or 'time' names."
                )

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as values for JSON or TOML: what is not set is left out."""
        columns = [
            {key: value for key, value in asdict(column).items() if _is_set(value)}
            for column in self.columns
        ]
        document: dict[str, Any] = {"unique": list(self.unique), "columns": columns}
        return document | ({"time": self.time} if self.time else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Schema":
        """Make it from what `to_dict` returned.

        Raises
        ------
        ConfigurationError
            A key is unknown or lacking.
        """
        _check_keys(document, cls, ["columns"])
        for column in document["columns"]:
            _check_keys(column, Column, ["name", "dtype"])
        columns = [Column(**column) for column in document["columns"]]
        return cls(columns, document.get("unique", ()), document.get("time"))

    @classmethod
    def infer(cls, frame: Any) -> "Schema":
        """Return a schema that fits a frame's first rows: types, and which may be missing.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        """
        sample = frame if isinstance(frame, pd.DataFrame) else first_rows(frame, SAMPLE_ROWS)
        columns = [
            Column(str(name), _dtype_name(sample[name].dtype), nullable=_nullable(sample[name]))
            for name in sample.columns
        ]
        times = [column.name for column in columns if column.dtype == "datetime"]
        return cls(columns, time=times[0] if len(times) == 1 else None)


def first_rows(frame: Any, count: int) -> pd.DataFrame:
    """Return the first rows of a Dask frame, reading no more partitions than it takes."""
    found: list[pd.DataFrame] = []
    for number in range(frame.npartitions):
        found.append(frame.partitions[number].compute().head(count))
        count -= len(found[-1])
        if count <= 0:
            break
    return pd.concat(found, ignore_index=True)


def _dtype_name(dtype: Any) -> str:
    if is_datetime64_any_dtype(dtype):
        return "datetime"
    if is_bool_dtype(dtype):
        return "bool"
    if is_float_dtype(dtype):
        return "float64" if dtype.itemsize == 8 else "float32"
    if is_integer_dtype(dtype):
        bits = dtype.itemsize * 8
        unsigned = str(dtype).lower().startswith("u")
        return f"int{min(bits * 2, 64) if unsigned else bits}"
    return "string"


def _nullable(values: pd.Series) -> bool:
    """Tell if values are missing here, or somewhere in the table by the dtype it was read with."""
    number = is_integer_dtype(values.dtype) or is_bool_dtype(values.dtype)
    by_dtype = number and pd.api.types.is_extension_array_dtype(values.dtype)
    return bool(by_dtype or values.isna().any())


def _is_set(value: Any) -> bool:
    return value is not None and value is not False


def _check_keys(document: Mapping[str, Any], model: type, needed: Sequence[str]) -> None:
    known = [field.name for field in fields(model)]
    for key in document:
        if key not in known:
            guess = nearest(key, known)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(f"A schema has no {key!r}{hint}. Known: {', '.join(known)}.")
    for key in needed:
        if key not in document:
            raise ConfigurationError(f"A schema lacks {key!r} in {dict(document)!r}.")
