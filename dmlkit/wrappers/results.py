"""Frames and Series of what models return: arrays, lists of arrays, sparse matrices, frames."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

__all__ = ["Naming", "named"]


@dataclass(frozen=True)
class Naming:
    """How results are called.

    Attributes
    ----------
    alone : str
        The name of a Series, and with numbers after it those of columns that have none.
    columns : list, optional
        Those of a frame.
    several : list of lists, optional
        Classes of each output, of several.
    """

    alone: str
    columns: list[Any] | None = None
    several: list[list[Any]] | None = None


def named(values: Any, index: pd.Index, naming: Naming) -> pd.DataFrame | pd.Series:
    """Return what a model made of some rows as a frame or Series with their index.

    Examples
    --------
    >>> named(np.array([[0.5, 0.5]]), pd.RangeIndex(1), Naming("prediction", ["no", "yes"]))
        no  yes
    0  0.5  0.5
    """
    if isinstance(values, (pd.DataFrame, pd.Series)):
        return values.set_axis(index, axis=0)
    if isinstance(values, list):  # an array for each output
        frames = [
            pd.DataFrame(each, index, [f"{naming.alone}{number}_{label}" for label in classes])
            for number, (each, classes) in enumerate(zip(values, naming.several or [], strict=True))
        ]
        return pd.concat(frames, axis=1)
    if scipy.sparse.issparse(values):
        columns = _columns(values.shape[1], naming)
        sparse: Any = pd.DataFrame.sparse
        made: pd.DataFrame = sparse.from_spmatrix(values, index, columns)
        return made
    values = np.asarray(values)
    if values.ndim == 1:
        return pd.Series(_of_their_type(values), index, name=naming.alone)
    return pd.DataFrame(values, index, _columns(values.shape[1], naming))


def _columns(count: int, naming: Naming) -> list[Any]:
    if naming.columns is not None and len(naming.columns) == count:
        return naming.columns
    return [f"{naming.alone}{number}" for number in range(count)]


def _of_their_type(values: Any) -> Any:
    """Return text that scikit-learn holds as objects as text."""
    return values if values.dtype.kind in "biuf" else pd.Series(values.tolist()).array
