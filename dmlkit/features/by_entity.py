"""Steps that look at the other rows of an entity: planned together, computed with one shuffle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.entity_key import EntityKey, unit_of
from dmlkit.features.lengths import in_whole_units
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import (
    Gathered,
    Source,
    buckets_for,
    bytes_per_row,
    shuffle_by_entity,
)
from dmlkit.features.sorted_rows import SortedRows
from dmlkit.features.step import check_columns

__all__ = [
    "EntityStep",
    "ShufflePlan",
    "add_by_entity",
    "explain_shuffle",
    "grouped_by_entity",
    "plan_shuffle",
    "told_history",
]


class EntityStep(Protocol):
    """What is asked of a step that looks at the other rows of an entity."""

    @property
    def time(self) -> str:
        """The column that tells when a row happened."""
        ...

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that name the entity together."""
        ...

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        ...

    @property
    def history(self) -> pd.Timedelta:
        """How far back the step looks at rows of the table itself."""
        ...

    def others(self, unit: str) -> list[Source]:
        """Return the other tables that the step looks at."""
        ...

    def other_times(self) -> list[Any]:
        """Return the types of these tables' times."""
        ...

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the features."""
        ...

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame like `meta` lacks what is needed."""
        ...

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        ...

    def for_workers(self) -> Any:
        """Return what computes the features: the step, without the other tables."""
        ...

    def compute(self, rows: SortedRows, *others: Rows) -> dict[str, Any]:
        """Return the features of sorted rows."""
        ...


@dataclass(frozen=True)
class _Process:
    """Sorts the rows of a range and adds the columns of all steps."""

    steps: tuple[EntityStep, ...]
    tables: tuple[int, ...]  # how many others each step looks at
    key: EntityKey

    def __call__(self, gathered: Gathered, *others: Gathered) -> pd.DataFrame:
        rows = SortedRows(gathered.rows, self.key, gathered.context)
        left = iter(others)
        columns = dict(rows.rows.columns)
        for step, tables in zip(self.steps, self.tables, strict=True):
            beside = [next(left).context for _ in range(tables)]
            columns |= step.compute(rows, *beside)
        return Rows(columns).frame()


@dataclass(frozen=True)
class ShufflePlan:
    """What a shuffle of a frame moves.

    Attributes
    ----------
    by : tuple of str
    before, after : int
        Bytes of a row, of the frame and of the result.
    partitions : int
        Of the result.
    meta : pd.DataFrame
        The result without rows.
    """

    by: tuple[str, ...]
    before: int
    after: int
    partitions: int
    meta: pd.DataFrame


def grouped_by_entity(steps: Sequence[EntityStep]) -> list[list[EntityStep]]:
    """Group steps that share a shuffle, the group with the fewest new columns first.

    What the first one adds goes through the shuffles of all others.
    """
    groups: dict[tuple[tuple[str, ...], str], list[EntityStep]] = {}
    for step in steps:
        groups.setdefault((step.entity, step.time), []).append(step)
    return sorted(groups.values(), key=_new_columns)


def add_by_entity(
    frame: Any, steps: Sequence[EntityStep], partitions: int | None = None, history: Any = None
) -> Any:
    """Add the columns of steps on one entity and one time with one shuffle.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    steps : sequence of EntityStep
    partitions : int, optional
        Of the result.
    history : dask.dataframe.DataFrame, optional
        Rows that are seen by those of `frame`, and get no columns themselves.

    Returns
    -------
    dask.dataframe.DataFrame
        In the order of the entity's hash, then of time: the same rows in the same order however
        `frame` was partitioned.
    """
    for step in steps:
        step.check(frame._meta)
    main, process, meta = _planned(frame, steps, history)
    if history is not None:
        _check_alike(frame._meta, history._meta, main.columns)
    others = [other for step in steps for other in step.others(main.key.unit)]
    buckets = partitions or buckets_for(frame, meta)
    return shuffle_by_entity(main, buckets, process, meta, history=history, others=others)


def plan_shuffle(frame: Any, steps: Sequence[EntityStep]) -> ShufflePlan:
    """Tell what a shuffle of a frame would move; only its columns and partitions are looked at."""
    main, _, meta = _planned(frame, steps)
    return ShufflePlan(
        by=tuple(main.key.by),
        before=bytes_per_row(frame._meta),
        after=bytes_per_row(meta),
        partitions=buckets_for(frame, meta),
        meta=meta,
    )


def explain_shuffle(frame: Any, steps: Sequence[EntityStep]) -> str:
    """Tell what a shuffle of a frame moves, and into how many partitions."""
    found = plan_shuffle(frame, steps)
    return (
        f"{_counted(frame.npartitions, 'partition')} of {found.before} bytes a row "
        f"into {found.partitions} of {found.after}, by a hash of {' and '.join(found.by)} and "
        "then by time; what lies together already is not moved, and an entity with more rows "
        f"than a partition has is cut in time, with {told_history(_history(steps))} before each cut"
    )


def _planned(
    frame: Any, steps: Sequence[EntityStep], history: Any = None
) -> tuple[Source, "_Process", pd.DataFrame]:
    """Return what is shuffled, what is done with each range, and an empty result of it."""
    time = steps[0].time
    kinds = [frame._meta[time].dtype, *(kind for step in steps for kind in step.other_times())]
    kinds += [] if history is None else [history._meta[time].dtype]
    key = EntityKey(steps[0].entity, time, unit_of(*kinds))
    tables = tuple(len(step.other_times()) for step in steps)
    process = _Process(tuple(step.for_workers() for step in steps), tables, key)
    columns = tuple(dict.fromkeys(name for step in steps for name in step.required_columns))
    reach = in_whole_units(_history(steps), key.unit)
    main = Source(frame, key, columns, reach)
    rows = Rows.of(frame._meta)
    empty = [
        Gathered(rows, Rows.of(other.frame._meta, other.columns))
        for step in steps
        for other in step.others(key.unit)
    ]
    return main, process, process(Gathered(rows, rows.select(columns)), *empty)


def _history(steps: Sequence[EntityStep]) -> pd.Timedelta:
    return max(step.history for step in steps)


def told_history(history: pd.Timedelta) -> str:
    """Write how far back steps look."""
    if history == pd.Timedelta.max:
        return "as far as there are rows"
    return str(history).removesuffix(" 00:00:00")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _new_columns(steps: Sequence[EntityStep]) -> int:
    return sum(len(step.get_feature_names_out()) for step in steps)


def _check_alike(meta: pd.DataFrame, history: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise unless a history has the columns of new rows that are looked at, with their kinds."""
    check_columns(history, columns)
    for name in columns:
        new, old = meta[name].dtype, history[name].dtype
        if pd.api.types.is_numeric_dtype(new) != pd.api.types.is_numeric_dtype(old):
            raise InputError(
                f"Column {name!r} is {new} in the new rows and {old} in the history. "
                "Read both with the same schema."
            )
        if (getattr(new, "tz", None) is None) != (getattr(old, "tz", None) is None):
            raise InputError(
                f"Only one of the new rows and the history has a time zone in {name!r}. "
                "Write both with a zone, or both without."
            )
