"""A table as numbers that the workers hold, each row known by its position in the whole table."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.graph import add_up, for_each
from dmlkit.linear_model.blocks import names_of, narrow_numbers_of, parts_beside, weights_in
from dmlkit.positions import starts_of

__all__ = ["Held", "hold"]


class Spread(NamedTuple):
    """Rows, and of each column the mean and the sum of squares about it."""

    rows: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


@dataclass(frozen=True)
class Held:
    """All rows of a table.

    Attributes
    ----------
    parts : list of Delayed
        (n, features) float32 or float64 arrays.
    weights : list of Delayed or None
        (n,) float64 arrays; None where each row counts for 1.
    starts : list of int
        The position of the first row of each.
    rows : int
    mean, variance : (features,) float64 array
    features : list of str
    scheduler : str or None
        What Dask is told: rows that are here already are not sent away.
    """

    parts: list[Any]
    weights: list[Any]
    starts: list[int]
    rows: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    features: list[str]
    scheduler: str | None

    def persist(self, *lazy: Any) -> list[Any]:
        """Have results computed and kept where they are."""
        return list(dask.persist(*lazy, scheduler=self.scheduler))

    def compute(self, *lazy: Any) -> Any:
        """Compute results and bring them here."""
        return dask.compute(*lazy, scheduler=self.scheduler)

    def sum(self, function: Callable[..., Any], add: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function for each part with `arguments`, and add the results up."""
        return self.compute(add_up(for_each(function, self.parts, *arguments), add))[0]

    def row(self, position: int) -> NDArray[np.float64]:
        """Return one row, about the mean."""
        part = int(np.searchsorted(self.starts, position, side="right")) - 1
        place = position - self.starts[part]
        found = for_each(_row, [self.parts[part]], place, self.mean)
        row: NDArray[np.float64] = self.compute(*found)[0]
        return row


def hold(X: Any, sample_weight: Any = None) -> Held:
    """Bring a table to the workers; one pass counts rows and takes means and variances.

    Parameters
    ----------
    X : dask or pandas DataFrame
    sample_weight : Series like X, optional

    Raises
    ------
    InputError
        A column is no number, a value is missing, a weight is below 0, or there is no row.
    """
    features = names_of(X)
    if isinstance(X, pd.DataFrame):
        scheduler = "synchronous"
        # A name of its own: else dask would hash all the rows.
        name = f"rows-{uuid.uuid4()}"
        parts = [dask.delayed(narrow_numbers_of(X), name=name, traverse=False)]
        weights = [None if sample_weight is None else _weights(X, sample_weight)]
    else:
        scheduler = None
        columns = [] if sample_weight is None else [sample_weight]
        frames, *beside = parts_beside(X, columns)
        weights = for_each(_weights, frames, *beside) if beside else [None] * len(frames)
        parts = for_each(narrow_numbers_of, frames)
        parts, weights = map(list, dask.persist(parts, weights))
    spreads: list[Spread] = dask.compute(for_each(_spread, parts), scheduler=scheduler)[0]
    rows = sum(spread.rows for spread in spreads)
    if rows == 0:
        raise InputError("There is no row to learn from. Look at the filters before it.")
    mean = np.sum([each.rows * each.mean for each in spreads], axis=0) / rows
    squares = np.sum(
        [each.squares + each.rows * (each.mean - mean) ** 2 for each in spreads], axis=0
    )
    starts = starts_of([spread.rows for spread in spreads])
    return Held(parts, weights, starts, rows, mean, squares / rows, features, scheduler)


def _weights(part: pd.DataFrame, column: Any) -> NDArray[np.float64]:
    if len(column) != len(part):
        raise InputError(f"A partition has {len(part):,} rows, but {len(column):,} weights.")
    return weights_in(column, len(part))


def _spread(values: NDArray[Any]) -> Spread:
    if not len(values):
        return Spread(0, np.zeros(values.shape[1]), np.zeros(values.shape[1]))
    mean = values.mean(axis=0, dtype=np.float64)
    return Spread(len(values), mean, np.square(values - mean).sum(axis=0))


def _row(values: NDArray[Any], place: int, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values[place] - mean)
