"""Exact quantiles in two passes, and `QuantileTransformer`, for which one pass is enough."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil, floor
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from dmlkit.errors import ConfigurationError
from dmlkit.preprocessing.columns import changed, framed
from dmlkit.preprocessing.learning import Learning, Question, ask
from dmlkit.preprocessing.order import Blocks, BlocksOf, Within, WithinEachOf, WithinOf
from dmlkit.preprocessing.statistics import infinite
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["QuantileTransformer", "ask_quantiles", "averaged", "between"]

#: For so many quantiles a column is looked through once for each; for more, it is sorted.
FEW = 8

#: Blocks of each part for `QuantileTransformer`: a quantile's rank is off by less than one of them.
FINE_BLOCKS = 4_096

#: Normal scores beyond those of this probability are cut off, as in scikit-learn.
LEAST_PROBABILITY = 1e-7


#: From a number of values and a probability to a rank from 0, which may lie between two values.
Place = Callable[[int, float], float]


def between(count: int, probability: float) -> float:
    """Return the place of a linearly interpolated quantile (numpy's "linear").

    Examples
    --------
    >>> between(4, 0.5)
    1.5
    """
    return (count - 1) * probability


def averaged(count: int, probability: float) -> float:
    """Return the place where the distribution steps over a probability, amidst two in a tie.

    It is numpy's "averaged_inverted_cdf".

    Examples
    --------
    >>> averaged(4, 0.5), averaged(5, 0.5), averaged(5, 1.0)
    (1.5, 2, 4)
    """
    place = count * probability - 1
    amidst = floor(place) + 0.5 if place == floor(place) else ceil(place)
    return min(max(amidst, 0), count - 1)


def ask_quantiles(
    columns: Sequence[str], probabilities: Sequence[float], *, place: Place = between
) -> Generator[list[Question], list[Any], NDArray[np.float64]]:
    """Ask for exact quantiles, interpolated as `numpy.quantile` does.

    The first pass finds an interval for each that holds few rows; the second counts what is below
    it and takes the values in it.

    Parameters
    ----------
    columns : sequence of str
    probabilities : sequence of float
    place : callable
        Where a quantile is among so many sorted values: `between` or `averaged`.

    Returns
    -------
    (columns, probabilities) float64 array
        NaN for a column without values.
    """
    summaries: list[Blocks] = yield from ask(*map(BlocksOf, columns))
    _refuse_infinite(columns, summaries)
    asked = [
        (column, probability, place(summary.total, probability), summary)
        for column, summary in zip(columns, summaries, strict=True)
        for probability in probabilities
        if summary.total
    ]
    found = yield from _ask_within(
        [_around(column, summary, where) for column, _, where, summary in asked], len(probabilities)
    )
    quantiles = {
        (column, probability): _interpolated(within, where)
        for (column, probability, where, _), within in zip(asked, found, strict=True)
    }
    return np.array(
        [[quantiles.get((name, each), np.nan) for each in probabilities] for name in columns]
    ).reshape(len(columns), len(probabilities))


def _refuse_infinite(columns: Sequence[str], summaries: Sequence[Blocks]) -> None:
    for column, summary in zip(columns, summaries, strict=True):
        if np.isinf(summary.first).any() or np.isinf(summary.last).any():
            raise infinite(column)


def _ask_within(
    asked: list[WithinOf], each: int
) -> Generator[list[Question], list[Any], list[Within]]:
    """Ask for the values in intervals, of which so many are of a column."""
    if each <= FEW:
        found: list[Within] = yield from ask(*asked)
        return found
    columns: dict[str, list[tuple[float, float]]] = {}
    for one in asked:
        columns.setdefault(one.column, []).append((one.above, one.upto))
    several = yield from ask(*(WithinEachOf(name, tuple(own)) for name, own in columns.items()))
    return list(chain.from_iterable(several))


def _around(column: str, summary: Blocks, place: float) -> WithinOf:
    above, _ = summary.interval(floor(place))
    _, upto = summary.interval(ceil(place))
    return WithinOf(column, above, upto)


def _interpolated(within: Within, place: float) -> float:
    low, high = within.at(floor(place)), within.at(ceil(place))
    share = place - floor(place)
    # As numpy does: from the nearer end, so that results are equal to the last bit.
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


@dataclass(eq=False)
class QuantileTransformer(Transformer):
    """Map each column to a uniform or normal distribution, by its quantiles.

    Parameters
    ----------
    n_quantiles : int
        Points of the mapping; not more than there are rows.
    output_distribution : {"uniform", "normal"}

    Attributes
    ----------
    references_ : (n_quantiles,) float64 array
    quantiles_ : (features, n_quantiles) list of lists
        Turned round against scikit-learn's, so that each column's stand together.

    Notes
    -----
    Up to 4,096 rows in each partition, equal to scikit-learn's (without its subsample) within
    1e-12; beyond, a value is mapped at most 1/4096 off.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [1.0, 10.0, 100.0]})
    >>> QuantileTransformer().fit_transform(table)["x"].tolist()
    [0.0, 0.5, 1.0]
    """

    kind: ClassVar[str] = "quantile_transformer"
    learned: ClassVar[tuple[str, ...]] = ("references_", "quantiles_")

    n_quantiles: int = 1000
    output_distribution: str = "uniform"

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for a summary of each column's distribution."""
        check_choice("output_distribution", self.output_distribution, ("uniform", "normal"))
        if self.n_quantiles < 2:
            raise ConfigurationError(f"n_quantiles is {self.n_quantiles}; it must be 2 or more.")
        summaries = yield from ask(*(BlocksOf(column, FINE_BLOCKS) for column in columns))
        _refuse_infinite(columns, summaries)
        most = max([2, *(summary.total for summary in summaries)])
        self.references_ = np.linspace(0, 1, min(self.n_quantiles, most))
        self.quantiles_ = [_quantiles(each, self.references_).tolist() for each in summaries]

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Map a part."""
        return framed(changed(part, self._mapped), part, self._columns())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _mapped(self, values: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        quantiles = np.asarray(self.quantiles_[place], dtype=np.float64)
        # From both sides, so that a value that fills several quantiles gets their middle.
        rising = np.interp(values, quantiles, self.references_)
        falling = np.interp(-values, -quantiles[::-1], -self.references_[::-1])
        mapped = (rising - falling) / 2
        mapped = np.where(values == quantiles[-1], 1.0, mapped)
        mapped = np.where(values == quantiles[0], 0.0, mapped)
        if self.output_distribution == "normal":
            mapped = ndtri(np.clip(mapped, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
        return np.where(np.isnan(values), np.nan, mapped)


def _quantiles(summary: Blocks, references: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles to within a block of each part."""
    if not summary.total:
        return np.full(len(references), np.nan)
    middle = (summary.first + summary.last) / 2
    order = np.argsort(middle, kind="stable")
    middle, upto = middle[order], np.cumsum(summary.rows[order])
    place = (summary.total - 1) * references
    low = middle[np.searchsorted(upto, np.floor(place), side="right")]
    high = middle[np.searchsorted(upto, np.ceil(place), side="right")]
    found = low + (high - low) * (place - np.floor(place))
    found[0], found[-1] = summary.first.min(), summary.last.max()
    return np.maximum.accumulate(found)
