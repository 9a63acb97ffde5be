"""What can be learnt of columns: each statistic is taken of parts of a table and added up.

Here are those of numbers; see also `levels` and `order`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError

__all__ = [
    "GROUPS",
    "TARGET",
    "Covariances",
    "CovariancesOf",
    "MissingOf",
    "Moments",
    "MomentsOf",
    "Statistic",
    "infinite",
    "numbers_of",
]

#: Rows whose products are taken together.
CHUNK = 2_048

#: The names under which labels and groups stand beside the columns of a part.
TARGET, GROUPS = "__target", "__groups"


class Statistic(Protocol):
    """Something to learn of a column in one pass. Equal statistics are taken once."""

    @property
    def column(self) -> str:
        """The column that it is taken of."""
        ...

    def of(self, part: pd.DataFrame) -> Any:
        """Take it of a part of the table."""
        ...

    def add(self, states: Sequence[Any]) -> Any:
        """Put what was taken of several parts together."""
        ...

    def explain(self) -> str:
        """Tell in a few words what is learnt, with the column at their end."""
        ...


def numbers_of(column: pd.Series) -> NDArray[np.float64]:
    """Return a column as float64, NaN where missing; it may be a view of what the frame holds.

    Raises
    ------
    InputError
        It does not hold numbers.
    """
    if not pd.api.types.is_numeric_dtype(column.dtype):
        example = f" (such as {column.dropna().iloc[0]!r})" if column.notna().any() else ""
        raise InputError(
            f"Column {column.name!r} is {column.dtype}{example}, but a number is needed. "
            "Encode it first, or leave it out of this step."
        )
    if isinstance(column.dtype, np.dtype):  # where NaN is what is missing already
        return column.to_numpy(dtype=np.float64)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def infinite(name: str) -> InputError:
    """Return an error that tells of infinite values in a column, and what to do."""
    return InputError(
        f"Column {name!r} has infinite values, from which nothing can be learnt. Drop their rows, "
        "or make them missing: frame.replace([np.inf, -np.inf], np.nan)."
    )


class Moments(NamedTuple):
    """Of the numbers of a column that are there; `squares` is about the mean."""

    rows: int
    missing: int
    mean: float
    squares: float
    minimum: float
    maximum: float

    @property
    def variance(self) -> float:
        """The variance of all rows, as scikit-learn's scalers take it."""
        return self.squares / self.rows if self.rows else np.nan


@dataclass(frozen=True)
class MomentsOf:
    """Count, mean, variance and extremes of a column.

    References
    ----------
    Chan, Golub, LeVeque: *Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances*. COMPSTAT 1982.
    """

    column: str

    def of(self, part: pd.DataFrame) -> Moments:
        """Take the moments of a part."""
        values = numbers_of(part[self.column])
        with np.errstate(invalid="ignore"):
            total = values.sum()
        # Only of a sum that is NaN can a value be missing.
        there = values[~np.isnan(values)] if np.isnan(total) else values
        if not len(there):
            return Moments(0, len(values), 0.0, 0.0, np.nan, np.nan)
        lowest, highest = float(there.min()), float(there.max())
        if np.isinf([lowest, highest]).any():
            raise infinite(self.column)
        mean = float((total if there is values else there.sum()) / len(there))
        apart = there - mean
        apart *= apart
        squares = float(apart.sum())
        missing = len(values) - len(there)
        return Moments(len(there), missing, mean, squares, lowest, highest)

    def add(self, states: Sequence[Moments]) -> Moments:
        """Add moments up."""
        missing = sum(state.missing for state in states)
        counted = [state for state in states if state.rows]
        if not counted:
            return Moments(0, missing, 0.0, 0.0, np.nan, np.nan)
        rows = sum(state.rows for state in counted)
        # About the first mean, so that large values with a small spread lose nothing.
        first = counted[0].mean
        mean = first + sum((state.mean - first) * state.rows for state in counted) / rows
        squares = sum(state.squares + state.rows * (state.mean - mean) ** 2 for state in counted)
        lowest = min(state.minimum for state in counted)
        highest = max(state.maximum for state in counted)
        return Moments(rows, missing, mean, squares, lowest, highest)

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"mean, variance and range of {self.column}"


