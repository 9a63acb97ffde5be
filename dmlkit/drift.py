"""Has a table changed against an earlier one: each column's distribution, compared in one pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.preprocessing.learning import Learning, ask, learn
from dmlkit.preprocessing.levels import Levels, LevelsOf
from dmlkit.preprocessing.order import Blocks, BlocksOf
from dmlkit.preprocessing.statistics import MomentsOf

__all__ = ["compare_tables"]

#: Blocks of each part: shares are off by less than one of them.
BLOCKS = 4_096
#: Below the first, a column is taken for the same; from the second on, for another one.
STABLE, SHIFTED = 0.1, 0.25
#: More levels than this are an identifier, which is new in each table.
MOST_LEVELS = 1_000


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
    shared = [str(name) for name in before.columns if name in set(after.columns)]
    names = list(columns) if columns is not None else shared
    for name in names:
        for table, told in ((before, "before"), (after, "after")):
            if name not in table.columns:
                raise MissingColumnError.of(told, name, table.columns)
    kinds = {name: _kind(before[name].dtype, after[name].dtype) for name in names}
    left, right = (_summaries(table[names], kinds) for table in (before, after))
    rows = [
        row
        for name, kind in kinds.items()
        if (row := _compared(name, kind, left[name], right[name], bins)) is not None
    ]
    if not rows:
        raise InputError("The tables share no column that can be compared.")
    found = pd.DataFrame(rows)
    return found.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)


def _kind(before: Any, after: Any) -> str:
    numeric = pd.api.types.is_numeric_dtype
    if numeric(before) and numeric(after):
        return "number"
    times = pd.api.types.is_datetime64_any_dtype
    return "time" if times(before) and times(after) else "level"


def _summaries(table: Any, kinds: dict[str, str]) -> dict[str, Any]:
    times = [name for name, kind in kinds.items() if kind == "time"]
    texts = [name for name, kind in kinds.items() if kind == "level"]
    if isinstance(table, pd.DataFrame):
        table = _comparable(table, times, texts)
    else:
        meta = _comparable(table._meta, times, texts)
        table = table.map_partitions(_comparable, times, texts, meta=meta)
    found: dict[str, Any] = {}
    learn(_learning(kinds, found), table)
    return found


def _comparable(part: pd.DataFrame, times: list[str], texts: list[str]) -> pd.DataFrame:
    """Return times as days since 1970, and levels as text, whatever type each table has."""
    days = {
        name: (pd.to_datetime(part[name], utc=True) - pd.Timestamp(0, tz="UTC"))
        / pd.Timedelta("1D")
        for name in times
    }
    levels = {
        name: part[name].astype(object).where(part[name].notna(), None).map(_text) for name in texts
    }
    return part.assign(**days, **levels)


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def _learning(kinds: dict[str, str], found: dict[str, Any]) -> Learning:
    numbers = [name for name, kind in kinds.items() if kind != "level"]
    levels = [name for name, kind in kinds.items() if kind == "level"]
    answers = yield from ask(
        *(BlocksOf(name, BLOCKS) for name in numbers),
        *map(MomentsOf, numbers),
        *map(LevelsOf, levels),
    )
    blocks, moments = answers[: len(numbers)], answers[len(numbers) : 2 * len(numbers)]
    for name, summary, moment in zip(numbers, blocks, moments, strict=True):
        found[name] = (summary, moment.missing)
    found |= dict(zip(levels, answers[2 * len(numbers) :], strict=True))


def _compared(name: str, kind: str, before: Any, after: Any, bins: int) -> dict[str, Any] | None:
    if kind == "level":
        if max(len(before.distinct), len(after.distinct)) > MOST_LEVELS:
            return None
        old, new, unseen = _level_counts(before, after)
        distance = np.nan
    else:
        edges = _edges(before[0], bins)
        old, new = (
            np.append(_counts(summary, edges), missing) for summary, missing in (before, after)
        )
        distance, unseen = _distance(before[0], after[0]), 0.0
    if not old.sum() or not new.sum():
        raise InputError(f"Column {name!r} has no rows in one of the tables.")
    index = _stability_index(old, new)
    verdict = "stable" if index < STABLE else "changed" if index < SHIFTED else "shifted"
    return {
        "column": name,
        "psi": index,
        "ks": distance,
        "missing_before": float(old[-1] / old.sum()),
        "missing_after": float(new[-1] / new.sum()),
        "new_levels": float(unseen / new.sum()),
        "verdict": verdict,
    }


def _level_counts(
    before: Levels, after: Levels
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return the rows of each level in both tables (missing ones last), and those of new levels."""
    old = dict(zip(before.distinct, before.rows.tolist(), strict=True))
    new = dict(zip(after.distinct, after.rows.tolist(), strict=True))
    levels = list(old | new)
    counts = [
        np.array([*(rows.get(level, 0) for level in levels), missing], dtype=np.float64)
        for rows, missing in ((old, before.missing), (new, after.missing))
    ]
    unseen = float(sum(rows for level, rows in new.items() if level not in old))
    return counts[0], counts[1], unseen


def _edges(blocks: Blocks, bins: int) -> NDArray[np.float64]:
    """Return the inner edges of bins that hold equal shares; fewer where values repeat."""
    order = np.argsort(blocks.last, kind="stable")
    upto = np.cumsum(blocks.rows[order])
    wanted = np.arange(1, bins) / bins * blocks.total
    places = np.minimum(np.searchsorted(upto, wanted), len(upto) - 1)
    return np.unique(blocks.last[order][places]) if blocks.total else np.zeros(0)


def _counts(blocks: Blocks, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows of each bin; a bin holds its upper edge."""
    place = np.searchsorted(edges, (blocks.first + blocks.last) / 2)
    return np.bincount(place, blocks.rows, len(edges) + 1).astype(np.float64)


def _distance(before: Blocks, after: Blocks) -> float:
    """Return the largest distance between the two distribution functions."""
    if not before.total or not after.total:
        return np.nan
    values = np.unique(np.r_[before.last, after.last])
    shares = []
    for blocks in (before, after):
        order = np.argsort(blocks.last, kind="stable")
        upto = np.r_[0, np.cumsum(blocks.rows[order])] / blocks.total
        shares.append(upto[np.searchsorted(blocks.last[order], values, side="right")])
    return float(np.abs(shares[0] - shares[1]).max())


def _stability_index(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    there = (before + after) > 0
    # Half a row in each, so that an empty bin has a finite weight.
    old, new = before[there] + 0.5, after[there] + 0.5
    old, new = old / old.sum(), new / new.sum()
    return float(((new - old) * np.log(new / old)).sum())
