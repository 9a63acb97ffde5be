"""`Rows`: the columns of some rows as plain arrays, cheap to cut, send, put together and sort."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

__all__ = ["Rows", "concatenate"]


@dataclass(frozen=True)
class Rows:
    """Columns of equal length, without an index.

    A data frame of a few thousand rows costs more to make than to fill, and rows that go from
    worker to worker are cut into many of them.

    Attributes
    ----------
    columns : dict of str to array
        NumPy arrays, or pandas' own where a column has another kind of type.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = Rows.of(pd.DataFrame({"card": [1, 2, 3]})).take([2, 0])
    >>> rows.columns["card"].tolist()
    [3, 1]
    """

    columns: dict[Any, Any]

    @classmethod
    def of(cls, frame: pd.DataFrame, names: Iterable[Any] | None = None) -> "Rows":
        """Return columns of a frame, not copied."""
        return cls(
            {name: _array(frame[name]) for name in (frame.columns if names is None else names)}
        )

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __sizeof__(self) -> int:
        return 500 + sum(column.nbytes for column in self.columns.values())

    def __getitem__(self, name: Any) -> pd.Series:
        return pd.Series(self.columns[name], name=name, copy=False)

    def select(self, names: Iterable[Any]) -> "Rows":
        """Return some of the columns."""
        return Rows({name: self.columns[name] for name in names})

    def take(self, order: Any) -> "Rows":
        """Return a copy of the rows with these numbers."""
        return Rows({name: column.take(order) for name, column in self.columns.items()})

    def frame(self) -> pd.DataFrame:
        """Return a data frame that shares the arrays."""
        return pd.DataFrame(self.columns, copy=False)


def concatenate(pieces: Sequence[Rows]) -> Rows:
    """Put rows one after the other; categories that differ are united, in sorted order.

    Parameters
    ----------
    pieces : sequence of Rows
        At least one, all with the same columns.
    """
    full = [piece for piece in pieces if len(piece)] or list(pieces[:1])
    if len(full) == 1:
        return full[0]
    return Rows({name: _joined([p.columns[name] for p in full]) for name in full[0].columns})


def _array(column: pd.Series) -> Any:
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _joined(arrays: Sequence[Any]) -> Any:
    first = arrays[0]
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np.concatenate(arrays)
    if isinstance(first, pd.Categorical) and any(array.dtype != first.dtype for array in arrays):
        return union_categoricals(list(arrays), sort_categories=not first.ordered)
    return pd.concat([pd.Series(array, copy=False) for array in arrays], ignore_index=True).array
