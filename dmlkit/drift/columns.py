"""A column of two tables: what is learnt of each in one pass, and how far the two are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.preprocessing.levels import Levels, LevelsOf
from dmlkit.preprocessing.order import Blocks, BlocksOf

__all__ = ["Column", "ColumnOf", "comparable", "compared", "kinds_of", "scaled"]

#: Blocks of each part: shares are off by less than one of them.
BLOCKS = 4_096
#: Below the first, a column is taken for the same; from the second on, for another one.
STABLE, SHIFTED = 0.1, 0.25
#: More levels than this are an identifier, which is new in each table.
MOST_LEVELS = 1_000


class Column(NamedTuple):
    """What is known of a column: of numbers `Blocks`, of others `Levels`; and what is missing."""

    spread: Any
    missing: float

    @property
    def rows(self) -> float:
        """All rows, with those where it is missing."""
        return float(self.spread.rows.sum() + self.missing)


@dataclass(frozen=True)
class ColumnOf:
    """The distribution of a column.

    Attributes
    ----------
    column : str
    kind : {"number", "time", "level"}
    """

    column: str
    kind: str

    def of(self, part: pd.DataFrame) -> Column:
        """Take it of a part."""
        if self.kind == "level":
            levels = LevelsOf(self.column).of(part)
            return Column(levels, levels.missing)
        missing = int(part[self.column].isna().sum())
        return Column(BlocksOf(self.column, BLOCKS).of(part), missing)

    def add(self, states: Sequence[Column]) -> Column:
        """Put what was taken of several parts together."""
        missing = sum(state.missing for state in states)
        spreads = [state.spread for state in states]
        if self.kind == "level":
            levels, cut = _together(spreads)
            return Column(levels, missing + cut)
        return Column(BlocksOf(self.column).add(spreads), missing)

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"the distribution of {self.column}"


def _together(states: Sequence[Levels]) -> tuple[Levels, float]:
    """Add levels up; of an identifier return as few as show it, and the rows of the others."""
    rows: dict[Any, float] = {}
    for state in states:
        for level, count in zip(state.distinct, state.rows.tolist(), strict=True):
            rows[level] = rows.get(level, 0) + count
    kept = sorted(rows)[: MOST_LEVELS + 1]
    counts: Any = np.array([rows[level] for level in kept], dtype=np.float64)
    return Levels(kept, counts, 0), sum(rows.values()) - float(counts.sum())


def kinds_of(before: Any, after: Any, columns: Sequence[str] | None) -> dict[str, str]:
    """Return what kind each column is that is compared: ``"number"``, ``"time"`` or ``"level"``.

    Raises
    ------
    MissingColumnError
        A column is not in both tables.
    """
    shared = [str(name) for name in before.columns if name in set(after.columns)]
    names = list(columns) if columns is not None else shared
    for name in names:
        for table, told in ((before, "before"), (after, "after")):
            if name not in table.columns:
                raise MissingColumnError.of(told, name, table.columns)
    return {name: _kind(before[name].dtype, after[name].dtype) for name in names}


def _kind(before: Any, after: Any) -> str:
    numeric = pd.api.types.is_numeric_dtype
    if numeric(before) and numeric(after):
        return "number"
    times = pd.api.types.is_datetime64_any_dtype
    return "time" if times(before) and times(after) else "level"


def comparable(table: Any, kinds: dict[str, str]) -> Any:
    """Return the columns that are compared, as both tables can have them, lazily if it is lazy."""
    times = [name for name, kind in kinds.items() if kind == "time"]
    texts = [name for name, kind in kinds.items() if kind == "level"]
    if isinstance(table, pd.DataFrame):
        return _comparable(table, times, texts)
    meta = _comparable(table._meta, times, texts)
    return table.map_partitions(_comparable, times, texts, meta=meta)


def _comparable(part: pd.DataFrame, times: list[str], texts: list[str]) -> pd.DataFrame:
    """Return times as days since 1970, and levels as text, whatever type each table has."""
    days = {
        name: (pd.to_datetime(part[name], utc=True) - pd.Timestamp(0, tz="UTC"))
        / pd.Timedelta("1D")
        for name in times
    }
    levels = {
        name: part[name].astype(object).where(part[name].notna(), None).map(_text) for name in texts
    }
    return part.assign(**days, **levels)


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def scaled(column: Column, factor: float) -> Column:
    """Return a column of which each row counts for so many."""
    spread = column.spread._replace(rows=column.spread.rows * factor)
    return Column(spread, column.missing * factor)


def compared(
    name: str, kind: str, before: Column, after: Column, bins: int
) -> dict[str, Any] | None:
    """Return how far two columns are apart, as a row of the result; None of an identifier.

    Raises
    ------
    InputError
        One of them has no rows.
    """
    if kind == "level":
        if max(len(before.spread.distinct), len(after.spread.distinct)) > MOST_LEVELS:
            return None
        old, new, unseen = _level_counts(before, after)
        distance = np.nan
    else:
        edges = _edges(before.spread, bins)
        old, new = (
            np.append(_counts(spread, edges), missing) for spread, missing in (before, after)
        )
        distance, unseen = _distance(before.spread, after.spread), 0.0
    if not old.sum() or not new.sum():
        raise InputError(f"Column {name!r} has no rows in one of the tables.")
    index = _stability_index(old, new)
    verdict = "stable" if index < STABLE else "changed" if index < SHIFTED else "shifted"
    return {
        "column": name,
        "psi": index,
        "ks": distance,
        "missing_before": float(old[-1] / old.sum()),
        "missing_after": float(new[-1] / new.sum()),
        "new_levels": float(unseen / new.sum()),
        "verdict": verdict,
    }


def _level_counts(
    before: Column, after: Column
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the rows of each level in both tables (missing ones last), and those of new levels."""
    old, new = (
        dict(zip(levels.distinct, levels.rows.tolist(), strict=True))
        for levels in (before.spread, after.spread)
    )
    levels = list(old | new)
    counts = [
        np.array([*(rows.get(level, 0) for level in levels), missing], dtype=np.float64)
        for rows, missing in ((old, before.missing), (new, after.missing))
    ]
    unseen = float(sum(rows for level, rows in new.items() if level not in old))
    return counts[0], counts[1], unseen


