"""Tables as blocks of numbers that stay on the workers; models, which use them, are elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.graph import add_up, for_each, partitions_of

__all__ = [
    "Block",
    "Blocks",
    "block_of",
    "blocks_of",
    "check_one_column",
    "map_rows",
    "names_of",
    "narrow_numbers_of",
    "numbers_of",
    "parts_beside",
    "weights_in",
]


@dataclass(frozen=True)
class Block:
    """The rows of a partition.

    Attributes
    ----------
    design : (n, features) float32 or float64 array
        Row after row; float32 where that holds all columns exactly.
    label, weight : (n,) float64 array
        Rows with a weight of 0 are left out.
    """

    design: NDArray[Any]
    label: NDArray[np.float64]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """All blocks of a table, held by the workers (or here, of a pandas frame)."""

    parts: list[Any]
    features: list[str]

    def sum(self, function: Callable[..., Any], add: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function for each block with `arguments`, and add the results up.

        Parameters
        ----------
        function : callable
            Takes a block and the arguments.
        add : callable
            Takes a list of results and returns one of the same kind.
        """
        if isinstance(self.parts[0], Block):
            return add([function(part, *arguments) for part in self.parts])
        return dask.compute(add_up(for_each(function, self.parts, *arguments), add))[0]


def blocks_of(X: Any, y: Any, sample_weight: Any = None) -> Blocks:
    """Bring a table to the workers as blocks.

    Parameters
    ----------
    X : dask or pandas DataFrame
    y, sample_weight : Series like X

    Raises
    ------
    InputError
        A column is no number, a value is missing, or partitions do not match.
    """
    names = names_of(X)
    columns = [y] if sample_weight is None else [y, sample_weight]
    check_one_column(*columns)
    if isinstance(X, pd.DataFrame):
        return Blocks([block_of(X, *columns)], names)
    return Blocks(list(dask.persist(*for_each(block_of, *parts_beside(X, columns)))), names)


def check_one_column(*columns: Any) -> None:
    """Raise an InputError where labels or weights are a table."""
    for column in columns:
        if isinstance(column, (pd.DataFrame, dd.DataFrame)):
            raise InputError(
                "Labels and weights must be a Series like the table, but this is a DataFrame with "
                f"the columns {', '.join(map(str, column.columns[:5]))}. Take one of them, as in "
                f"table[{column.columns[0]!r}]."
            )


def parts_beside(X: Any, columns: Sequence[Any]) -> list[list[Any]]:
    """Return the parts of a dask frame, and those of each column beside it.

    Raises
    ------
    InputError
        Partitions do not match.
    """
    for column in columns:
        if not isinstance(column, dd.Series) or column.npartitions != X.npartitions:
            raise InputError(
                "Labels and weights must be dask Series partitioned like the table. Take all "
                "from one dask frame."
            )
    return [partitions_of(each) for each in (X, *columns)]


def names_of(X: Any) -> list[str]:
    """Return the columns of a frame, or raise an InputError when it is none."""
    if not isinstance(X, (pd.DataFrame, dd.DataFrame)):
        raise InputError(f"A dask or pandas DataFrame is needed, but this is {type(X).__name__}.")
    return [str(name) for name in X.columns]


def map_rows(
    function: Callable[[NDArray[np.float64]], Any],
    X: Any,
    features: Sequence[str],
    columns: Sequence[Any] | str,
) -> Any:
    """Call a function with the numbers of each partition, lazily where the frame is.

    Parameters
    ----------
    function : callable
        From (n, features) to (n,) or (n, columns).
    X : dask or pandas DataFrame
    features : sequence of str
    columns : str or sequence
        The name of the Series, or the columns of the DataFrame that comes out.
    """
    for name in features:
        if name not in X.columns:
            raise MissingColumnError.of("frame", name, X.columns)
    chosen = X[list(features)]
    if isinstance(X, pd.DataFrame):
        return _mapped(chosen, function, columns)
    meta = _mapped(chosen._meta, function, columns)
    return dd.map_partitions(_mapped, chosen, function, columns, meta=meta)


def _mapped(part: pd.DataFrame, function: Callable[..., Any], columns: Any) -> Any:
    values = function(numbers_of(part))
    if isinstance(columns, str):
        return pd.Series(values, index=part.index, name=columns)
    return pd.DataFrame(values, index=part.index, columns=list(columns))


def block_of(X: pd.DataFrame, y: Any, weight: Any = None) -> Block:
    """Return a partition as a block, without the rows that have no weight."""
    label, weights = _numbers_in(y, "label"), weights_in(weight, len(y))
    if not len(X) == len(label) == len(weights):
        raise InputError(f"A partition has {len(X):,} rows, but {len(label):,} labels.")
    design = narrow_numbers_of(X)
    if weights.all():
        return Block(design, label, weights)
    there = weights > 0
    return Block(design[there], label[there], weights[there])


def weights_in(column: Any, rows: int) -> NDArray[np.float64]:
    """Return weights as numbers, ones where there are none.

    Raises
    ------
    InputError
        A weight is missing, infinite or below 0.
    """
    if column is None:
        return np.ones(rows)
    weights = _numbers_in(column, "sample_weight")
    negative = int((weights < 0).sum())
    if negative:
        raise InputError(
            f"{negative:,} weights of a partition are below 0, such as {weights.min():g}. "
            "Leave such rows out, or give them a weight of 0."
        )
    return weights


def _numbers_in(column: Any, name: str) -> NDArray[np.float64]:
    if isinstance(column, pd.Series):
        name, column = str(name if column.name is None else column.name), column.array
    numbers: NDArray[np.float64] = numbers_of(pd.DataFrame({name: column}))[:, 0]
    return numbers


def narrow_numbers_of(part: pd.DataFrame) -> NDArray[Any]:
    """Return a partition row after row, as float32 where that holds all its columns exactly.

    Raises
    ------
    InputError
        A column is no number, or a value is missing or infinite.
    """
    exact = all(isinstance(each, np.dtype) and np.can_cast(each, "f4") for each in part.dtypes)
    return np.ascontiguousarray(numbers_of(part, np.float32 if exact else np.float64))


def numbers_of(part: pd.DataFrame, dtype: Any = np.float64) -> NDArray[Any]:
    """Return a part of a table as numbers.

    Raises
    ------
    InputError
        A column is no number, or a value is missing or infinite.
    """
    for name in part.columns:
        if not pd.api.types.is_numeric_dtype(part[name].dtype):
            raise InputError(
                f"Column {name!r} is {part[name].dtype}, but a number is needed. Encode it first "
                "(dmlkit.preprocessing)."
            )
    values = part.to_numpy(dtype=dtype, na_value=np.nan)
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):  # so is each of them: this needs no memory
            return values
    bad = ~np.isfinite(values)
    if bad.any():
        column = part.columns[int(np.argmax(bad.any(axis=0)))]
        raise InputError(
            f"Column {column!r} has {int(bad.any(axis=1).sum()):,} rows of a partition that are "
            "missing or infinite. Fill them in first (SimpleImputer)."
        )
    return values
