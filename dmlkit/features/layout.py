"""What is known, before any row is read, of how the rows of a frame lie in its partitions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from dask.dataframe import DataFrame
from dask.dataframe.dask_expr import new_collection
from dask.dataframe.dask_expr._expr import Assign, Filter, MapPartitions, Projection
from dask.dataframe.dask_expr.io._delayed import FromDelayed

from dmlkit.features.entity_key import EntityKey
from dmlkit.tables.extents import Extent, extents_of, leaves_as_they_are

__all__ = [
    "HashRanges",
    "Layout",
    "TimeSlices",
    "WholeEntities",
    "known_layout",
    "lies_in_ranges",
    "marked_as_ranges",
    "source_of",
]

#: After all times.
NEVER = 2**62


@dataclass(frozen=True)
class HashRanges:
    """Rows by the hash of their entity and then by time, as an earlier step left them.

    An entity with very many rows may reach from one partition into the next ones.
    """


@dataclass(frozen=True)
class WholeEntities:
    """All rows of an entity in one partition."""


@dataclass(frozen=True)
class TimeSlices:
    """Partitions that each reach from a time to a time, in the unit of the entity's key.

    Attributes
    ----------
    first, last : tuple of int
        `NEVER` and ``-NEVER`` where a partition has no times.
    rows : tuple of int
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    rows: tuple[int, ...]

    def before(self, number: int, reach: int) -> list[int]:
        """Return the other partitions that may hold rows which one of them looks back on."""
        begin, end = self.first[number] - reach, self.last[number]
        return [
            other
            for other in range(len(self.first))
            if other != number and begin < self.last[other] and self.first[other] <= end
        ]

    def rows_before(self, number: int, reach: int) -> int:
        """Estimate how many rows these are, as if those of a partition lay evenly in time."""
        begin, end = self.first[number] - reach, self.last[number]
        total = 0.0
        for other in self.before(number, reach):
            first, last = self.first[other], self.last[other]
            inside = min(last, end) - max(first, begin)
            total += self.rows[other] * (1.0 if last == first else inside / (last - first))
        return round(total)


Layout = HashRanges | WholeEntities | TimeSlices


class _EntityRanges(FromDelayed):
    """Partitions of which is known that they are `HashRanges` by a key."""

    _parameters = [*FromDelayed._parameters, "key"]  # noqa: RUF012
    _defaults = {**FromDelayed._defaults, "key": None}  # noqa: RUF012


def marked_as_ranges(frame: Any, key: EntityKey) -> Any:
    """Return the frame of an exchange, of which later steps know then how its rows lie."""
    if type(frame.expr) is not FromDelayed:
        return frame
    return new_collection(_EntityRanges(*frame.expr.operands, key))


def lies_in_ranges(frame: DataFrame, key: EntityKey) -> bool:
    """Tell whether an earlier step left rows in `HashRanges` by this key."""
    source = source_of(frame, {*key.by, key.time})
    return (
        isinstance(source, _EntityRanges)
        and source.operand("_partitions") is None
        and (source.key.by, source.key.time) == (key.by, key.time)
    )


def known_layout(frame: DataFrame, key: EntityKey) -> Layout | None:
    """Return how rows lie, where that is known; the footers of files are read for it.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    key : EntityKey
    """
    if lies_in_ranges(frame, key):
        return HashRanges()
    together = any({*_tuple(names)} <= {*key.by} for names in _shuffled_by(frame))
    if together or frame.npartitions == 1:
        return WholeEntities()
    extents = extents_of(source_of(frame, {*key.by, key.time}), [*key.by, key.time])
    if any(_apart(extents[name]) for name in key.by if name in extents):
        return WholeEntities()
    return _slices(extents[key.time], key.unit) if key.time in extents else None


def source_of(frame: Any, columns: Iterable[str]) -> Any:
    """Return the expression that makes partitions, below all that leaves rows in them.

    Rows may be filtered, and columns added or left out, but not those that are named.
    """
    expression, kept = frame.expr, {*columns}
    while (
        isinstance(expression, Projection | Filter)
        or (isinstance(expression, Assign) and not kept & {*expression.keys})
        or (isinstance(expression, MapPartitions) and leaves_as_they_are(expression, kept))
    ):
        expression = expression.frame
    return expression


def _shuffled_by(frame: Any) -> set[Any]:
    """Return by which columns Dask knows rows to be apart."""
    found: set[Any] = frame.expr.unique_partition_mapping_columns_from_shuffle
    return found


def _tuple(names: Any) -> tuple[Any, ...]:
    return names if isinstance(names, tuple) else (names,)


def _apart(extents: Sequence[Extent]) -> bool:
    """Tell whether no value can be in two partitions."""
    bounds = sorted((each.least, each.greatest) for each in extents if each.least is not None)
    return all(end < begin for (_, end), (begin, _) in pairwise(bounds))


def _slices(extents: Sequence[Extent], unit: str) -> TimeSlices | None:
    if not all(each.least is None or isinstance(each.least, np.datetime64) for each in extents):
        return None
    bounds = [
        (NEVER, -NEVER)
        if each.least is None
        else (_number(each.least, unit), _number(each.greatest, unit))
        for each in extents
    ]
    first, last = zip(*bounds, strict=True)
    return TimeSlices(first, last, tuple(each.rows for each in extents))


def _number(time: np.datetime64, unit: str) -> int:
    return int(time.astype(f"datetime64[{unit}]").astype(np.int64))
