"""What a condition consists of: comparisons of columns, joined by and, or, not.

Each part tells of whole columns for which rows it holds (`mask`), and whether of one event.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.features.comparable import NOTHING, Comparable, Constant, capitalized

__all__ = [
    "OPERATORS",
    "Among",
    "Comparison",
    "IsMissing",
    "IsTrue",
    "Joined",
    "Name",
    "Not",
    "Part",
]

Columns = Mapping[str, Any]
Event = Mapping[str, Any]

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

#: What each kind of column can be compared with.
ADVICE = {
    "number": "with a number, without quotes",
    "text": "with text, in quotes",
    "time": "with a time, such as '2025-01-31T12:00'",
}


class Part(Protocol):
    """A part of a condition."""

    @property
    def columns(self) -> list[str]:
        """The columns that are read, some perhaps twice."""
        ...

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        ...

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        ...


@dataclass(frozen=True)
class Name:
    """A column on the right of a comparison."""

    name: str


@dataclass(frozen=True)
class Comparison:
    """A column against a constant or another column; false where one of both is missing."""

    column: str
    sign: str
    other: Constant | Name

    def __str__(self) -> str:
        other = self.other.name if isinstance(self.other, Name) else repr(self.other)
        return f"{self.column} {self.sign} {other}"

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [self.column, *([self.other.name] if isinstance(self.other, Name) else [])]

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        if not isinstance(self.other, Name):
            return _by_level(columns[self.column], self.column, self._with_constant)
        left = Comparable.of_column(columns[self.column], self.column)
        right = Comparable.of_column(columns[self.other.name], self.other.name)
        return self._compared(left, right)

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        left = _value(event, self.column)
        if isinstance(self.other, Name):
            return bool(self._compared(left, _value(event, self.other.name)))
        return bool(self._with_constant(left))

    def _with_constant(self, left: Comparable) -> Any:
        constants = [] if isinstance(self.other, Name) else [self.other]
        return self._compared(left, *left.constants(constants))

    def _compared(self, left: Comparable, right: Comparable) -> Any:
        if NOTHING in (left.kind, right.kind):
            return left.there & right.there & False
        _check_kinds(self, left, right)
        return left.compared(OPERATORS[self.sign], right)


@dataclass(frozen=True)
class Among:
    """A column that is, or is not, one of several constants; false where it is missing."""

    column: str
    constants: tuple[Constant, ...]
    wanted: bool

    def __str__(self) -> str:
        return f"{self.column} {'in' if self.wanted else 'not in'} {list(self.constants)}"

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [self.column]

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        return _by_level(columns[self.column], self.column, self._among)

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        return bool(self._among(_value(event, self.column)))

    def _among(self, column: Comparable) -> Any:
        if column.kind == NOTHING:
            return column.there
        constants = column.constants(self.constants)
        for constant in constants:
            _check_kinds(self, column, constant)
        found = column.among(constants)
        return (found == self.wanted) & column.there


@dataclass(frozen=True)
class IsTrue:
    """A column of truth values that stands alone; false where it is missing."""

    column: str

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [self.column]

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        return _by_level(columns[self.column], self.column, self._true)

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        return bool(self._true(_value(event, self.column)))

    def _true(self, column: Comparable) -> Any:
        if column.kind == NOTHING:
            return column.there
        if not column.is_truth:
            raise InputError(
                f"{capitalized(column.told)} stands alone in a condition, but is no truth value. "
                f"Compare it with something, such as {self.column} == 1."
            )
        return (column.data == 1) & column.there


@dataclass(frozen=True)
class IsMissing:
    """Whether a column is missing, or is there."""

    column: str
    wanted: bool

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [self.column]

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        return _is_missing(columns[self.column]) == self.wanted

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        return (_value(event, self.column).kind == NOTHING) == self.wanted


@dataclass(frozen=True)
class Not:
    """Where a part does not hold."""

    part: Part

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return self.part.columns

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        return ~self.part.mask(columns)

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        return not self.part.holds(event)


@dataclass(frozen=True)
class Joined:
    """Where all of some parts hold, or any of them."""

    parts: tuple[Part, ...]
    all_of_them: bool

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [name for part in self.parts for name in part.columns]

    def mask(self, columns: Columns) -> np.ndarray:
        """Return for which rows it holds."""
        join = np.logical_and if self.all_of_them else np.logical_or
        return join.reduce([part.mask(columns) for part in self.parts])

    def holds(self, event: Event) -> bool:
        """Return whether it holds for one event."""
        join = all if self.all_of_them else any
        return join(part.holds(event) for part in self.parts)


def _by_level(values: Any, name: str, of_values: Callable[[Comparable], Any]) -> np.ndarray:
    """Judge a column; of a categorical, each level once."""
    column = pd.Series(values, copy=False)
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return of_values(Comparable.of_column(column, name))
    if column.dtype.categories.empty:
        return np.zeros(len(column), dtype=bool)
    levels = of_values(Comparable.of_column(column.dtype.categories, name))
    return np.append(levels, False)[column.cat.codes]  # the code of what is missing is -1


def _is_missing(values: Any) -> np.ndarray:
    column = pd.Series(values, copy=False)
    missing = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype) and not isinstance(column.dtype, np.dtype):
        # Of these, pandas tells apart what is missing and what is not a number.
        missing = np.isnan(column.to_numpy(dtype="float64", na_value=np.nan))
    return missing


def _value(event: Event, name: str) -> Comparable:
    if name not in event:
        raise MissingColumnError.of("event", name, event)
    return Comparable.of_value(event[name], name)


def _check_kinds(part: Comparison | Among, left: Comparable, right: Comparable) -> None:
    if left.kind != right.kind:
        raise InputError(
            f"{capitalized(left.told)} can't be compared with {right.told}, as the condition "
            f"{str(part)!r} does. Compare it {ADVICE[left.kind]}, or convert one of them first."
        )
