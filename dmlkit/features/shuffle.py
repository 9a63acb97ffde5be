"""Bringing all rows of an entity together, lazily, as plain Dask tasks.

A sample of each partition tells where ranges of hashes of about equal size begin (`ranges`); each
partition is cut at these, and the pieces of one range are put together. Which rows a range holds
depends on the rows alone, not on how they came in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.features.entity_key import EntityKey
from dmlkit.features.ranges import Ranges, Sample, ranges_of, sample_of
from dmlkit.features.rows import Rows, concatenate
from dmlkit.features.sort_kernels import rows_by_group
from dmlkit.graph import exchange_in_stages, for_all, for_each
from dmlkit.tables.partition_size import bytes_per_row

__all__ = [
    "MOST_BUCKETS",
    "Gathered",
    "Source",
    "buckets_for",
    "gather_by_entity",
    "opened",
    "shuffle_by_entity",
]

#: Rows of the sample for each range: ranges of a table without large entities differ by about
#: a twentieth then.
SAMPLES_PER_RANGE = 512

#: More ranges than this are not made.
MOST_BUCKETS = 4096


@dataclass(frozen=True)
class Gathered:
    """Rows of one range, and what their features see besides them.

    Attributes
    ----------
    rows : Rows
    context : Rows
        Rows of the same entities, mostly earlier ones, which get no features here.
    """

    rows: Rows
    context: Rows

    def __sizeof__(self) -> int:
        return self.rows.__sizeof__() + self.context.__sizeof__()


@dataclass(frozen=True)
class Source:
    """A frame whose rows are seen by features.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
    key : EntityKey
        In the columns of this frame.
    columns : sequence of str
        Those that features are made of.
    reach : int, optional
        How far back features look, in the key's unit; without it, to the first row.
    """

    frame: Any
    key: EntityKey
    columns: Sequence[str]
    reach: int | None


def shuffle_by_entity(
    main: Source,
    buckets: int,
    process: Callable[..., pd.DataFrame],
    meta: pd.DataFrame,
    *,
    history: Any = None,
    others: Sequence[Source] = (),
) -> Any:
    """Gather the rows of each entity and hand them, range by range, to `process`.

    Parameters
    ----------
    main : Source
        All columns of its frame go along; its index is dropped.
    buckets : int
        How many ranges; each is a partition of the result.
    process : callable
        Takes a `Gathered` of the main frame, then one of each of `others` (of which only the
        context has rows), and returns a pandas DataFrame.
    meta : pd.DataFrame
        An empty result of `process`.
    history : dask.dataframe.DataFrame, optional
        Rows that are context only, with at least the columns of `main`.
    others : sequence of Source
        Other tables, whose rows are context of the main frame's.

    Returns
    -------
    dask.dataframe.DataFrame
        Ranges in the order of hashes: when `process` sorts by these too, the whole table is in
        the same order for any number of buckets.
    """
    parts = for_each(opened, main.frame.to_delayed(), tuple(main.columns))
    empty = Rows.of(main.frame._meta)
    gathered = gather_by_entity(main, parts, buckets, empty, history=history, others=others)
    results = for_each(process, *gathered)
    return dd.from_delayed(results, meta=meta, verify_meta=False, prefix="by-entity")


def gather_by_entity(
    main: Source,
    parts: list[Any],
    buckets: int,
    empty: Rows,
    *,
    history: Any = None,
    others: Sequence[Source] = (),
) -> list[list[Any]]:
    """Gather the rows of each entity, range by range.

    Parameters
    ----------
    main, buckets, history, others
        As for `shuffle_by_entity`.
    parts : list of Delayed
        Each a `Gathered` of a partition: its rows with all that goes along, and no context.
    empty : Rows
        Rows of `parts`, without any.

    Returns
    -------
    list of lists of Delayed
        For the main frame, and then for each of `others`, a `Gathered` of each range.
    """
    ranges: Any = None
    if buckets > 1:
        drawn = max(2 * SAMPLES_PER_RANGE, ceil(SAMPLES_PER_RANGE * buckets / len(parts)))
        samples = for_each(_sample, parts, main.key, drawn)
        ranges = for_all(ranges_of, samples, buckets)
    if history is not None:
        parts = parts + _as_context(replace(main, frame=history), empty)
    gathered = _exchanged(parts, buckets, main, ranges)
    beside = [(each, _as_context(each, _empty(each))) for each in others]
    return [gathered, *(_exchanged(rows, buckets, each, ranges) for each, rows in beside)]


def buckets_for(frame: Any, result: pd.DataFrame) -> int:
    """Return into how many buckets to shuffle, so that results are no larger than `frame`'s parts.

    How large these are need not be known, only by how much a row grows.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    result : pd.DataFrame
        An empty result.
    """
    growth = bytes_per_row(result) / bytes_per_row(frame._meta)
    return max(1, min(ceil(frame.npartitions * growth), max(MOST_BUCKETS, frame.npartitions)))


def _empty(source: Source) -> Rows:
    return Rows.of(source.frame._meta, source.columns)


def _as_context(source: Source, empty: Rows) -> list[Any]:
    columns = tuple(source.columns)
    return for_each(_opened_as_context, source.frame.to_delayed(), columns, empty)


def _exchanged(parts: list[Any], buckets: int, source: Source, ranges: Any) -> list[Any]:
    if len(parts) == buckets == 1:
        return parts
    return exchange_in_stages(parts, buckets, _cut, _join, ranges, source.key, source.reach)


def opened(frame: pd.DataFrame, columns: tuple[str, ...]) -> Gathered:
    """Return all columns of a partition's rows, and no context, which has some of them."""
    rows = Rows.of(frame)
    return Gathered(rows, rows.select(columns).take(np.empty(0, np.int64)))


