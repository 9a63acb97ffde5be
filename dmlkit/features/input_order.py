"""Features of rows that keep their order, their partitions and their index."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.dataframe.dask_expr.io import FromMap

from dmlkit.features.computation import Computation
from dmlkit.features.layout import Layout, source_of
from dmlkit.features.neighbours import gathered_in_place
from dmlkit.features.rows import Rows, concatenate
from dmlkit.features.shuffle import (
    MOST_BUCKETS,
    Gathered,
    Source,
    gather_by_entity,
    opened,
)
from dmlkit.features.sort_kernels import rows_by_group
from dmlkit.graph import exchange_in_stages, for_each
from dmlkit.tables.partition_size import bytes_per_row

__all__ = ["Group", "features_beside"]

#: The column that tells where a row is at home: the number of its partition, and its place there.
HOME = "dmlkit:home"
PLACE_BITS = 40


@dataclass(frozen=True)
class Group:
    """Steps on one entity and one time, and how their features are computed.

    Attributes
    ----------
    main : Source
    computation : Computation
    features : pd.DataFrame
        Without rows.
    layout : Layout, optional
        How rows lie where nothing need be moved; without it, they are shuffled.
    others : tuple of Source
    """

    main: Source
    computation: Computation
    features: pd.DataFrame
    layout: Layout | None
    others: tuple[Source, ...]


def features_beside(frame: Any, groups: Sequence[Group], history: Any = None) -> Any:
    """Return a frame with the features of some groups of steps beside its columns.

    Only the columns that features are made of are moved, and the features back.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    groups : sequence of Group
    history : dask.dataframe.DataFrame, optional
        Rows that are seen, and get no features.
    """
    parts = frame.to_delayed()
    found = [_features(frame, parts, group, history) for group in groups]
    meta = pd.concat([frame._meta, *(group.features for group in groups)], axis=1)
    divisions = frame.divisions if frame.known_divisions else None
    rows = for_each(_beside, parts, *found)
    return dd.from_delayed(
        rows, meta=meta, divisions=divisions, verify_meta=False, prefix="features-beside"
    )


def _features(frame: Any, parts: list[Any], group: Group, history: Any) -> list[Any]:
    """Return the features of each partition, in the order of its rows."""
    main = group.main
    columns = tuple(main.columns)
    if group.layout is not None:
        rows = for_each(_opened, parts, columns)
        return for_each(group.computation.in_order, gathered_in_place(group.layout, main, rows))
    if isinstance(source_of(frame, ()), FromMap):
        # A table is read a second time rather than kept until its features come back.
        parts = frame[list(columns)].to_delayed()
    count = len(parts)
    at_home = for_each(_opened_at_home, parts, list(range(count)), columns)
    empty = _opened_at_home(frame._meta, 0, columns).rows
    buckets = _buckets(frame, bytes_per_row(empty.frame()) + bytes_per_row(group.features))
    gathered = gather_by_entity(main, at_home, buckets, empty, history=history, others=group.others)
    found = for_each(_ToSendHome(group.computation), *gathered)
    if count == 1 == buckets:
        return for_each(_in_place, found)
    return for_each(_in_place, exchange_in_stages(found, count, _cut_by_home, concatenate))


def _opened(frame: pd.DataFrame, columns: tuple[str, ...]) -> Gathered:
    return opened(frame[list(columns)], columns)


def _opened_at_home(frame: pd.DataFrame, number: int, columns: tuple[str, ...]) -> Gathered:
    part = _opened(frame, columns)
    home = (number << PLACE_BITS) + np.arange(len(frame))
    return replace(part, rows=Rows({**part.rows.columns, HOME: home}))


def _buckets(frame: Any, bytes_of_row: int) -> int:
    """Return into how many ranges to shuffle, so that they are no larger than partitions are."""
    share = bytes_of_row / bytes_per_row(frame._meta)
    return max(1, min(ceil(frame.npartitions * share), MOST_BUCKETS))


@dataclass(frozen=True)
class _ToSendHome:
    """Returns the features of a range, and where their rows are at home."""

    computation: Computation

    def __call__(self, gathered: Gathered, *others: Gathered) -> Rows:
        rows, columns = self.computation.features(gathered, others)
        return Rows({**columns, HOME: rows.rows.columns[HOME]})


def _cut_by_home(rows: Rows, edges: Sequence[int]) -> list[Rows]:
    """Return the rows that are at home in each of some groups of neighbouring partitions."""
    partitions = rows.columns[HOME] >> PLACE_BITS
    groups = np.searchsorted(np.asarray(edges[1:-1]), partitions, side="right")
    order, ends = rows_by_group(groups, len(edges) - 1)
    return [rows.take(order[start:end]) for start, end in pairwise([0, *ends])]


def _in_place(rows: Rows) -> Rows:
    order = np.argsort(rows.columns[HOME])
    return Rows({name: each for name, each in rows.columns.items() if name != HOME}).take(order)


def _beside(frame: pd.DataFrame, *features: Rows) -> pd.DataFrame:
    added = [each.frame().set_axis(frame.index) for each in features]
    return pd.concat([frame, *added], axis=1)
