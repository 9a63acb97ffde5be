"""`WindowStream`: the windows of one event at a time, equal to those of the whole table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.features.entity_key import EntityKey, unit_of
from dmlkit.features.rows import Rows
from dmlkit.features.sorted_rows import SortedRows

__all__ = ["WindowStream"]


class WindowStream:
    """Features of events as they come in, for scoring them at once.

    Keeps, of each entity, the events that its windows can still see. The features of an event are
    computed by what computes those of a table; as a window's value depends on the events in it
    and on nothing else, they are the same to the bit.

    Parameters
    ----------
    step : TimeWindows
    meta : pd.DataFrame, optional
        An empty table with the types of the columns; without it, types are as pandas takes them
        from the values.

    Examples
    --------
    >>> from dmlkit.features import TimeWindows
    >>> stream = TimeWindows("card", "time", ["1d"], {"amount": ["sum"]}).stream()
    >>> stream.push({"card": 1, "time": "2025-01-01 10:00", "amount": 5.0})
    {'card_amount_sum_1d': 5.0}
    >>> stream.push({"card": 1, "time": "2025-01-01 11:00", "amount": 2.0})
    {'card_amount_sum_1d': 7.0}
    """

    def __init__(self, step: Any, meta: pd.DataFrame | None = None) -> None:
        self._step = step
        self._dtypes = {} if meta is None else dict(meta.dtypes)
        self._kept: dict[tuple[Any, ...], list[dict[str, Any]]] = {}

    def push(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Take an event in and return its features.

        Parameters
        ----------
        event : mapping of str to value
            At least the columns that are read.

        Raises
        ------
        MissingColumnError
            The event lacks a column.
        InputError
            It is older than one of its entity that was pushed before.
        """
        return self.push_together([event])[0]

    def push_together(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Take in events of one instant, which all see each other, and return their features."""
        taken = [self._taken(event) for event in events]
        for event in taken:
            self._keep(event)
        return [self._features(event) for event in taken]

    def _taken(self, event: Mapping[str, Any]) -> dict[str, Any]:
        for name in self._step.required_columns:
            if name not in event:
                raise MissingColumnError.of("event", name, list(event))
        taken = {name: event[name] for name in self._step.required_columns}
        return taken | {self._step.time: pd.Timestamp(event[self._step.time])}

    def _entity(self, event: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Return what names the entity; None where it is missing, or the time is."""
        key = tuple(event[name] for name in self._step.entity)
        return None if any(map(pd.isna, (*key, event[self._step.time]))) else key

    def _keep(self, event: dict[str, Any]) -> None:
        key, time = self._entity(event), event[self._step.time]
        if key is None:
            return
        kept = self._kept.setdefault(key, [])
        if kept and kept[-1][self._step.time] > time:
            raise InputError(
                f"An event of {key} at {time} comes after one at {kept[-1][self._step.time]}. "
                "Push the events of an entity in the order of time."
            )
        oldest = time - self._step.history
        fresh = next((n for n, old in enumerate(kept) if old[self._step.time] > oldest), len(kept))
        del kept[:fresh]
        kept.append(event)

    def _features(self, event: dict[str, Any]) -> dict[str, Any]:
        key = self._entity(event)
        seen = [event] if key is None else self._kept[key]
        frame = pd.DataFrame(seen).astype(
            {name: self._dtypes[name] for name in self._step.required_columns if self._dtypes}
        )
        rows = SortedRows(
            Rows.of(frame),
            EntityKey(self._step.entity, self._step.time, unit_of(frame[self._step.time].dtype)),
        )
        return {name: _plain(values[-1]) for name, values in self._step.compute(rows).items()}


def _plain(value: Any) -> Any:
    """Return a value of Python's own types where there is one."""
    return value.item() if isinstance(value, np.generic) else value
