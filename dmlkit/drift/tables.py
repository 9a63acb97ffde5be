"""Has a table changed against an earlier one: each column's distribution, compared in one pass."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dmlkit.drift.columns import Column, ColumnOf, comparable, compared, kinds_of
from dmlkit.errors import InputError
from dmlkit.preprocessing.learning import Learning, ask, learn

__all__ = ["compare_tables"]


def compare_tables(
    before: Any, after: Any, *, columns: Sequence[str] | None = None, bins: int = 10
) -> pd.DataFrame:
    """Compare the columns of two tables.

    Parameters
    ----------
    before, after : dask or pandas DataFrame
    columns : sequence of str, optional
        Without, all that both tables have.
    bins : int
        Of numbers, by the quantiles of `before`.

    Returns
    -------
    pandas.DataFrame
        A row for each column, the most changed first: ``column``, ``psi`` (population stability
        index over bins or levels, missing values being one of them), ``ks`` (Kolmogorov-Smirnov
        distance; missing for levels), ``missing_before`` and ``missing_after`` (shares),
        ``new_levels`` (share of the rows after with a level that was not there) and ``verdict``:
        ``"stable"`` (psi below 0.1), ``"changed"`` or ``"shifted"`` (from 0.25 on).

    Raises
    ------
    MissingColumnError, InputError
        A column is not in both tables, or a table has no rows.

    Notes
    -----
    Each table is read once. Up to 4,096 rows in a partition figures are exact; beyond, shares are
    off by 1/4096 at most. Times are compared as numbers; columns with more than 1,000 levels are
    left out.

    References
    ----------
    Siddiqi: *Credit Risk Scorecards*, 2006 (the stability index and its limits).

    Examples
    --------
    >>> before = pd.DataFrame({"x": range(100), "y": ["a", "b"] * 50})
    >>> after = pd.DataFrame({"x": range(50, 150), "y": ["a", "b"] * 50})
    >>> compare_tables(before, after)[["column", "ks", "verdict"]].values.tolist()
    [['x', 0.5, 'shifted'], ['y', nan, 'stable']]
    """
    kinds = kinds_of(before, after, columns)
    left, right = (
        _columns_of(table[list(kinds)], kinds, name)
        for name, table in (("table before", before), ("table after", after))
    )
    rows = [
        row
        for name, kind in kinds.items()
        if (row := compared(name, kind, left[name], right[name], bins)) is not None
    ]
    if not rows:
        raise InputError("The tables share no column that can be compared.")
    found = pd.DataFrame(rows)
    return found.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)


def _columns_of(table: Any, kinds: dict[str, str], name: str) -> dict[str, Column]:
    found: dict[str, Column] = {}
    learn(_learning(kinds, found), comparable(table, kinds), name=name)
    return found


def _learning(kinds: dict[str, str], found: dict[str, Column]) -> Learning:
    answers = yield from ask(*(ColumnOf(name, kind) for name, kind in kinds.items()))
    found |= dict(zip(kinds, answers, strict=True))
