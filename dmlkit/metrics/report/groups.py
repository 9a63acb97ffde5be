"""The report's table of groups of people: who is flagged, who is found, whose risk is right."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from dmlkit.metrics.report.wording import count, decimals, percent

__all__ = ["GroupRow", "group_rows"]

#: Of fewer positives nothing can be said.
FEWEST = 20


class GroupRow(NamedTuple):
    """A level of a column as a line of a table; positions are in percent."""

    column: str
    level: str
    rows: str
    observed: str
    expected: str
    flagged: str
    recall: str
    interval: str
    place: float | None
    low: float | None
    high: float | None
    auc: str


def group_rows(groups: pd.DataFrame | None) -> list[GroupRow]:
    """Return a line for each level; the column's name stands in the first of each only.

    Examples
    --------
    >>> from dmlkit.metrics import evaluate_groups
    >>> frame = pd.DataFrame({"sex": ["f", "f"], "ill": [0, 1], "score": [0.2, 0.9]})
    >>> groups = evaluate_groups(frame, label="ill", score="score", groups=["sex"])
    >>> row = group_rows(groups)[0]
    >>> row.level, row.observed, row.expected, row.recall
    ('f', '50.0%', '55.0%', '100%')
    """
    if groups is None:
        return []
    first = ~groups["column"].duplicated()
    return [_row(row, named) for row, named in zip(groups.to_dict("records"), first, strict=True)]


def _row(row: Mapping[Any, Any], named: bool) -> GroupRow:
    known = row["positives"] >= FEWEST
    return GroupRow(
        column=str(row["column"]) if named else "",
        level=str(row["level"]),
        rows=count(row["rows"]),
        observed=percent(row["observed"]),
        expected=percent(row["expected"]),
        flagged=percent(row["flagged"]),
        recall=percent(row["recall"]),
        interval=f"{percent(row['recall_low'])} to {percent(row['recall_high'])}",
        place=round(100 * row["recall"], 2) if known else None,
        low=round(100 * row["recall_low"], 2) if known else None,
        high=round(100 * row["recall_high"], 2) if known else None,
        auc=decimals(row["roc_auc"]) if known else decimals(None),
    )
