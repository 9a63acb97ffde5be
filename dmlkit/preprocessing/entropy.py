"""`EntropyDiscretizer`: columns cut where labels change, as long as a cut tells more than noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing.columns import framed
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.quantiles import ask_quantiles
from dmlkit.preprocessing.statistics import TARGET, numbers_of
from dmlkit.preprocessing.transformer import Transformer

__all__ = ["EntropyDiscretizer"]

Array = NDArray[np.float64]


@dataclass(eq=False)
class EntropyDiscretizer(Transformer):
    """Cut each column into bins, each the number of the interval, so that bins tell the label.

    The cut that leaves the least entropy of labels is made, and then others on both sides of it, as
    long as one is worth its description (the principle of minimum description length). A column
    that says nothing about the label has one bin.

    Parameters
    ----------
    max_candidates : int
        Cuts are looked for at so many quantiles of a column, and at each value of one with fewer.

    Attributes
    ----------
    cuts_ : list of lists
        Of each column; a value from a cut on is above it.

    Notes
    -----
    It needs labels, of any type: ``fit(X, y)``. Three passes: two for exact quantiles, one to count
    labels between them; the same on any partitions. A missing value stays missing. Bins are made
    with the labels of all rows that are learnt from: a model is best judged on others.

    References
    ----------
    Fayyad, Irani: *Multi-Interval Discretization of Continuous-Valued Attributes for Classification
    Learning*. IJCAI 1993.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [float(number) for number in range(100)]})
    >>> bins = EntropyDiscretizer().fit(table, (table["x"] >= 70).astype(int))
    >>> bins.cuts_, bins.transform(table)["x"].value_counts().tolist()
    ([[70.0]], [70, 30])
    """

    kind: ClassVar[str] = "entropy_discretizer"
    learned: ClassVar[tuple[str, ...]] = ("cuts_",)

    max_candidates: int = 255

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for quantiles, then for labels between them."""
        if not self.max_candidates >= 1:
            raise ConfigurationError(
                f"max_candidates is {self.max_candidates}; it must be 1 or more."
            )
        shares = (np.arange(self.max_candidates + 1) / (self.max_candidates + 1)).tolist()
        quantiles = yield from ask_quantiles(columns, shares, place=_value_at)
        # The first is the smallest value: nothing is below a cut there.
        edges = [np.unique(each[np.isfinite(each)])[1:] for each in quantiles]
        found = yield from ask(
            *(_ClassesOf(name, tuple(each)) for name, each in zip(columns, edges, strict=True))
        )
        self.cuts_ = [
            each[_worthy_cuts(np.array([*counts.values()]).T)].tolist() if counts else []
            for each, counts in zip(edges, found, strict=True)
        ]

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Cut a part into bins."""
        names = self._columns()
        bins = np.empty((len(part), len(names)))
        for place, (name, cuts) in enumerate(zip(names, self.cuts_, strict=True)):
            numbers = numbers_of(part[name])
            found = np.searchsorted(np.asarray(cuts, dtype=np.float64), numbers, side="right")
            bins[:, place] = np.where(np.isnan(numbers), np.nan, found)
        return framed(bins, part, names)

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()


def _value_at(count: int, probability: float) -> float:
    """Return the place of a value that is there, and above which at most a share is missing."""
    return min(ceil(count * probability), count - 1)


@dataclass(frozen=True)
class _ClassesOf:
    """Of each label, the rows between edges."""

    column: str
    edges: tuple[float, ...]

    def of(self, part: pd.DataFrame) -> dict[Any, NDArray[np.int64]]:
        """Count a part."""
        if TARGET not in part.columns:
            raise InputError(f"Cutting {self.column!r} by entropy needs labels: fit(X, y).")
        labels = part[TARGET]
        if labels.isna().any():
            raise InputError(f"{int(labels.isna().sum()):,} rows have no label. Drop them.")
        numbers = numbers_of(part[self.column])
        there = ~np.isnan(numbers)
        interval = np.searchsorted(np.array(self.edges), numbers[there], side="right")
        codes, levels = pd.factorize(labels[there])
        width = len(self.edges) + 1
        counts = np.bincount(codes * width + interval, minlength=len(levels) * width)
        return dict(zip(levels.tolist(), counts.reshape(len(levels), width), strict=True))

    def add(self, states: Sequence[dict[Any, NDArray[np.int64]]]) -> dict[Any, NDArray[np.int64]]:
        """Add counts up."""
        total: dict[Any, NDArray[np.int64]] = {}
        for state in states:
            for label, counts in state.items():
                total[label] = total.get(label, 0) + counts
        return total

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"labels by intervals of {self.column}"


def _worthy_cuts(counts: NDArray[np.int64]) -> list[int]:
    """Return the places of the cuts between (intervals, classes) counts."""
    upto = np.cumsum(counts, axis=0)[:-1]
    if not len(upto):
        return []
    left, right = upto, counts.sum(axis=0) - upto
    rows = counts.sum()
    sizes = np.column_stack([left.sum(axis=1), right.sum(axis=1)])
    entropies = np.column_stack([_entropy(left), _entropy(right)])
    remaining = (sizes * entropies).sum(axis=1) / max(rows, 1)
    remaining[(sizes == 0).any(axis=1)] = np.inf
    best = int(np.argmin(remaining))
    if not _is_worth_it(counts.sum(axis=0), left[best], right[best], float(remaining[best])):
        return []
    above = [best + 1 + place for place in _worthy_cuts(counts[best + 1 :])]
    return [*_worthy_cuts(counts[: best + 1]), best, *above]


def _is_worth_it(
    every: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], remaining: float
) -> bool:
    """Say whether a cut lowers entropy by more than describing it costs."""
    rows = every.sum()
    if not np.isfinite(remaining) or rows < 2:
        return False
    before, low, high = (float(_entropy(each[None])[0]) for each in (every, left, right))
    classes, below, above = ((each > 0).sum() for each in (every, left, right))
    cost = np.log2(3.0**classes - 2) - (classes * before - below * low - above * high)
    return bool(before - remaining > (np.log2(rows - 1) + cost) / rows)


def _entropy(counts: NDArray[np.int64]) -> Array:
    """Return the entropy of each row of counts, in bits."""
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / total
    entropy: Array = -(shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return entropy
