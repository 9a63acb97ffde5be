"""What groups of series amount to, up to an origin: across partitions, and step by step behind it.

A group may have series in any partition. Each partition adds up its own; the sums of a group meet
in one place, and go back to the partitions that have series of it. No task holds all groups, and
sums are exact: they do not depend on partitions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dmlkit.features import PanelLags
from dmlkit.features.entity_key import combined_hashes
from dmlkit.features.hashing import hash_values
from dmlkit.features.panel_groups import GroupSums
from dmlkit.features.panel_series import sort_panel
from dmlkit.forecasting.origin import Cutoff, end_of, past_of
from dmlkit.forecasting.panel import SERIES, TIME
from dmlkit.graph import bucket_count, exchange, for_each

if TYPE_CHECKING:
    from dmlkit.forecasting.design import Design

__all__ = ["Membership", "lagged_groups", "merged", "partial_sums", "sums_of_groups"]


@dataclass(frozen=True)
class Membership:
    """The group of each series.

    Attributes
    ----------
    hashes : (series,) uint64 array
    known : (series,) bool array
        Whether the series has a group.
    """

    hashes: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame, step: PanelLags) -> "Membership":
        """Take the groups of rows: one for each series."""
        columns = [rows[name] for name in step.by]
        known = np.logical_and.reduce([column.notna().to_numpy() for column in columns])
        return cls(combined_hashes([hash_values(column) for column in columns]), known)


def sums_of_groups(frame: Any, design: "Design", cutoff: Cutoff) -> list[Any]:
    """Return, for each partition, the sums of the groups that it has series of, lazily.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        Of whole series.
    design : Design
    cutoff : Cutoff
        Later rows are not looked at.

    Returns
    -------
    list of Delayed
        Each a list of `GroupSums`, one for each step of the design that looks at groups.
    """
    parts = frame.to_delayed()
    if not design.groups:
        return [[] for _ in parts]
    own = for_each(partial_sums, parts, design, cutoff)
    buckets = bucket_count(len(parts))
    together = exchange(for_each(_by_bucket, own, buckets), buckets, _answers)
    return exchange(together, len(parts), merged)


def partial_sums(panel: pd.DataFrame, design: "Design", cutoff: Cutoff) -> list[GroupSums]:
    """Return what the series of a partition add to each group up to a cutoff."""
    if not design.groups:
        return []
    rows = sort_panel(panel, SERIES, TIME)
    taken, starts = past_of(rows, cutoff, design.frequency).history()
    history = rows.frame.iloc[taken]
    values, _ = design.transformed(history, starts)
    steps = design.frequency.whole_steps(history[TIME])
    last = int(design.frequency.whole_steps(end_of(rows, cutoff, design.frequency))[0])
    found = []
    for step in design.groups:
        groups = Membership.of(history.iloc[starts[:-1]], step)
        chosen = np.repeat(groups.known, np.diff(starts))
        hashes = np.repeat(groups.hashes, np.diff(starts))
        found.append(GroupSums.of(hashes[chosen], steps[chosen], values[chosen], last))
    return found


def lagged_groups(
    design: "Design",
    history: pd.DataFrame,
    starts: np.ndarray,
    used: np.ndarray,
    sums: Sequence[GroupSums],
    shift: int,
) -> dict[str, np.ndarray]:
    """Return the features that rows of a history have of their groups.

    Parameters
    ----------
    design : Design
    history : pd.DataFrame
    starts : (series + 1,) int64 array
    used : (n,) bool array
        The rows that are asked for.
    sums : sequence of GroupSums
    shift : int
        Rows that all lags are longer.
    """
    steps = design.frequency.whole_steps(history[TIME])[used]
    columns: dict[str, np.ndarray] = {}
    for step, of_groups in zip(design.groups, sums, strict=True):
        groups = Membership.of(history.iloc[starts[:-1]], step)
        known = np.repeat(groups.known, np.diff(starts))[used]
        hashes = np.repeat(groups.hashes, np.diff(starts))[used]
        lagged = step.lagged(of_groups.values(step.aggregate), of_groups.starts, shift=shift)
        found = np.full((len(lagged), len(steps)), np.nan, lagged.dtype)
        found[:, known] = lagged[:, of_groups.places(hashes[known], steps[known])]
        columns |= dict(zip(step.get_feature_names_out(), found, strict=True))
    return columns


def merged(parts: Sequence[list[GroupSums]]) -> list[GroupSums]:
    """Add up the sums of several partitions, kind by kind."""
    return [GroupSums.merged(kind) for kind in zip(*parts, strict=True)]


def _by_bucket(sums: list[GroupSums], buckets: int) -> list[list[GroupSums]]:
    """Cut sums by the hash of their groups."""
    return [
        [of.select(of.hashes[of.hashes % np.uint64(buckets) == bucket]) for of in sums]
        for bucket in range(buckets)
    ]


def _answers(pieces: list[list[GroupSums]]) -> list[list[GroupSums]]:
    """Add up the groups of a bucket, and give each partition those that it has a part in."""
    whole = merged(pieces)
    return [
        [every.select(own.hashes) for every, own in zip(whole, piece, strict=True)]
        for piece in pieces
    ]
