"""Labels as classes: which there are, and each row's among them; models are elsewhere."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.graph import for_each
from dmlkit.linear_model.blocks import (
    Block,
    Blocks,
    block_of,
    check_one_column,
    names_of,
    parts_beside,
)

__all__ = ["class_blocks_of", "class_numbers_of", "coded", "union_of"]

#: More classes than this are no classes but numbers or names.
MOST_CLASSES = 10_000


class Coded(NamedTuple):
    """A block whose labels are places in a list of its own."""

    block: Block
    labels: list[Any]


def class_blocks_of(X: Any, y: Any, sample_weight: Any = None) -> tuple[Blocks, list[Any]]:
    """Bring a table to the workers as blocks whose labels are 0, 1, 2 ..., and list the classes.

    Classes are sorted. One that has no row with a weight is none.

    Raises
    ------
    InputError
        A column is no number, a value or label is missing, or partitions do not match.
    """
    names = names_of(X)
    columns = [y] if sample_weight is None else [y, sample_weight]
    check_one_column(*columns)
    if isinstance(X, pd.DataFrame):
        found = _coded_block(X, *columns)
        union, (place,) = union_of([found.labels])
        return Blocks([_recoded(found, place)], names), union
    parts = list(dask.persist(*for_each(_coded_block, *parts_beside(X, columns))))
    union, places = union_of(dask.compute(for_each(_labels, parts))[0])
    return Blocks(list(dask.persist(*for_each(_recoded, parts, places))), names), union


def class_numbers_of(y: Any) -> tuple[Any, list[Any]]:
    """Return a Series of 0, 1, 2 ... for labels, lazily where they are, and the classes, sorted.

    Raises
    ------
    InputError
        It is no Series, or a label is missing.
    """
    if isinstance(y, pd.Series):
        union, _ = union_of([coded(y)[1]])
        return _numbered(y, union), union
    if not isinstance(y, dd.Series):
        raise InputError(f"Labels must be a Series like the table, not {type(y).__name__}.")
    found = dask.compute(for_each(_distinct, y.to_delayed()))[0]
    union, _ = union_of(found)
    return y.map_partitions(_numbered, union, meta=(y.name, "int64")), union


def coded(column: Any) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the number of each row's label, and the labels in the order in which they come.

    Raises
    ------
    InputError
        A label is missing.
    """
    labels = pd.Series(column)
    missing = int(labels.isna().sum())
    if missing:
        raise InputError(
            f"Column {labels.name!r} has {missing:,} rows of a partition without a label. Leave "
            "them out first."
        )
    codes, distinct = pd.factorize(labels, sort=False)
    return codes, distinct.tolist()


def union_of(labels: Sequence[list[Any]]) -> tuple[list[Any], list[NDArray[np.int64]]]:
    """Return all labels, sorted, and the places of those of each list among them.

    Examples
    --------
    >>> union, places = union_of([["b"], ["a", "b"]])
    >>> union, [each.tolist() for each in places]
    (['a', 'b'], [[1], [0, 1]])
    """
    together = set().union(*labels)
    try:
        union = sorted(together)
    except TypeError as error:
        kinds = " and ".join(
            repr(name) for name in sorted({type(each).__name__ for each in together})
        )
        raise InputError(f"Labels must be of one type, but here are {kinds}.") from error
    if len(union) > MOST_CLASSES:
        raise InputError(
            f"The labels have more than {MOST_CLASSES:,} different values, such as {union[0]!r}: "
            "these are no classes."
        )
    numbers = {label: number for number, label in enumerate(union)}
    return union, [np.array([numbers[label] for label in each], np.int64) for each in labels]


def _coded_block(X: pd.DataFrame, y: Any, weight: Any = None) -> Coded:
    codes, labels = coded(y)
    block = block_of(X, codes.astype(np.float64), weight)
    there = np.unique(block.label).astype(np.int64)
    places = np.searchsorted(there, block.label.astype(np.int64)).astype(np.float64)
    return Coded(Block(block.design, places, block.weight), [labels[place] for place in there])


def _distinct(column: Any) -> list[Any]:
    return coded(column)[1]


def _numbered(column: Any, union: list[Any]) -> Any:
    codes, labels = coded(column)
    numbers = {label: number for number, label in enumerate(union)}
    places = np.array([numbers[label] for label in labels], np.int64)
    return pd.Series(places[codes], index=column.index, name=column.name)


def _labels(part: Coded) -> list[Any]:
    return part.labels


def _recoded(part: Coded, places: NDArray[np.int64]) -> Block:
    label = places[part.block.label.astype(np.int64)].astype(np.float64)
    return Block(part.block.design, label, part.block.weight)
