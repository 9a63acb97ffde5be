"""Statistics of levels: how many rows have each, and what their labels add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.features.hashing import hash_values
from dmlkit.preprocessing.statistics import GROUPS, TARGET, numbers_of

__all__ = ["Levels", "LevelsOf", "TargetSumsOf", "fold_of", "target_sums"]

#: More levels than this are no category but an identifier.
MOST_LEVELS = 1_000_000


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
        fold = fold_of(part[GROUPS], self.folds) if GROUPS in part.columns else 0
        return target_sums(part, self.column, "fold", fold)

    def add(self, states: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Add sums up."""
        sums = pd.concat(states, ignore_index=True)
        return sums.groupby(["level", "fold"], as_index=False, dropna=False, sort=False).sum()

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"the target by levels of {self.column}"


def target_sums(part: pd.DataFrame, column: str, name: str, slot: Any) -> pd.DataFrame:
    """Return rows, sum and squares of the target by level and by another number of each row.

    Parameters
    ----------
    part : pandas.DataFrame
    column : str
    name : str
        What the number is called.
    slot : (n,) int64 array, or int
    """
    if TARGET not in part.columns:
        raise InputError(f"The target encoding of {column!r} needs labels: fit(X, y).")
    target = numbers_of(part[TARGET])
    if np.isnan(target).any():
        raise InputError(f"{int(np.isnan(target).sum()):,} rows have no label. Drop them.")
    codes, levels = pd.factorize(part[column])
    levels = pd.Index(_plain(pd.Index(levels)), dtype=object)
    sums = pd.DataFrame({"code": codes, name: slot, "sum": target, "squares": target**2})
    sums = sums.assign(rows=1).groupby(["code", name], as_index=False).sum()
    level = np.r_[levels.to_numpy(), [None]][sums.pop("code")]  # the code -1 is the last
    return sums.assign(level=level)


def fold_of(groups: pd.Series, folds: int) -> NDArray[np.int64]:
    """Return the fold of each row: all rows of a group are in one, on any machine."""
    return ((hash_values(groups) >> np.uint64(32)) % np.uint64(folds)).astype(np.int64)
