"""`SortedRows`: the rows of whole entities in an order that depends on the rows alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.features.entity_key import NO_TIME, EntityKey, combined_hashes, times_of
from dmlkit.features.hashing import hash_integers, hash_values
from dmlkit.features.rows import Rows, concatenate
from dmlkit.features.sort_kernels import rows_by_group

__all__ = ["SortedRows", "entity_numbers", "factorize_by_value", "order_within_ties"]


class SortedRows:
    """Rows of whole entities, sorted by the entity's hash and time, with what kernels need.

    Rows that tie are sorted by their other values, so that the order in which rows came in
    cannot be told from the result.

    Parameters
    ----------
    rows : Rows
        Each gets features.
    key : EntityKey
    context : Rows, optional
        What the features of `rows` see besides them: earlier rows of the same entities. Of the
        columns that features are made of.

    Attributes
    ----------
    rows : Rows
    places : (n,) int64 array
        Where each stood among the rows that were given.
    codes : (n,) int64 array
        The entity of each row as a number; -1 where entity or time is missing.
    times : (n,) int64 array
        In `unit` since 1970.
    unit : str
        ``"us"`` or ``"ns"``.
    event_codes, event_times : (m,) int64 arrays
        Of rows and context together, sorted likewise.
    """

    def __init__(self, rows: Rows, key: EntityKey, context: Rows | None = None) -> None:
        self.key, self.unit = key, key.unit
        seen, before = rows, 0
        if context is not None and len(context):
            # Mostly earlier rows: times that are sorted as they come need no sort.
            seen, before = concatenate([context, rows.select(context.columns)]), len(context)
        times = times_of(seen[key.time], key.unit)
        groups, count, missing = entity_numbers([seen[name] for name in key.by], times)
        order = _order_by(groups, count, times)
        own = order[order >= before] - before if before else order
        own_groups, own_times = groups[before:], times[before:]
        self.codes, self.times = own_groups.take(own), own_times.take(own)
        own = order_within_ties(rows, own, self.codes, self.times)
        order = order if before else own
        unseen = missing | (times == NO_TIME)
        if unseen.any():
            groups[unseen] = -1
            self.codes = own_groups.take(own)
        self.places = own
        self.rows = rows.take(own)
        self.event_codes, self.event_times = self.codes, self.times
        self._seen = self.rows
        if seen is not rows:
            self.event_codes, self.event_times = groups.take(order), times.take(order)
            self._seen = seen.take(order)

    def event_column(self, name: str) -> pd.Series:
        """Return a column of rows and context together."""
        return self._seen[name]


def entity_numbers(
    columns: Sequence[pd.Series], times: np.ndarray
) -> tuple[np.ndarray, int, np.ndarray]:
    """Return each row's entity as a number, in the order of their hashes.

    Rows without an entity are grouped by their time: so they, which need not be together, do not
    all end in one place.

    Returns
    -------
    numbers : (n,) int64 array
    count : int
        How many numbers there are.
    missing : (n,) bool array
        Which rows have no entity.
    """
    groups, hashes, ranks = _distinct(columns)
    missing = groups < 0
    if missing.any():
        instants, values = pd.factorize(times[missing])
        groups[missing] = len(hashes) + instants
        ranks = np.r_[ranks, len(hashes) + np.arange(len(values))]
        hashes = np.r_[hashes, hash_integers(values)]
    order = np.argsort(hashes)
    if (hashes[order][1:] == hashes[order][:-1]).any():
        order = np.lexsort((ranks, hashes))
    numbers = np.empty(len(hashes), np.int64)
    numbers[order] = np.arange(len(hashes))
    return numbers[groups], len(hashes), missing


def factorize_by_value(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Return the place of each value among the sorted ones, -1 where missing, and these."""
    codes, values = _factorize(column)
    order = values.argsort()
    ranks = np.empty(len(values) + 1, np.int64)
    ranks[order], ranks[-1] = np.arange(len(values)), -1
    return ranks[codes], values.take(order)


def order_within_ties(
    rows: Rows, order: np.ndarray, groups: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """Return `order`, which is by group and time, with rows that tie ordered by all their values.

    Numbers decide first: an identifier or an amount mostly does, and texts cost more. `groups` and
    `times` stand in `order` already; they are the same in any order of ties.
    """
    tied = _tied(groups, times)
    if tied is None:
        return order
    places, ties = tied
    order = order.copy()
    order[places] = order[places][_order_of_ties(rows.take(order[places]), ties)]
    return order


def _distinct(columns: Sequence[pd.Series]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each row's entity as a number or -1, and of each entity a hash and its rank."""
    codes, values = _factorize(columns[0])
    hashes, ranks = hash_values(values), _ranks(values)
    for column in columns[1:]:
        more, values = _factorize(column)
        whole = (codes >= 0) & (more >= 0)
        numbers, pairs = pd.factorize(codes[whole] * len(values) + more[whole])
        codes = np.full(len(whole), -1)
        codes[whole] = numbers
        left, right = np.divmod(pairs, max(len(values), 1))
        hashes = combined_hashes([hashes[left], hash_values(values)[right]])
        ranks = ranks[left] * (len(values) + 1) + _ranks(values)[right]
    return codes, hashes, ranks


def _factorize(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Return a number for each value, -1 where it is missing, and the values by their number."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(dtype=np.int64, copy=True), column.cat.categories
    codes, values = pd.factorize(column)
    return codes.astype(np.int64, copy=False), pd.Index(values)


def _ranks(values: pd.Index) -> np.ndarray:
    """Return the place of each value among the sorted ones."""
    ranks = np.empty(len(values), np.int64)
    ranks[values.argsort()] = np.arange(len(values))
    return ranks


def _order_by(groups: np.ndarray, count: int, key: np.ndarray) -> np.ndarray:
    """Order rows by group, then key: faster than np.lexsort, and faster still on sorted keys."""
    if (key[1:] >= key[:-1]).all():
        return rows_by_group(groups, count)[0]
    by_key = np.argsort(key)
    return by_key[rows_by_group(groups[by_key], count)[0]]


def _tied(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the places where sorted keys equal a neighbour's, and for each which tie it is of."""
    same = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    if not same.any():
        return None
    places = np.flatnonzero(np.r_[False, same] | np.r_[same, False])
    return places, np.cumsum(np.r_[True, ~same])[places]


def _order_of_ties(rows: Rows, ties: np.ndarray) -> np.ndarray:
    """Order rows within each tie, column by column, as long as any still tie."""
    order = np.arange(len(rows))
    places = order.copy()
    for column in sorted((rows[name] for name in rows.columns), key=_is_plain, reverse=True):
        key = _sortable(column.iloc[order[places]])
        by_key = _order_by(ties, int(ties[-1]) + 1, key)
        order[places] = order[places][by_key]
        tied = _tied(ties[by_key], key[by_key])
        if tied is None:
            break
        places, ties = places[tied[0]], tied[1]
    return order


def _is_plain(column: pd.Series) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufbmM"


def _sortable(column: pd.Series) -> Any:
    """Return numbers in a fixed order of the values: of their bits where there are bits."""
    if _is_plain(column):
        plain = column.to_numpy()
        return plain.view(f"i{plain.dtype.itemsize}")
    try:
        return factorize_by_value(column)[0]
    except TypeError:  # lists and dictionaries
        return factorize_by_value(column.astype(str))[0]
