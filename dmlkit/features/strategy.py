"""How the rows of an entity come together: moved by its hash, or seen where they lie."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from dask.utils import format_bytes

from dmlkit.errors import ConfigurationError
from dmlkit.features.layout import (
    HashRanges,
    Layout,
    TimeSlices,
    WholeEntities,
    known_layout,
    lies_in_ranges,
)
from dmlkit.features.shuffle import Source
from dmlkit.tables.partition_size import bytes_per_row

__all__ = ["ORDERS", "Strategy", "choose_strategy", "order_of"]

#: Of rows: by the hash of the entity and by time, or as they came in.
ORDERS = ("entity", "input")

#: Of a number that tells where a row is at home; it goes there and back.
BYTES_OF_HOME = 16

#: A partition sees no more rows of others than this many times those of the largest one.
MOST_SEEN = 4


@dataclass(frozen=True)
class Strategy:
    """Where rows are when features are computed.

    Attributes
    ----------
    layout : Layout, optional
        How they lie where they stay; without it they are shuffled.
    told : str
        What is done, and why, in words; empty where a shuffle is all there is to tell.
    """

    layout: Layout | None
    told: str = ""


def order_of(order: str | None, frame: Any, partitions: int | None) -> str:
    """Return in which order rows come out; raise when it is none, or fixes the partitions.

    Without one, those of a pandas frame keep theirs, as whoever adds columns to it expects.
    """
    if order is None:
        return "input" if isinstance(frame, pd.DataFrame) and partitions is None else "entity"
    if order not in ORDERS:
        raise ConfigurationError(f"order is {order!r}: write 'entity' or 'input'.")
    if order == "input" and partitions is not None:
        raise ConfigurationError(
            f"order='input' keeps the partitions of the frame, but {partitions} are asked for. "
            "Leave partitions out, or call repartition on the result."
        )
    return order


def choose_strategy(
    main: Source, features: pd.DataFrame, order: str, partitions: int | None, *, alone: bool
) -> Strategy:
    """Decide by what is known, before any row is read.

    Parameters
    ----------
    main : Source
    features : pd.DataFrame
        What is added, without rows.
    order : {"entity", "input"}
    partitions : int, optional
        That were asked for.
    alone : bool
        Whether features look at no other table, and at no history apart from the frame.
    """
    frame = main.frame
    if not alone or partitions not in (None, frame.npartitions):
        return Strategy(None)
    if lies_in_ranges(frame, main.key):
        return Strategy(
            HashRanges(),
            "rows are by entity and time already: none is moved, and a partition sees the end of "
            "the one before it where an entity reaches over both",
        )
    if order == "entity":  # no other layout has rows in this order: footers are not asked for
        return Strategy(None)
    layout = known_layout(frame, main.key)
    if isinstance(layout, WholeEntities):
        return Strategy(layout, "each entity is in one partition already: no row is moved")
    if isinstance(layout, TimeSlices) and main.reach is not None:
        return _by_size(layout, main, main.reach, features)
    return Strategy(None)


def _by_size(layout: TimeSlices, main: Source, reach: int, features: pd.DataFrame) -> Strategy:
    """Let each partition read back in time, where that moves less than a shuffle."""
    rows = sum(layout.rows)
    seen = [layout.rows_before(number, reach) for number in range(len(layout.rows))]
    needed = bytes_per_row(main.frame._meta[list(main.columns)])
    to_see = sum(seen) * needed
    to_shuffle = rows * (needed + bytes_per_row(features) + BYTES_OF_HOME)
    sizes = f"{sum(seen):,} rows ({format_bytes(to_see)}) of others"
    if to_see > to_shuffle or max(seen, default=0) > MOST_SEEN * max(layout.rows, default=0):
        return Strategy(None, f"to read back in time, partitions would see {sizes}")
    return Strategy(
        layout,
        f"partitions read back in time, and see {sizes}, where a shuffle would move "
        f"{format_bytes(to_shuffle)}",
    )