def _opened_as_context(frame: pd.DataFrame, columns: tuple[str, ...], empty: Rows) -> Gathered:
    return Gathered(empty, Rows.of(frame, columns))


def _sample(part: Gathered, key: EntityKey, most: int) -> Sample:
    named = part.rows.select(dict.fromkeys([*key.by, *([key.time] if key.time else [])]))
    return sample_of(key.times(part.rows), lambda drawn: key.of(named.take(drawn))[0], most)


def _join(pieces: Sequence[Gathered]) -> Gathered:
    return Gathered(
        concatenate([piece.rows for piece in pieces]),
        concatenate([piece.context for piece in pieces]),
    )


def _cut(
    part: Gathered,
    edges: Sequence[int],
    ranges: Ranges | None,
    key: EntityKey,
    reach: int | None,
) -> list[Gathered]:
    """Return the rows of each of some groups of neighbouring ranges.

    Pieces are copies: a slice would keep the whole partition in memory.
    """
    if ranges is None:
        return [part]
    hashes, times = key.of(part.rows)
    own = _by_range(ranges, edges, hashes, times)
    rows = [part.rows.take(numbers) for numbers in own]
    context = _context(part, edges, ranges, key, reach, (hashes, times))
    return [Gathered(*piece) for piece in zip(rows, context, strict=True)]


def _by_range(
    ranges: Ranges, edges: Sequence[int], hashes: np.ndarray, times: np.ndarray
) -> list[np.ndarray]:
    """Return the numbers of the rows in each group of ranges."""
    numbers = ranges.numbers(hashes, times)
    place = np.searchsorted(np.asarray(edges[:-1]), np.arange(len(ranges)), side="right")
    order, ends = rows_by_group(place[numbers], len(edges))
    return [order[start:end] for start, end in pairwise(ends)]


def _context(
    part: Gathered,
    edges: Sequence[int],
    ranges: Ranges,
    key: EntityKey,
    reach: int | None,
    keys: tuple[np.ndarray, np.ndarray],
) -> list[Rows]:
    """Return what each group of ranges needs to see of a part besides its own rows."""
    context = part.context
    if not len(context) and not ranges.cuts_entities:
        return [context] * (len(edges) - 1)
    hashes, times = key.of(context)
    seen = times <= ranges.last
    if reach is not None:
        seen &= times > ranges.first - reach
    groups = []
    for place, numbers in enumerate(_by_range(ranges, edges, hashes, times)):
        first = edges[place]
        cut_off = ranges.context(first, hashes, times, reach)
        wanted = np.r_[numbers, cut_off]
        of_context = context.take(wanted[seen[wanted]])
        of_rows = part.rows.select(context.columns).take(ranges.context(first, *keys, reach))
        groups.append(concatenate([of_context, of_rows]))
    return groups