@dataclass(frozen=True)
class MissingOf:
    """How many rows of a column have no value."""

    column: str

    def of(self, part: pd.DataFrame) -> int:
        """Count those of a part."""
        return int(part[self.column].isna().sum())

    def add(self, states: Sequence[int]) -> int:
        """Add counts up."""
        return sum(states)

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"missing values of {self.column}"


class Covariances(NamedTuple):
    """Rows, means, and sums of products about the means of several columns."""

    rows: int
    mean: NDArray[np.float64]
    products: NDArray[np.float64]


@dataclass(frozen=True)
class CovariancesOf:
    """The covariances of several columns; rows must have all of them.

    References
    ----------
    As of `MomentsOf`.
    """

    columns: tuple[str, ...]

    @property
    def column(self) -> str:
        """The columns, in words."""
        return ", ".join(self.columns)

    def of(self, part: pd.DataFrame) -> Covariances:
        """Take the covariances of a part."""
        values = self._numbers(part)
        size, rows = values.shape
        products = np.zeros((size, size))
        if not rows:
            return Covariances(0, np.zeros(size), products)
        with np.errstate(invalid="ignore", over="ignore"):
            mean = values.mean(axis=1, dtype=np.float64)
        if not np.isfinite(mean).all():
            missing = int((~np.isfinite(values)).any(axis=0).sum())
            if not missing:
                raise self._too_large(values, int(np.argmin(np.isfinite(mean))))
            raise InputError(
                f"{missing:,} rows of a partition have a missing or infinite value in "
                f"{self.column}. Fill them in first (SimpleImputer)."
            )
        # A few rows at a time, which stay in a core's cache.
        about_mean = np.empty((size, min(CHUNK, rows)))
        for start in range(0, rows, CHUNK):
            chunk = about_mean[:, : min(CHUNK, rows - start)]
            np.subtract(values[:, start : start + CHUNK], mean[:, None], out=chunk)
            with np.errstate(invalid="ignore", over="ignore"):
                products += chunk @ chunk.T
        squares = np.diagonal(products)
        if not np.isfinite(squares).all():
            raise self._too_large(values, int(np.argmin(np.isfinite(squares))))
        return Covariances(rows, mean, products)

    def _too_large(self, values: NDArray[Any], place: int) -> InputError:
        largest = float(np.abs(values[place]).max())
        return InputError(
            f"{self.columns[place]!r} has values up to {largest:.3g} in a partition of "
            f"{values.shape[1]:,} rows: their sum or that of their squares is beyond what float64 "
            "holds. Divide the column first, or look for a number that stands for a missing one."
        )

    def _numbers(self, part: pd.DataFrame) -> NDArray[Any]:
        """Return column after column: those of one type of floats as the frame holds them."""
        own = part[list(self.columns)]
        types = set(own.dtypes)
        if types in ({np.dtype(np.float32)}, {np.dtype(np.float64)}):
            return own.to_numpy().T
        return np.array([numbers_of(own[name]) for name in self.columns]).reshape(-1, len(own))

    def add(self, states: Sequence[Covariances]) -> Covariances:
        """Add covariances up about the common mean."""
        rows = sum(state.rows for state in states)
        if rows == 0:
            return states[0]
        first = next(state.mean for state in states if state.rows)
        mean = first + sum((state.mean - first) * state.rows for state in states) / rows
        products = np.zeros_like(states[0].products)
        for state in states:
            apart = state.mean - mean
            products += state.products + state.rows * np.outer(apart, apart)
        return Covariances(rows, mean, products)

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"covariances of {self.column}"
