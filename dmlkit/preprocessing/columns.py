"""Columns of a part as numbers, changed one after the other, and made a frame again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.preprocessing.statistics import numbers_of

__all__ = ["changed", "framed", "numbers_in"]

#: Takes a column as float64, which it may change, and the column's place; returns it changed.
Change = Callable[[NDArray[np.float64], int], NDArray[np.float64]]


def changed(part: pd.DataFrame, change: Change) -> NDArray[Any]:
    """Return the columns of a part as one new array, each of them changed.

    It is float32 where all columns are, as of scikit-learn's transformers; each value is rounded
    once, at the end. One column at a time is held as float64, in a core's cache.

    Examples
    --------
    >>> part = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, None]}, dtype="float32")
    >>> changed(part, lambda column, place: column * (place + 1)).tolist()
    [[1.0, 6.0], [2.0, nan]]
    """
    narrow = all(dtype == np.float32 for dtype in part.dtypes)
    # Column after column, as frames hold them: making a frame of it moves no row.
    values = np.empty(part.shape, np.float32 if narrow else np.float64, order="F")
    for place, name in enumerate(part.columns):
        values[:, place] = change(_copied(part[name]), place)
    return values


def numbers_in(part: pd.DataFrame) -> NDArray[np.float64]:
    """Return the columns of a part as one new array of float64, NaN where missing."""
    values = np.empty(part.shape, order="F")
    for place, name in enumerate(part.columns):
        values[:, place] = numbers_of(part[name])
    return values


def framed(values: NDArray[Any], part: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return an array as a frame with the index of a part."""
    return pd.DataFrame(values, index=part.index, columns=list(names), copy=False)


def _copied(column: pd.Series) -> NDArray[np.float64]:
    numbers = numbers_of(column)
    dtype = column.dtype
    is_new = isinstance(dtype, np.dtype) and dtype != np.float64
    return numbers if is_new else numbers.copy()