def _edges(blocks: Blocks, bins: int) -> NDArray[np.float64]:
    """Return the inner edges of bins that hold equal shares; fewer where values repeat."""
    order = np.argsort(blocks.last, kind="stable")
    upto = np.cumsum(blocks.rows[order])
    wanted = np.arange(1, bins) / bins * blocks.rows.sum()
    places = np.minimum(np.searchsorted(upto, wanted), len(upto) - 1)
    return np.unique(blocks.last[order][places]) if len(upto) else np.zeros(0)


def _counts(blocks: Blocks, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows of each bin; a bin holds its upper edge."""
    place = np.searchsorted(edges, (blocks.first + blocks.last) / 2)
    return np.bincount(place, blocks.rows, len(edges) + 1).astype(np.float64)


def _distance(before: Blocks, after: Blocks) -> float:
    """Return the largest distance between the two distribution functions."""
    totals = before.rows.sum(), after.rows.sum()
    if not all(totals):
        return np.nan
    values = np.unique(np.r_[before.last, after.last])
    shares = []
    for blocks, total in zip((before, after), totals, strict=True):
        order = np.argsort(blocks.last, kind="stable")
        upto = np.r_[0, np.cumsum(blocks.rows[order])] / total
        shares.append(upto[np.searchsorted(blocks.last[order], values, side="right")])
    return float(np.abs(shares[0] - shares[1]).max())


def _stability_index(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    there = (before + after) > 0
    # Half a row in each, so that an empty bin has a finite weight.
    old, new = before[there] + 0.5, after[there] + 0.5
    old, new = old / old.sum(), new / new.sum()
    return float(((new - old) * np.log(new / old)).sum())
