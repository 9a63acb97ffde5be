"""What can be learnt of columns: each statistic is taken of parts of a table and added up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.features.hashing import hash_values

__all__ = [
    "GROUPS",
    "MOST_LEVELS",
    "TARGET",
    "Blocks",
    "BlocksOf",
    "Levels",
    "LevelsOf",
    "Moments",
    "MomentsOf",
    "Statistic",
    "TargetSumsOf",
    "Within",
    "WithinOf",
    "fold_of",
    "numbers_of",
]

#: The names under which labels and groups stand beside the columns of a part.
TARGET, GROUPS = "__target", "__groups"

#: More levels than this are no category but an identifier.
MOST_LEVELS = 1_000_000


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
        """Tell in a few words what is learnt."""
        ...


def numbers_of(column: pd.Series) -> NDArray[np.float64]:
    """Return a column as float64, NaN where missing.

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
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


class Moments(NamedTuple):
    """Of the finite or infinite numbers of a column; `squares` is about the mean."""

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
        there = values[~np.isnan(values)]
        if not len(there):
            return Moments(0, len(values), 0.0, 0.0, np.nan, np.nan)
        mean = float(there.mean())
        squares = float(np.square(there - mean).sum())
        missing = len(values) - len(there)
        return Moments(len(there), missing, mean, squares, float(there.min()), float(there.max()))

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


class Levels(NamedTuple):
    """Distinct values of a column, sorted, with their rows; missing ones are counted apart."""

    distinct: list[Any]
    rows: NDArray[np.int64]
    missing: int


@dataclass(frozen=True)
class LevelsOf:
    """The distinct values of a column and how many rows have each."""

    column: str

    def of(self, part: pd.DataFrame) -> Levels:
        """Count the levels of a part."""
        column = part[self.column]
        counts = column.value_counts(sort=False)
        counts = counts[counts > 0]  # a categorical lists those that do not occur, too
        values = _plain(counts.index)
        return _sorted_levels(values, counts.to_numpy().astype(np.int64), int(column.isna().sum()))

    def add(self, states: Sequence[Levels]) -> Levels:
        """Add counts up."""
        if len(states) == 1:
            return states[0]
        rows: dict[Any, int] = {}
        for state in states:
            for value, count in zip(state.distinct, state.rows.tolist(), strict=True):
                rows[value] = rows.get(value, 0) + count
        if len(rows) > MOST_LEVELS:
            raise InputError(
                f"Column {self.column!r} has more than {MOST_LEVELS:,} levels (such as "
                f"{next(iter(rows))!r}): that is an identifier. Leave it out of this step."
            )
        missing = sum(state.missing for state in states)
        counts = np.fromiter(rows.values(), np.int64, len(rows))
        return _sorted_levels(list(rows), counts, missing)

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"levels of {self.column}"


def _plain(index: pd.Index) -> list[Any]:
    """Return values as Python's own, which JSON can hold."""
    if isinstance(index.dtype, pd.CategoricalDtype):
        index = index.astype(index.dtype.categories.dtype)
    values: list[Any] = index.tolist()
    return values


def _sorted_levels(values: list[Any], rows: NDArray[np.int64], missing: int) -> Levels:
    try:
        order = sorted(range(len(values)), key=values.__getitem__)
    except TypeError:  # numbers and text in one column
        order = sorted(range(len(values)), key=lambda place: str(values[place]))
    return Levels([values[place] for place in order], rows[order], missing)


class Blocks(NamedTuple):
    """Sorted values cut into blocks: the first and last value of each, and its rows."""

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    rows: NDArray[np.int64]

    @property
    def total(self) -> int:
        """All rows."""
        return int(self.rows.sum())

    def interval(self, rank: int) -> tuple[float, float]:
        """Return ``(above, upto]``, in which the value of a rank (from 0) surely lies."""
        candidates = np.unique(np.r_[self.first, self.last])
        at_most = _running(self.first, self.rows, candidates)  # more rows can't be up to here
        at_least = _running(self.last, self.rows, candidates)  # fewer rows can't be up to here
        below = np.searchsorted(at_most, rank, side="right") - 1
        upto = np.searchsorted(at_least, rank + 1, side="left")
        above = float(candidates[below]) if below >= 0 else -np.inf
        return above, float(candidates[upto])


