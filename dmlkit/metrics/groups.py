"""Is a score as good for one group of people as for another: rates by group, with intervals."""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import dask
import numpy as np
import pandas as pd

from dmlkit.graph import add_up, for_each
from dmlkit.metrics.intervals import wilson_interval
from dmlkit.metrics.ranked import combine_shares, lazy_shares, rank_rows
from dmlkit.metrics.ranking import roc_auc
from dmlkit.metrics.rows import LabelledScores, raise_faults, source_of

__all__ = ["evaluate_groups"]

#: What rows without a group are called.
MISSING = "(missing)"

SUMS = ("rows", "positives", "flagged", "caught", "score")


def evaluate_groups(
    frame: Any, *, label: str, score: str, groups: Sequence[str], threshold: float = 0.5
) -> pd.DataFrame:
    """Compare how a score does in each group: who is flagged, who is missed, whose risk is right.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    label, score : str
        Columns with 0 or 1, and with the probability of 1.
    groups : sequence of str
        Columns with few levels, such as age, sex and race, each looked at by itself. Missing
        values are a group.
    threshold : float
        The score from which on a row is flagged.

    Returns
    -------
    pandas.DataFrame
        A row for each level of each column, with the columns ``column``, ``level``, ``rows``,
        ``positives``, ``observed`` (share of positives), ``expected`` (mean score),
        ``roc_auc`` (missing where a group has one class only), ``flagged`` (share of rows),
        ``recall`` (share of positives that are flagged) with its 95% Wilson interval
        ``recall_low`` and ``recall_high``, ``precision`` and ``false_positive_rate``.

    Raises
    ------
    MissingColumnError, InputError
        A column is missing, or a row has no label or score.

    References
    ----------
    Hardt, Price, Srebro: *Equality of Opportunity in Supervised Learning*. NIPS 2016.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"sex": ["f", "f", "m", "m"], "ill": [0, 1, 1, 0], "score": [0.2, 0.9, 0.4, 0.6]}
    ... )
    >>> found = evaluate_groups(frame, label="ill", score="score", groups=["sex"])
    >>> found[["level", "recall", "false_positive_rate", "roc_auc"]].values.tolist()
    [['f', 1.0, 0.0, 1.0], ['m', 0.0, 1.0, 0.0]]
    """
    source = source_of(frame, label, score, others=groups)
    count = partial(_sums_by_level, groups=tuple(groups), threshold=threshold)
    sums, faults = source.compute(
        add_up(for_each(count, source.parts, source.rows), _add), source.faults()
    )
    raise_faults(faults)
    sums = sums.reset_index().sort_values(["place", "level"], ignore_index=True)
    sums.insert(0, "column", [groups[place] for place in sums.pop("place")])
    auc = _auc_of_each(frame, label, score, list(zip(sums["column"], sums["level"], strict=True)))
    return _rates(sums).assign(roc_auc=auc)


def _sums_by_level(
    part: pd.DataFrame, rows: LabelledScores, groups: Sequence[str], threshold: float
) -> pd.DataFrame:
    part = part if rows.kept is None else part[rows.kept]
    flagged = rows.score >= threshold
    values = {
        "rows": np.ones(len(part)),
        "positives": rows.label.astype(float),
        "flagged": flagged.astype(float),
        "caught": (flagged & rows.label).astype(float),
        "score": rows.score,
    }
    by_column = [pd.DataFrame(values).groupby(_levels(part[name])).sum() for name in groups]
    return pd.concat(by_column, keys=range(len(groups)), names=["place", "level"])


def _levels(column: pd.Series) -> np.ndarray:
    """Return levels as text, which sorts and prints alike whatever the column's type."""
    text = column.astype(object).where(column.notna(), MISSING).map(str)
    return text.to_numpy(dtype=object)


def _add(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return reduce(lambda left, right: left.add(right, fill_value=0), parts)


def _auc_of_each(
    frame: Any, label: str, score: str, levels: Sequence[tuple[str, str]]
) -> list[float]:
    """Return the AUC within each level of a column, all in one go."""
    metric = roc_auc()
    rankings = []
    for column, level in levels:
        rows = _of_level(frame[[*dict.fromkeys([label, score, column])]], column, level)
        source = source_of(rows, label, score)
        rankings.append(rank_rows(source))
    lazy = [(lazy_shares(each, [metric]), each.totals) for each in rankings]
    scheduler = "synchronous" if isinstance(frame, pd.DataFrame) else None
    return [
        float(combine_shares(shares, totals, [metric])[0])
        if totals.positives and totals.negatives
        else np.nan
        for shares, totals in dask.compute(lazy, scheduler=scheduler)[0]
    ]


def _of_level(frame: Any, column: str, level: str) -> Any:
    if isinstance(frame, pd.DataFrame):
        return frame[_levels(frame[column]) == level]
    return frame.map_partitions(_of_level, column, level, meta=frame._meta)


def _rates(sums: pd.DataFrame) -> pd.DataFrame:
    rows, positives, flagged, caught, score = (sums[name].to_numpy() for name in SUMS)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = wilson_interval(caught, positives)
        rates = {
            "observed": positives / rows,
            "expected": score / rows,
            "flagged": flagged / rows,
            "recall": caught / positives,
            "recall_low": low,
            "recall_high": high,
            "precision": caught / flagged,
            "false_positive_rate": (flagged - caught) / (rows - positives),
        }
    counts = {"rows": rows.astype(int), "positives": positives.astype(int)}
    return sums[["column", "level"]].assign(**counts, **rates)
