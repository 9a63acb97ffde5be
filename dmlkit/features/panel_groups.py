"""`GroupSums`: what the series of each group amount to at each step, added up part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dmlkit.features.panel_group_kernels import LIMBS, add_exactly, means_of, totals_of

__all__ = ["Aggregate", "GroupSums", "aggregated"]

#: What is taken of the values of a group's series at a step.
Aggregate = Literal["mean", "sum"]


@dataclass(frozen=True)
class GroupSums:
    """Totals of groups, each from its first step to a last one that all share.

    Attributes
    ----------
    last : int
        The step that all runs end with.
    hashes : (groups,) uint64 array
        Of the groups, in rising order.
    starts : (groups + 1,) int64 array
        Where in `sums` the run of a group begins.
    sums : (n, 4) int64 array
        As `add_exactly` makes them.
    """

    last: int
    hashes: np.ndarray
    starts: np.ndarray
    sums: np.ndarray

    def __sizeof__(self) -> int:
        return 500 + self.hashes.nbytes + self.starts.nbytes + self.sums.nbytes

    @classmethod
    def of(
        cls, hashes: np.ndarray, steps: np.ndarray, values: np.ndarray, last: int
    ) -> "GroupSums":
        """Add up values of rows.

        Parameters
        ----------
        hashes : (n,) uint64 array
            Of each row's group.
        steps : (n,) int64 array
            None after `last`.
        values : (n,) float64 array
            Missing ones count nothing, but their group has a run from there on.
        last : int
        """
        distinct, groups = np.unique(hashes, return_inverse=True)
        firsts = np.full(len(distinct), last + 1)
        np.minimum.at(firsts, groups, steps)
        sums = cls._empty(last, distinct, firsts)
        add_exactly(values, sums.places(hashes, steps), sums.sums)
        return sums

    @classmethod
    def merged(cls, parts: Sequence["GroupSums"]) -> "GroupSums":
        """Add up what parts of the series amount to: the same in whatever order."""
        last = parts[0].last
        every = np.concatenate([part.hashes for part in parts])
        distinct, groups = np.unique(every, return_inverse=True)
        firsts = np.full(len(distinct), last + 1)
        np.minimum.at(firsts, groups, np.concatenate([part.firsts for part in parts]))
        both = cls._empty(last, distinct, firsts)
        for part in parts:
            both.sums[both.places(*part.keys())] += part.sums
        return both

    @classmethod
    def _empty(cls, last: int, hashes: np.ndarray, firsts: np.ndarray) -> "GroupSums":
        starts = np.r_[0, np.cumsum(last + 1 - firsts)].astype(np.int64)
        return cls(last, hashes, starts, np.zeros((starts[-1], LIMBS), np.int64))

    @property
    def firsts(self) -> np.ndarray:
        """The first step of each group."""
        return np.asarray(self.last + 1 - np.diff(self.starts))

    def keys(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the group and the step of each total."""
        lengths = np.diff(self.starts)
        steps = np.arange(len(self.sums)) - np.repeat(self.starts[1:], lengths) + self.last + 1
        return np.repeat(self.hashes, lengths), steps

    def places(self, hashes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return where the totals of groups at steps are, which must be there."""
        groups = np.searchsorted(self.hashes, hashes)
        return np.asarray(self.starts[groups + 1] - 1 - (self.last - steps))

    def select(self, hashes: np.ndarray) -> "GroupSums":
        """Return those of the groups with these hashes."""
        chosen = np.isin(self.hashes, hashes, assume_unique=True)
        kept = np.repeat(chosen, np.diff(self.starts))
        starts = np.r_[0, np.cumsum(np.diff(self.starts)[chosen])].astype(np.int64)
        return GroupSums(self.last, self.hashes[chosen], starts, self.sums[kept])

    def values(self, aggregate: Aggregate) -> np.ndarray:
        """Return what the groups amount to, run after run; missing where nothing is known."""
        return of_sums(self.sums, aggregate)


def aggregated(
    values: np.ndarray, places: np.ndarray, count: int, aggregate: Aggregate
) -> np.ndarray:
    """Return the sum or the mean of the known values at each place, missing where there is none.

    Parameters
    ----------
    values : (n,) float64 array
    places : (n,) int64 array
    count : int
        Of the places.
    aggregate : {"mean", "sum"}

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([1.0, 4.0, np.nan, np.nan])
    >>> aggregated(values, np.array([0, 0, 0, 1]), 2, "mean").tolist()
    [2.5, nan]
    """
    sums = np.zeros((count, LIMBS), np.int64)
    add_exactly(values, places, sums)
    return of_sums(sums, aggregate)


def of_sums(sums: np.ndarray, aggregate: Aggregate) -> np.ndarray:
    """Return what sums amount to as doubles."""
    return np.asarray(totals_of(sums)) if aggregate == "sum" else means_of(sums)