def _running(
    edges: NDArray[np.float64], rows: NDArray[np.int64], candidates: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return how many rows are in blocks whose edge is up to each candidate."""
    order = np.argsort(edges, kind="stable")
    totals = np.r_[0, np.cumsum(rows[order])]
    running: NDArray[np.int64] = totals[np.searchsorted(edges[order], candidates, side="right")]
    return running


@dataclass(frozen=True)
class BlocksOf:
    """A summary of a column's distribution: its sorted values in so many blocks for each part.

    With it, the place of a quantile is known but for one block of each part, whatever the
    distribution; a second pass over the rows in between makes it exact.
    """

    column: str
    blocks: int = 256

    def of(self, part: pd.DataFrame) -> Blocks:
        """Sort the values of a part and cut them into blocks."""
        values = numbers_of(part[self.column])
        values = np.sort(values[~np.isnan(values)])
        edges = np.unique(np.linspace(0, len(values), self.blocks + 1).astype(np.int64))
        if len(values) == 0:
            return Blocks(values, values, np.zeros(0, np.int64))
        return Blocks(values[edges[:-1]], values[edges[1:] - 1], np.diff(edges))

    def add(self, states: Sequence[Blocks]) -> Blocks:
        """Put blocks side by side."""
        first, last, rows = (np.concatenate(each) for each in zip(*states, strict=True))
        return Blocks(first, last, rows)

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"where the quantiles of {self.column} lie"


class Within(NamedTuple):
    """Distinct values of an interval with their rows, and the rows below it."""

    below: int
    distinct: NDArray[np.float64]
    rows: NDArray[np.int64]

    def at(self, rank: int) -> float:
        """Return the value of a rank (from 0) among all rows."""
        place = np.searchsorted(np.cumsum(self.rows), rank - self.below, side="right")
        return float(self.distinct[place])


@dataclass(frozen=True)
class WithinOf:
    """The values of a column in ``(above, upto]``, and how many lie below."""

    column: str
    above: float
    upto: float

    def of(self, part: pd.DataFrame) -> Within:
        """Take them of a part."""
        values = numbers_of(part[self.column])
        inside = values[(values > self.above) & (values <= self.upto)]
        distinct, rows = np.unique(inside, return_counts=True)
        return Within(int((values <= self.above).sum()), distinct, rows)

    def add(self, states: Sequence[Within]) -> Within:
        """Put values together."""
        below = sum(state.below for state in states)
        values = np.concatenate([state.distinct for state in states])
        rows = np.concatenate([state.rows for state in states])
        distinct, place = np.unique(values, return_inverse=True)
        return Within(below, distinct, np.bincount(place, rows, len(distinct)).astype(np.int64))

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"quantiles of {self.column}"


@dataclass(frozen=True)
class TargetSumsOf:
    """Rows, sum and sum of squares of the target, by level of a column and by fold.

    The state is a DataFrame with the columns ``level`` (missing ones as None), ``fold``, ``rows``,
    ``sum`` and ``squares``.
    """

    column: str
    folds: int

    def of(self, part: pd.DataFrame) -> pd.DataFrame:
        """Take them of a part."""
        if TARGET not in part.columns:
            raise InputError(f"The target encoding of {self.column!r} needs labels: fit(X, y).")
        column, target = part[self.column], numbers_of(part[TARGET])
        if np.isnan(target).any():
            raise InputError(f"{int(np.isnan(target).sum()):,} rows have no label. Drop them.")
        fold = fold_of(part[GROUPS], self.folds) if GROUPS in part.columns else 0
        codes, levels = pd.factorize(column)
        levels = pd.Index(_plain(pd.Index(levels)), dtype=object)
        sums = pd.DataFrame({"code": codes, "fold": fold, "sum": target, "squares": target**2})
        sums = sums.assign(rows=1).groupby(["code", "fold"], as_index=False).sum()
        level = np.r_[levels.to_numpy(), [None]][sums.pop("code")]  # the code -1 is the last
        return sums.assign(level=level)

    def add(self, states: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Add sums up."""
        sums = pd.concat(states, ignore_index=True)
        return sums.groupby(["level", "fold"], as_index=False, dropna=False, sort=False).sum()

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"the target by levels of {self.column}"


def fold_of(groups: pd.Series, folds: int) -> NDArray[np.int64]:
    """Return the fold of each row: all rows of a group are in one, on any machine."""
    return ((hash_values(groups) >> np.uint64(32)) % np.uint64(folds)).astype(np.int64)
