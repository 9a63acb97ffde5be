"""Where rows go when a table is shuffled, class by class: told by their positions, nothing moves.

The rows of each partition are counted first, in one pass. Which place a row has among those of its
class is then a permutation of its position, so that shares are exact and any partitions give the
same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.graph import for_each, partitions_of
from dmlkit.model_selection.grouped import check_all_there
from dmlkit.positions import permuted

__all__ = ["Places", "Ranked", "chosen", "places_of"]

#: More values than this are no classes to keep shares of.
MOST_CLASSES = 1_000

Counts = dict[Any, int]


@dataclass(frozen=True)
class Places:
    """The rows of a table, counted by class; without labels all are of one class.

    Attributes
    ----------
    classes : list
        Sorted.
    rows : (classes,) int64 array
    starts : list of (classes,) int64 array
        For each partition, the rows of each class before it.
    lengths : list of int
        Of the partitions.
    labels : list of Delayed or Series, or None
        The partitions of the labels.
    """

    classes: list[Any]
    rows: NDArray[np.int64]
    starts: list[NDArray[np.int64]]
    lengths: list[int]
    labels: list[Any] | None

    @property
    def total(self) -> int:
        """The number of rows."""
        return int(self.rows.sum())


class Ranked(NamedTuple):
    """The rows of a partition.

    Attributes
    ----------
    code : (n,) int64 array
        The number of a row's class.
    rank : (n,) int64 array
        Its place among all rows of the class, shuffled.
    """

    code: NDArray[np.int64]
    rank: NDArray[np.int64]


def places_of(*tables: Any, labels: Any = None) -> list[Places]:
    """Count the rows of tables, by class where there are labels; one pass over all.

    Parameters
    ----------
    *tables : dask or pandas DataFrames or Series
    labels : Series, optional
        Of the rows of all tables.

    Raises
    ------
    InputError
        A table is no frame or series, labels are not partitioned like it, one is missing, or there
        are more than 1,000 classes.
    """
    parts = [_counted_parts(table) for table in tables]
    if labels is None:
        lengths = _computed([_each(len, each) for each in parts])
        return [_places([{None: rows} for rows in each], None) for each in lengths]
    of_labels = _parts_of(labels)
    for each in parts:
        if len(each) != len(of_labels):
            raise InputError(
                f"Labels have {len(of_labels)} partitions and rows {len(each)}. Take both from "
                "one dask frame."
            )
    asked = [_each(_count_classes, of_labels), *(_each(len, each) for each in parts)]
    counts, *lengths = _computed(asked)
    places = _places(counts, of_labels)
    for each in lengths:
        _check_lengths(each, places.lengths)
    return [places] * len(tables)


def _places(counts: Sequence[Counts], labels: list[Any] | None) -> Places:
    classes = _in_order({value for each in counts for value in each})
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"There are {len(classes):,} classes (such as {classes[0]!r}), and shares of at most "
            f"{MOST_CLASSES:,} can be kept. Name a column with fewer values, or bin it first."
        )
    table = np.array([[each.get(value, 0) for value in classes] for each in counts], np.int64)
    before = np.cumsum(table, axis=0) - table
    return Places(classes, table.sum(axis=0), list(before), table.sum(axis=1).tolist(), labels)


def chosen(rows: Any, places: Places, seed: int, choose: Callable[[Ranked], Any]) -> Any:
    """Return the rows that a rule chooses, lazily where they are lazy.

    Parameters
    ----------
    rows : dask or pandas DataFrame or Series
    places : Places
        Of them.
    seed : int
    choose : callable
        From `Ranked` to a bool for each row.
    """
    classes = _Classes(places.classes, places.rows, seed)
    parts = _parts_of(rows)
    if isinstance(rows, (pd.DataFrame, pd.Series)):
        label = None if places.labels is None else places.labels[0]
        return _chosen(rows, label, places.starts[0], places.lengths[0], classes, choose)
    found = for_each(_chosen, parts, places.labels, places.starts, places.lengths, classes, choose)
    known = rows.divisions if len(parts) == rows.npartitions else None
    return dd.from_delayed(
        found, meta=rows._meta, divisions=known, verify_meta=False, prefix="chosen-rows"
    )


class _Classes(NamedTuple):
    """What each partition has to know of all."""

    values: list[Any]
    rows: NDArray[np.int64]
    seed: int


def _parts_of(rows: Any) -> list[Any]:
    if isinstance(rows, (pd.DataFrame, pd.Series)):
        return [rows]
    if isinstance(rows, (dd.DataFrame, dd.Series)):
        return partitions_of(rows)
    raise InputError(
        f"A dask or pandas DataFrame or Series is needed, but this is {type(rows).__name__}."
    )


def _counted_parts(table: Any) -> list[Any]:
    """Return parts with the lengths of a table's: one column is enough for them."""
    if isinstance(table, dd.DataFrame) and len(table.columns):
        table = table[list(table.columns[:1])]
    return _parts_of(table)


def _each(function: Callable[[Any], Any], parts: list[Any]) -> list[Any]:
    if isinstance(parts[0], (pd.DataFrame, pd.Series)):
        return list(map(function, parts))
    return for_each(function, parts)


def _computed(asked: list[list[Any]]) -> Sequence[Any]:
    found: Sequence[Any] = dask.compute(asked)[0]
    return found


def _count_classes(labels: pd.Series) -> Counts:
    check_all_there(labels)
    counts = labels.astype(object).value_counts()
    return dict(zip(counts.index.tolist(), counts.tolist(), strict=True))


def _check_lengths(rows: Sequence[int], labels: Sequence[int]) -> None:
    for ours, theirs in zip(rows, labels, strict=True):
        if ours != theirs:
            raise InputError(
                f"A partition has {ours:,} rows, but {theirs:,} labels. Take both from one frame."
            )


def _in_order(values: set[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # numbers and text in one column
        return sorted(values, key=str)


def _chosen(
    part: Any,
    labels: pd.Series | None,
    start: NDArray[np.int64],
    length: int,
    classes: _Classes,
    choose: Callable[[Ranked], Any],
) -> Any:
    if len(part) != length:
        raise InputError(
            f"A partition has {len(part):,} rows now, and had {length:,} when they were counted. "
            "Persist the table, or write it down, where what it is made of changes."
        )
    code = np.zeros(len(part), np.int64)
    if labels is not None:
        code = pd.Index(classes.values, dtype=object).get_indexer(labels.astype(object))
    rank = np.empty(len(part), np.int64)
    order = np.argsort(code, kind="stable")
    rows = np.bincount(code, minlength=len(classes.values))
    for number, places in enumerate(np.split(order, np.cumsum(rows)[:-1])):
        total = int(classes.rows[number])
        rank[places] = permuted(int(start[number]), len(places), total, classes.seed, number)
    return part[choose(Ranked(code, rank))]
