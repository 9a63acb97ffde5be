"""`GroupImputer`: missing numbers filled in with what is usual in the row's group."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.preprocessing.encoding import places_of
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.statistics import numbers_of
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["GroupImputer"]

#: More different values than this, of all groups together, are too many for exact medians.
MOST_VALUES = 10_000_000


@dataclass(eq=False)
class GroupImputer(Transformer):
    """Fill in missing numbers with the mean or median of the rows of the same group.

    A group without any value, one that was not there at `fit`, and rows without a group get that
    of all rows.

    Parameters
    ----------
    by : str
        The column with groups, such as a machine's model or a patient's ward. It stays.
    strategy : {"mean", "median"}
    add_indicator : bool
        Add ``{column}_missing``, 0 or 1, for each column in which values were missing at `fit`.

    Attributes
    ----------
    groups_ : list
        Sorted.
    statistics_ : list of lists
        Of each column what each group is filled with; the last is for all others.
    indicated_ : list of str

    Notes
    -----
    Equal to pandas' ``groupby(by).transform(strategy)`` within 1e-12, on any partitions, in one
    pass. Medians are exact, for which the different values of each group are counted.

    Examples
    --------
    >>> table = pd.DataFrame({"ward": ["a", "a", "b", "c"], "age": [30.0, None, 70.0, None]})
    >>> GroupImputer(by="ward").fit_transform(table)["age"].tolist()
    [30.0, 30.0, 70.0, 50.0]
    """

    kind: ClassVar[str] = "group_imputer"
    learned: ClassVar[tuple[str, ...]] = ("groups_", "statistics_", "indicated_")

    by: str = ""
    strategy: str = "mean"
    add_indicator: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the values of each group."""
        check_choice("strategy", self.strategy, ("mean", "median"))
        if not self.by:
            raise ConfigurationError("by is empty: name the column with groups.")
        if self.by not in columns:
            raise MissingColumnError.of("frame", self.by, columns)
        names = [name for name in columns if name != self.by]
        kind = _SumsOf if self.strategy == "mean" else _ValuesOf
        found = yield from ask(*(kind(name, self.by) for name in names))
        groups = pd.Index(pd.unique(pd.concat([each.table["group"] for each in found])))
        self.groups_ = sorted(groups.dropna().tolist(), key=_place)
        self.statistics_ = [self._statistics(each.table) for each in found]
        missing = [name for name, each in zip(names, found, strict=True) if each.missing]
        self.indicated_ = missing if self.add_indicator else []

    def _statistics(self, table: pd.DataFrame) -> list[float]:
        usual = _means if self.strategy == "mean" else _medians
        every = float(usual(table.assign(group=0)).get(0, 0.0))
        found: list[float] = usual(table).reindex(self.groups_).fillna(every).tolist()
        return [*found, every]

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Fill in a part."""
        places = places_of(part[self.by], self.groups_)  # -1 is the last: all others
        columns: dict[str, Any] = {}
        statistics = iter(self.statistics_)
        for name in self._columns():
            if name == self.by:
                columns[name] = part[name]
                continue
            numbers = numbers_of(part[name])
            usual = np.asarray(next(statistics), dtype=np.float64)[places]
            columns[name] = np.where(np.isnan(numbers), usual, numbers)
        for name in self.indicated_:
            columns[f"{name}_missing"] = part[name].isna().astype(np.uint8)
        return pd.DataFrame(columns, index=part.index, columns=self.output_names())

    def output_names(self) -> list[str]:
        """Return the names of the columns, and of the indicators."""
        return [*self._columns(), *(f"{name}_missing" for name in self.indicated_)]


@dataclass(frozen=True)
class _Found:
    """What a column has: a table with ``group`` and numbers, and how many values are missing."""

    table: pd.DataFrame
    missing: int


@dataclass(frozen=True)
class _SumsOf:
    """Rows and sum of a column's values, by group."""

    column: str
    by: str

    def of(self, part: pd.DataFrame) -> _Found:
        """Add up a part."""
        return _collected(part, self.column, self.by, ["group"], {"rows": "sum", "sum": "sum"})

    def add(self, states: Sequence[_Found]) -> _Found:
        """Add sums up."""
        return _together(states, ["group"])

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"means by {self.by} of {self.column}"


@dataclass(frozen=True)
class _ValuesOf:
    """The different values of a column and their rows, by group."""

    column: str
    by: str

    def of(self, part: pd.DataFrame) -> _Found:
        """Count the values of a part."""
        return _collected(part, self.column, self.by, ["group", "value"], {"rows": "sum"})

    def add(self, states: Sequence[_Found]) -> _Found:
        """Put counts together."""
        found = _together(states, ["group", "value"])
        if len(found.table) > MOST_VALUES:
            raise InputError(
                f"Column {self.column!r} has more than {MOST_VALUES:,} different values in the "
                f"groups of {self.by!r}. Take strategy='mean', or round the column."
            )
        return found

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"medians by {self.by} of {self.column}"


def _collected(
    part: pd.DataFrame, column: str, by: str, keys: list[str], sums: dict[str, str]
) -> _Found:
    numbers = numbers_of(part[column])
    there = ~np.isnan(numbers)
    groups = part[by].astype(object).where(part[by].notna(), None).to_numpy()[there]
    rows = pd.DataFrame({"group": groups, "value": numbers[there], "sum": numbers[there]})
    table = rows.assign(rows=1).groupby(keys, as_index=False, dropna=False, sort=False).agg(sums)
    return _Found(table, int((~there).sum()))


def _together(states: Sequence[_Found], keys: list[str]) -> _Found:
    rows = pd.concat([state.table for state in states], ignore_index=True)
    table = rows.groupby(keys, as_index=False, dropna=False, sort=False).sum()
    return _Found(table, sum(state.missing for state in states))


def _means(table: pd.DataFrame) -> pd.Series:
    sums = table.groupby("group")[["sum", "rows"]].sum()
    return sums["sum"] / sums["rows"]


def _medians(table: pd.DataFrame) -> pd.Series:
    ordered = table.sort_values("value", kind="stable")
    by_group = ordered.groupby("group")["rows"]
    upto, rows = by_group.cumsum(), by_group.transform("sum")
    middle = [
        ordered[upto > place].groupby("group")["value"].first()
        for place in ((rows - 1) // 2, rows // 2)
    ]
    return (middle[0] + middle[1]) / 2


def _place(group: Any) -> tuple[str, Any]:
    """Let numbers and text in one column have an order."""
    number = isinstance(group, (int, float))
    return ("", group) if number else (type(group).__name__, group)
