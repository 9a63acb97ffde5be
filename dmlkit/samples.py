"""Samples of rows by their positions: the same on any partitions, and no table is held for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.graph import add_up, for_each
from dmlkit.linear_model.blocks import names_of, numbers_of, parts_beside
from dmlkit.positions import chances, permuted, starts_of

__all__ = ["Rows", "drawn", "rows_of"]


@dataclass(frozen=True)
class Rows:
    """The rows of a table, by position.

    Attributes
    ----------
    parts : list of Delayed or DataFrame
    starts : list of int
        The position of the first row of each.
    total : int
    features : list of str
    dtype : dtype
        In which rows come.
    """

    parts: list[Any]
    starts: list[int]
    total: int
    features: list[str]
    dtype: Any

    def at(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows at some positions, one after the other; one pass."""
        distinct, places = np.unique(positions, return_inverse=True)
        cuts = np.searchsorted(distinct, self.starts)
        wanted = [
            group - start
            for group, start in zip(np.split(distinct, cuts[1:]), self.starts, strict=True)
        ]
        if isinstance(self.parts[0], pd.DataFrame):
            found = _picked(self.parts[0], wanted[0], self.dtype)
        else:
            picks = for_each(_picked, self.parts, wanted, self.dtype)
            found = dask.compute(add_up(picks, np.concatenate))[0]
        rows: NDArray[Any] = found[places.reshape(positions.shape)]
        return rows


def rows_of(X: Any, dtype: Any = np.float64) -> Rows:
    """Count the rows of a table, and look that all are numbers; one pass.

    Parameters
    ----------
    X : dask or pandas DataFrame
    dtype : dtype

    Raises
    ------
    InputError
        A column is no number, or a value is missing.
    """
    features = names_of(X)
    if isinstance(X, pd.DataFrame):
        return Rows([X], [0], _checked_length(X, dtype), features, dtype)
    (parts,) = parts_beside(X, [])
    lengths: Sequence[int] = dask.compute(for_each(_checked_length, parts, dtype))[0]
    return Rows(parts, starts_of(lengths), sum(lengths), features, dtype)


def drawn(total: int, size: int, seed: int, draw: int, *, again: bool) -> NDArray[np.int64]:
    """Return positions of a sample.

    Parameters
    ----------
    total : int
        Rows to draw from.
    size : int
    seed, draw : int
        Each draw of a seed is another sample.
    again : bool
        Whether a row can be drawn twice.

    Examples
    --------
    >>> len(set(drawn(10, 10, seed=0, draw=0, again=False).tolist()))
    10
    """
    if not again:  # a permutation takes the first positions to different ones
        return permuted(0, size, total, seed, draw)
    return (chances(0, size, seed, draw) * total).astype(np.int64)


def _checked_length(part: pd.DataFrame, dtype: Any) -> int:
    return len(numbers_of(part, dtype))


def _picked(part: pd.DataFrame, places: NDArray[np.int64], dtype: Any) -> NDArray[Any]:
    return numbers_of(part.iloc[places], dtype)
