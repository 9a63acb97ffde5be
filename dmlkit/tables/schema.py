"""What a table shall hold: names, types, ranges, a unique key. Checking rows is done in `check`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["DTYPES", "Column", "Schema"]

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
    minimum, maximum : number or str, optional
        The range of good values, both ends included.
    allowed : sequence, optional
        The only good values.

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
        if self.allowed is not None:
            object.__setattr__(self, "allowed", tuple(self.allowed))

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
            {key: value for key, value in asdict(column).items() if value not in (None, False)}
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
            A key is unknown.
        """
        _check_keys(document, cls)
        for column in document["columns"]:
            _check_keys(column, Column)
        columns = [Column(**column) for column in document["columns"]]
        return cls(columns, document.get("unique", ()), document.get("time"))

    @classmethod
    def infer(cls, frame: Any) -> "Schema":
        """Return a schema that fits a frame's first rows: types, and which may be missing.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        """
        sample = frame if isinstance(frame, pd.DataFrame) else frame.head(10_000, npartitions=-1)
        columns = [
            Column(str(name), _dtype_name(sample[name]), nullable=bool(sample[name].isna().any()))
            for name in sample.columns
        ]
        times = [column.name for column in columns if column.dtype == "datetime"]
        return cls(columns, time=times[0] if len(times) == 1 else None)


def _dtype_name(values: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "datetime"
    if pd.api.types.is_bool_dtype(values.dtype):
        return "bool"
    name = str(values.dtype).lower()
    return name if name in DTYPES else "string"


def _check_keys(document: Mapping[str, Any], model: type) -> None:
    known = [field.name for field in fields(model)]
    for key in document:
        if key not in known:
            guess = nearest(key, known)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(f"A schema has no {key!r}{hint}. Known: {', '.join(known)}.")
