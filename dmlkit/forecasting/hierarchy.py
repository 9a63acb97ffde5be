"""Panels with the sums of their series: by category, by shop, of all; which series is in which."""

from collections.abc import Sequence
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from scipy import sparse

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.panel_group_kernels import LIMBS, add_exactly, totals_of
from dmlkit.features.step import check_columns
from dmlkit.forecasting.panel import SERIES, TIME, VALUE, check_panel

__all__ = ["TOTAL", "add_sums", "members_of", "membership_matrix"]

#: The series that is the sum of all.
TOTAL = "total"

LEVEL = "level"
PARTS = [f"__part_{number}" for number in range(LIMBS)]


def add_sums(panel: Any, levels: Sequence[Sequence[str]]) -> Any:
    """Return a panel with a series for each sum of series, to be forecast beside them.

    Parameters
    ----------
    panel : dask or pandas DataFrame
        ``unique_id``, ``ds``, ``y`` and the columns that `levels` name, which never change within
        a series.
    levels : sequence of sequences of str
        For each level of sums, the columns whose values a sum's series share; an empty one is the
        sum of all series.

    Returns
    -------
    DataFrame like `panel`
        ``unique_id`` (as text; of sums ``category=3`` or ``category=3, shop=1`` or ``total``),
        ``ds``, ``y`` and ``level`` (``series``, or the names of columns). A sum has a row at each
        time at which one of its series has, and is over those whose value is known; sums are
        exact, and so the same on any partitions.

    Examples
    --------
    >>> import pandas as pd
    >>> panel = pd.DataFrame({"unique_id": ["a", "b"], "ds": 1, "y": [2.0, 3.0], "shop": [7, 7]})
    >>> add_sums(panel, [["shop"], []])
      unique_id  ds    y   level
    0         a   1  2.0  series
    1         b   1  3.0  series
    2    shop=7   1  5.0    shop
    3     total   1  5.0   total
    """
    meta = panel if isinstance(panel, pd.DataFrame) else panel._meta
    check_panel(meta, [name for level in levels for name in level])
    if isinstance(panel, pd.DataFrame):
        sums = _whole_sums(_added_up(_partial_sums(panel, levels)))
        return pd.concat([_plain(panel), sums], ignore_index=True)
    partial = panel.map_partitions(_partial_sums, levels, meta=_partial_sums(meta, levels))
    keys = [LEVEL, SERIES, TIME]
    added = partial.groupby(keys).sum(split_out=panel.npartitions).reset_index()
    sums = added.map_partitions(_whole_sums, meta=_whole_sums(added._meta))
    plain = panel.map_partitions(_plain, meta=_plain(meta))
    return dd.concat([plain, sums], interleave_partitions=True)


def sum_names(members: pd.DataFrame, level: Sequence[str]) -> pd.Series:
    """Return, for rows of series, the name of the sum that they are in at a level."""
    if not level:
        return pd.Series(TOTAL, index=members.index, dtype="str")
    texts = [f"{name}=" + members[name].astype("str") for name in level]
    whole = texts[0]
    for text in texts[1:]:
        whole = whole + ", " + text
    return whole


def membership_matrix(
    members: pd.DataFrame, levels: Sequence[Sequence[str]]
) -> tuple[list[str], Any]:
    """Return the names of all sums, and which series each is of.

    Parameters
    ----------
    members : pd.DataFrame
        A row for each series.
    levels : sequence of sequences of str

    Returns
    -------
    names : list of str
    matrix : (sums, series) sparse matrix
        Of ones and zeros.
    """
    if not levels:
        raise ConfigurationError("levels is empty: name columns, or [] for the sum of all series.")
    names: list[str] = []
    places = []
    for level in levels:
        codes, found = pd.factorize(sum_names(members, level), sort=True)
        if (codes < 0).any():
            row = members.iloc[int(np.flatnonzero(codes < 0)[0])]
            raise InputError(
                f"Series {row[SERIES]!r} has no {' or '.join(map(repr, level))}: it is in no sum "
                "of that level. Fill it in, or leave the series out."
            )
        places.append(codes + len(names))
        names += list(found)
    rows = np.concatenate(places)
    columns = np.tile(np.arange(len(members)), len(levels))
    shape = (len(names), len(members))
    return names, sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def _plain(panel: pd.DataFrame) -> pd.DataFrame:
    columns = {
        SERIES: panel[SERIES].astype("str"),
        TIME: panel[TIME],
        VALUE: panel[VALUE].astype("float64"),
        LEVEL: pd.Series("series", index=panel.index, dtype="str"),
    }
    return pd.DataFrame(columns)


def _partial_sums(panel: pd.DataFrame, levels: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return what the rows of a partition add to each sum, as whole numbers."""
    values = panel[VALUE].to_numpy(dtype=np.float64, na_value=np.nan)
    parts = []
    for level in levels:
        columns = {
            LEVEL: pd.Series(", ".join(level) or TOTAL, index=panel.index, dtype="str"),
            SERIES: sum_names(panel, level),
            TIME: panel[TIME],
        }
        keys = pd.DataFrame(columns)
        groups = keys.groupby([SERIES, TIME], sort=False)
        places = groups.ngroup().to_numpy(dtype=np.int64)
        sums = np.zeros((groups.ngroups, LIMBS), np.int64)
        add_exactly(values, places, sums)
        firsts = keys[~keys.duplicated([SERIES, TIME]) & (places >= 0)].reset_index(drop=True)
        parts.append(firsts.assign(**dict(zip(PARTS, sums.T, strict=True))))
    return pd.concat(parts, ignore_index=True)


def _added_up(partial: pd.DataFrame) -> pd.DataFrame:
    return partial.groupby([LEVEL, SERIES, TIME], sort=False).sum().reset_index()


def _whole_sums(added: pd.DataFrame) -> pd.DataFrame:
    sums = added[PARTS].to_numpy(dtype=np.int64)
    whole = added[[SERIES, TIME]].assign(**{VALUE: totals_of(np.ascontiguousarray(sums))})
    return whole.assign(**{LEVEL: added[LEVEL]})


def members_of(panel: Any, levels: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return a row for each series with the columns of the levels."""
    names = [SERIES, *dict.fromkeys(name for level in levels for name in level)]
    check_columns(panel, names)
    distinct = panel[names].drop_duplicates()
    members: pd.DataFrame = distinct if isinstance(panel, pd.DataFrame) else distinct.compute()
    twice = members[members[SERIES].duplicated()]
    if len(twice):
        raise InputError(
            f"Series {twice[SERIES].iloc[0]!r} has several values of "
            f"{', '.join(map(repr, names[1:]))}: a series stays in its sums."
        )
    members = members.assign(**{SERIES: members[SERIES].astype("str")})
    return members.sort_values(SERIES, ignore_index=True)
