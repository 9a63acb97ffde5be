"""`SortedRows`: the rows of whole entities in an order that depends on the rows alone."""

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.hashing import hash_integers, hash_values
from dmlkit.features.sort_kernels import rows_by_group

__all__ = ["SortedRows", "row_hashes"]


class SortedRows:
    """Rows of whole entities, sorted by the entity's hash and time, with what kernels need.

    Rows that tie are sorted by their other values, so that the order in which rows came in
    cannot be told from the result.

    Attributes
    ----------
    frame : pd.DataFrame
    codes : (n,) int64 array
        The entity as a number; -1 where entity or time is missing.
    times : (n,) int64 array
        Microseconds since 1970, or nanoseconds where the column has that resolution.
    unit : str
        ``"us"`` or ``"ns"``.
    """

    def __init__(self, frame: pd.DataFrame, by: str, time: str) -> None:
        groups, count = _groups(frame[by], frame[time])
        times, self.unit = _times(frame[time])
        order = _order(frame, groups, count, times)
        self.frame = frame.take(order).reset_index(drop=True)
        groups[(frame[by].isna() | frame[time].isna()).to_numpy()] = -1
        self.codes = groups[order]
        self.times = times[order]


def row_hashes(entity: pd.Series, time: pd.Series) -> np.ndarray:
    """Return a hash for each row: its entity's, or that of its time where the entity is missing.

    So rows without an entity, which need not be together, do not all end in one place.
    """
    hashes = hash_values(entity)
    missing = entity.isna().to_numpy()
    if missing.any():
        hashes[missing] = hash_integers(_times(time)[0][missing])
    return hashes


def _groups(entity: pd.Series, time: pd.Series) -> tuple[np.ndarray, int]:
    """Return each row's entity as a number, in the order of their hashes, and how many there are.

    Rows without an entity are grouped by their time, as `row_hashes` does.
    """
    groups, entities = _factorize(entity)
    hashes = hash_values(entities)
    missing = groups < 0
    if missing.any():
        numbers, instants = pd.factorize(_times(time)[0][missing])
        groups[missing] = len(hashes) + numbers
        hashes = np.r_[hashes, hash_integers(instants)]
    order = np.argsort(hashes)
    if (hashes[order][1:] == hashes[order][:-1]).any():
        order = np.lexsort((_ranks(entities, len(hashes)), hashes))
    numbers = np.empty(len(hashes), np.int64)
    numbers[order] = np.arange(len(hashes))
    return numbers[groups], len(hashes)


def _factorize(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Return a number for each value, -1 where it is missing, and the values by their number."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(dtype=np.int64, copy=True), column.cat.categories
    codes, values = pd.factorize(column)
    return codes.astype(np.int64, copy=False), pd.Index(values)


def _ranks(values: pd.Index, count: int) -> np.ndarray:
    """Return the place of each value among the sorted ones; then those up to `count`."""
    ranks = np.arange(count)
    ranks[values.argsort()] = np.arange(len(values))
    return ranks


def _times(time: pd.Series) -> tuple[np.ndarray, str]:
    if not pd.api.types.is_datetime64_any_dtype(time.dtype):
        example = time.iloc[0] if len(time) else None
        raise InputError(
            f"Column {time.name!r} is {time.dtype} (such as {example!r}), but a datetime is "
            "needed. Declare it as 'datetime' in the schema, or convert it with to_datetime."
        )
    if getattr(time.dtype, "tz", None) is not None:
        time = time.dt.tz_convert("UTC").dt.tz_localize(None)
    values = time.to_numpy(dtype="datetime64[ns]" if time.dt.unit == "ns" else "datetime64[us]")
    return values.view(np.int64), np.datetime_data(values.dtype)[0]


def _order(frame: pd.DataFrame, groups: np.ndarray, count: int, times: np.ndarray) -> np.ndarray:
    """Order rows by group and time, and rows that tie by their other values."""
    order = _order_by(groups, count, times)
    tied = _tied(groups[order], times[order])
    if tied is not None:
        places, ties = tied
        order[places] = order[places][_order_of_ties(frame.take(order[places]), ties)]
    return order


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


def _order_of_ties(rows: pd.DataFrame, ties: np.ndarray) -> np.ndarray:
    """Order rows within each tie, column by column, as long as any still tie.

    Numbers come first: an identifier or an amount mostly decides, and texts cost more.
    """
    order = np.arange(len(rows))
    places = order.copy()
    for column in sorted((rows[name] for name in rows), key=_is_plain, reverse=True):
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


def _sortable(column: pd.Series) -> np.ndarray:
    """Return numbers in a fixed order of the values: of their bits where there are bits."""
    if _is_plain(column):
        plain = column.to_numpy()
        return plain.view(f"i{plain.dtype.itemsize}")
    try:
        codes, values = _factorize(column)
    except TypeError:  # lists and dictionaries
        codes, values = _factorize(column.astype(str))
    return np.r_[_ranks(values, len(values)), -1][codes]
