"""The levels of categorical columns, learnt in one pass."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import pandas as pd

from dmlkit.errors import InputError
from dmlkit.graph import add_up, for_each

__all__ = ["learn_levels"]

#: More levels than this make no category but an identifier.
MOST_LEVELS = 10_000


def learn_levels(frame: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the levels of columns, sorted, without missing ones.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    names : sequence of str

    Raises
    ------
    InputError
        A column has more than 10,000 levels.
    """
    if not names:
        return {}
    parts = for_each(_levels, frame[list(names)].to_delayed())
    learned = add_up(parts, _merged).compute()
    for name, levels in learned.items():
        if len(levels) > MOST_LEVELS:
            raise InputError(
                f"Column {name!r} has more than {MOST_LEVELS:,} levels (such as "
                f"{min(levels)!r}): that is an identifier. Leave it out, or use it as the "
                "entity of TimeWindows."
            )
    return {name: sorted(levels) for name, levels in learned.items()}


def _levels(frame: pd.DataFrame) -> dict[str, set[Any]]:
    return {
        str(name): _at_most(set(column.dropna().unique().tolist()))
        for name, column in frame.items()
    }


def _merged(parts: Sequence[dict[str, set[Any]]]) -> dict[str, set[Any]]:
    return {name: _at_most(set().union(*(part[name] for part in parts))) for name in parts[0]}


def _at_most(levels: set[Any]) -> set[Any]:
    """Drop levels that are too many anyway, before an identifier fills the memory."""
    return set(islice(levels, MOST_LEVELS + 1))
