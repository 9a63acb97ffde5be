"""Order statistics: where the quantiles of a column lie, and which they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.preprocessing.statistics import numbers_of

__all__ = ["Blocks", "BlocksOf", "Within", "WithinEachOf", "WithinOf"]


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
        return f"rough quantiles of {self.column}"


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
class WithinEachOf:
    """The same for many intervals, for which the values of a part are sorted once."""

    column: str
    intervals: tuple[tuple[float, float], ...]

    def of(self, part: pd.DataFrame) -> list[Within]:
        """Take them of a part."""
        values = numbers_of(part[self.column])
        values = np.sort(values[~np.isnan(values)])
        places = np.searchsorted(values, np.array(self.intervals), side="right")
        return [
            Within(int(start), *np.unique(values[start:end], return_counts=True))
            for start, end in places
        ]

    def add(self, states: Sequence[list[Within]]) -> list[Within]:
        """Put values together."""
        one_by_one = [WithinOf(self.column, *each) for each in self.intervals]
        parts = zip(*states, strict=True)
        return [each.add(several) for each, several in zip(one_by_one, parts, strict=True)]

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"quantiles of {self.column}"
