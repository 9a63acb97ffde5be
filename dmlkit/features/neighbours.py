"""Rows stay where they are, and each partition sees those of others that its features look at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.entity_key import NO_TIME, EntityKey
from dmlkit.features.layout import HashRanges, Layout, TimeSlices
from dmlkit.features.rows import Rows, concatenate
from dmlkit.features.shuffle import Gathered, Source
from dmlkit.graph import for_each, for_each_in_turn

__all__ = ["gathered_in_place"]


def gathered_in_place(layout: Layout, main: Source, parts: list[Any]) -> list[Any]:
    """Return the rows of each partition and what their features see of other ones.

    Parameters
    ----------
    layout : HashRanges, WholeEntities or TimeSlices
    main : Source
    parts : list of Delayed
        A `Gathered` of each partition.

    Returns
    -------
    list of Delayed
        A `Gathered` of each partition.
    """
    if isinstance(layout, TimeSlices):
        return _slices(layout, main, parts)
    if isinstance(layout, HashRanges):
        ends = for_each_in_turn(_end, parts, main.key, tuple(main.columns), main.reach)
        return for_each(_continued, parts, [None, *ends[:-1]], main.key)
    return parts


def _end(
    part: Gathered,
    before: Rows | None,
    key: EntityKey,
    columns: tuple[str, ...],
    reach: int | None,
) -> Rows:
    """Return the rows of the last entity of a partition, and of earlier ones where it began there.

    Only those are kept that features of the next partition may look back on.
    """
    rows = part.rows.select(columns)
    if not len(rows):
        return rows if before is None else before
    hashes, _ = key.of(rows)
    of_last = hashes == hashes[-1]
    end = rows.take(np.flatnonzero(of_last))
    if before is not None and of_last.all():
        end = concatenate([_of_entity(before, key, hashes[-1]), end])
    if reach is None:
        return end
    times = key.times(end)
    known = times != NO_TIME
    last = int(times.max())  # a plain number: NO_TIME less the reach would overflow
    return end.take(np.flatnonzero(known & (times > max(last - reach, NO_TIME))))


def _of_entity(rows: Rows, key: EntityKey, entity: np.uint64) -> Rows:
    return rows.take(np.flatnonzero(key.of(rows)[0] == entity))


def _continued(part: Gathered, before: Rows | None, key: EntityKey) -> Gathered:
    """Return a partition that sees the end of the one before, where its first entity began."""
    if before is None or not len(before) or not len(part.rows):
        return part
    first, _ = key.of(part.rows.take(np.arange(1)))
    return Gathered(part.rows, _of_entity(before, key, first[0]))


def _slices(layout: TimeSlices, main: Source, parts: list[Any]) -> list[Any]:
    reach = main.reach or 0
    pairs = [
        (number, other) for number in range(len(parts)) for other in layout.before(number, reach)
    ]
    if not pairs:
        return parts
    pieces = for_each(
        _between,
        [parts[other] for _, other in pairs],
        [layout.first[number] - reach for number, _ in pairs],
        [layout.last[number] for number, _ in pairs],
        main.key,
        tuple(main.columns),
    )
    seen: list[list[Any]] = [[] for _ in parts]
    for (number, _), piece in zip(pairs, pieces, strict=True):
        seen[number].append(piece)
    bounds = list(zip(layout.first, layout.last, strict=True))
    return for_each(_beside, parts, seen, bounds, main.key)


def _between(
    part: Gathered, after: int, until: int, key: EntityKey, columns: tuple[str, ...]
) -> Rows:
    """Return the rows of a partition whose times are after one time and not after another."""
    times = key.times(part.rows)
    wanted = (times > max(after, NO_TIME)) & (times <= until)
    return part.rows.select(columns).take(np.flatnonzero(wanted))


def _beside(
    part: Gathered, seen: Sequence[Rows], bounds: tuple[int, int], key: EntityKey
) -> Gathered:
    times = key.times(part.rows)
    times = times[times != NO_TIME]
    if len(times) and (times.min() < bounds[0] or times.max() > bounds[1]):
        told, found = (
            " to ".join(str(pd.Timestamp(int(time), unit=key.unit)) for time in both)
            for both in (bounds, (times.min(), times.max()))
        )
        raise InputError(
            f"A partition has {key.time!r} from {found}; the footers of its files say from {told}. "
            "The files were changed after read_table looked at them: read the table again."
        )
    return Gathered(part.rows, concatenate([part.context, *seen]))
