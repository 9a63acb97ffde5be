"""The columns of a training table beside its features, and what XGBoost calls them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["BOUNDS", "LABEL", "MARGIN", "QUERY", "WEIGHT", "arguments_of", "columns_of"]

#: A role of one column is called so in each part of a table; one of several columns has a number
#: behind it.
LABEL, WEIGHT, QUERY = "__label", "__weight", "__query"
MARGIN, BOUNDS = "__margin", "__bounds"


def columns_of(role: str, names: Iterable[str]) -> list[str]:
    """Return the columns of a role among `names`, in order.

    Examples
    --------
    >>> columns_of(MARGIN, ["amount", "__label", "__margin0", "__margin1"])
    ['__margin0', '__margin1']
    """
    found = [name for name in names if name.startswith(role)]
    return sorted(found, key=lambda name: int(name.removeprefix(role) or 0))


def arguments_of(rows: pd.DataFrame) -> dict[str, Any]:
    """Return what stands beside the features as XGBoost's matrices take it."""
    names = list(rows.columns)
    found: dict[str, Any] = {}
    if LABEL in names:
        found["label"] = rows[LABEL].to_numpy()
    if bounds := columns_of(BOUNDS, names):
        lower, upper = (rows[name].to_numpy() for name in bounds)
        found |= {"label_lower_bound": lower, "label_upper_bound": upper}
    if margins := columns_of(MARGIN, names):
        found["base_margin"] = np.column_stack([rows[name].to_numpy() for name in margins])
    weight = {"weight": rows[WEIGHT].to_numpy()} if WEIGHT in names else {}
    return found | weight | (_by_query(rows, weight) if QUERY in names else {})


def _by_query(rows: pd.DataFrame, weight: Mapping[str, Any]) -> dict[str, Any]:
    """Return queries numbered in their order, and a weight for each and not for each row."""
    query = rows[QUERY].to_numpy()
    first = np.r_[True, query[1:] != query[:-1]]
    numbers = np.cumsum(first).astype(np.uint32)
    return {"qid": numbers} | {name: values[first] for name, values in weight.items()}
