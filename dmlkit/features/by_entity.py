"""Steps that look at the other rows of an entity: planned and computed together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.computation import Computation, SortedTable
from dmlkit.features.entity_key import EntityKey, unit_of
from dmlkit.features.entity_step import EntityStep
from dmlkit.features.input_order import Group, features_beside
from dmlkit.features.layout import marked_as_ranges
from dmlkit.features.lengths import in_whole_units
from dmlkit.features.neighbours import gathered_in_place
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import (
    Gathered,
    Source,
    buckets_for,
    opened,
    shuffle_by_entity,
)
from dmlkit.features.step import check_columns
from dmlkit.features.strategy import choose_strategy, order_of
from dmlkit.graph import for_each
from dmlkit.local_frames import as_given, lazily
from dmlkit.tables.partition_size import bytes_per_row

__all__ = [
    "ShufflePlan",
    "add",
    "add_beside",
    "add_by_entity",
    "explain_move",
    "grouped_by_entity",
    "plan_shuffle",
    "told_history",
]


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


def add(
    frame: Any,
    steps: Sequence[EntityStep],
    *,
    partitions: int | None = None,
    order: str | None = None,
    history: Any = None,
) -> Any:
    """Add the columns of steps on one entity and one time, in the order that is asked for.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    steps : sequence of EntityStep
    partitions, order, history
        As for `add_by_entity`; see `TimeWindows.transform`.

    Returns
    -------
    DataFrame like `frame`
    """
    order = order_of(order, frame, partitions)
    table, seen = lazily(frame), lazily(history)
    if order == "input":
        return as_given(add_beside(table, [steps], seen), frame)
    return as_given(add_by_entity(table, steps, partitions, seen), frame)


def add_by_entity(
    frame: Any, steps: Sequence[EntityStep], partitions: int | None = None, history: Any = None
) -> Any:
    """Add the columns of steps on one entity and one time with one shuffle, or with none.

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
    main, computation = _checked(frame, steps, history)
    process = SortedTable(computation)
    meta = process(*_empty(frame, steps, main))
    others = _others(steps, main.key)
    alone = history is None and not others
    features = meta[_features(steps)]
    strategy = choose_strategy(main, features, "entity", partitions, alone=alone)
    if strategy.layout is not None:
        parts = for_each(opened, frame.to_delayed(), tuple(main.columns))
        rows = for_each(process, gathered_in_place(strategy.layout, main, parts))
        made = dd.from_delayed(rows, meta=meta, verify_meta=False, prefix="by-entity")
    else:
        buckets = partitions or buckets_for(frame, meta)
        made = shuffle_by_entity(main, buckets, process, meta, history=history, others=others)
    return marked_as_ranges(made, main.key)


def add_beside(frame: Any, groups: Sequence[Sequence[EntityStep]], history: Any = None) -> Any:
    """Add the columns of steps to rows that keep their order, their partitions and their index.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    groups : sequence of sequences of EntityStep
        Those of a group are on one entity and one time.
    history : dask.dataframe.DataFrame, optional
        As for `add_by_entity`.
    """
    return features_beside(frame, [_group(frame, steps, history) for steps in groups], history)


def plan_shuffle(frame: Any, steps: Sequence[EntityStep]) -> ShufflePlan:
    """Tell what a shuffle of a frame would move; only its columns and partitions are looked at."""
    main, computation = _checked(frame, steps, None)
    meta = SortedTable(computation)(*_empty(frame, steps, main))
    return ShufflePlan(
        by=tuple(main.key.by),
        before=bytes_per_row(frame._meta),
        after=bytes_per_row(meta),
        partitions=buckets_for(frame, meta),
        meta=meta,
    )


def explain_move(frame: Any, steps: Sequence[EntityStep], order: str = "entity") -> str:
    """Tell how rows of a frame come together: what is moved, and into how many partitions."""
    frame = lazily(frame)
    if order == "input":
        group = _group(frame, steps, None)
        main, features = group.main, group.features
        needed = bytes_per_row(frame._meta[list(main.columns)])
        moved = (
            f"{needed} bytes of a row are moved by a hash of {' and '.join(main.key.by)}, and its "
            f"{bytes_per_row(features)} bytes of features come back"
        )
    else:
        found = plan_shuffle(frame, steps)
        main, features = _checked(frame, steps, None)[0], found.meta[_features(steps)]
        moved = (
            f"{_counted(frame.npartitions, 'partition')} of {found.before} bytes a row into "
            f"{found.partitions} of {found.after}, by a hash of {' and '.join(found.by)} and then "
            "by time; an entity with more rows than a partition has is cut in time, with "
            f"{told_history(_history(steps))} before each cut"
        )
    alone = not _others(steps, main.key)
    strategy = choose_strategy(main, features, order, None, alone=alone)
    if strategy.layout is not None:
        return strategy.told
    told = strategy.told
    if order == "entity":
        in_place = choose_strategy(main, features, "input", None, alone=alone)
        told = f"with order='input', {in_place.told}" if in_place.layout is not None else ""
    return f"{moved}; {told}" if told else moved


def _group(frame: Any, steps: Sequence[EntityStep], history: Any) -> Group:
    main, computation = _checked(frame, steps, history)
    others = _others(steps, main.key)
    features = computation.in_order(*_empty(frame, steps, main)).frame()
    alone = history is None and not others
    layout = choose_strategy(main, features, "input", None, alone=alone).layout
    return Group(main, computation, features, layout, tuple(others))


def _checked(frame: Any, steps: Sequence[EntityStep], history: Any) -> tuple[Source, Computation]:
    """Return what is looked at of a frame with the columns that steps need, and what computes."""
    for step in steps:
        step.check(frame._meta)
    time = steps[0].time
    kinds = [frame._meta[time].dtype, *(kind for step in steps for kind in step.other_times())]
    kinds += [] if history is None else [history._meta[time].dtype]
    key = EntityKey(steps[0].entity, time, unit_of(*kinds))
    tables = tuple(len(step.other_times()) for step in steps)
    columns = tuple(dict.fromkeys(name for step in steps for name in step.required_columns))
    if history is not None:
        _check_alike(frame._meta, history._meta, columns)
    main = Source(frame, key, columns, in_whole_units(_history(steps), key.unit))
    return main, Computation(tuple(step.for_workers() for step in steps), tables, key)


def _empty(frame: Any, steps: Sequence[EntityStep], main: Source) -> list[Gathered]:
    """Return what steps are given, without rows."""
    rows = Rows.of(frame._meta)
    beside = [Rows.of(each.frame._meta, each.columns) for each in _others(steps, main.key)]
    return [Gathered(rows, rows.select(main.columns)), *(Gathered(rows, each) for each in beside)]


def _others(steps: Sequence[EntityStep], key: EntityKey) -> list[Source]:
    return [other for step in steps for other in step.others(key.unit)]


def _features(steps: Sequence[EntityStep]) -> list[str]:
    return [name for step in steps for name in step.get_feature_names_out()]


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
