from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
from dask import delayed
from distributed import Client

from dmlkit import read_table, write_table
from dmlkit.chains import chained
from dmlkit.graph import for_all, for_each


def noted(notes: list[Any], value: int) -> int:
    notes.append(value)
    return value + 1


def test_what_only_the_next_task_needs_is_made_in_it():
    results = for_each(abs, for_each(abs, for_each(abs, [-1, -2])))
    joined = chained(results)
    assert [each.key for each in joined] == [each.key for each in results]
    assert set(joined[0].dask) == {each.key for each in results}
    assert dask.compute(joined)[0] == [1, 2]


def test_what_several_tasks_need_is_made_once():
    notes: list[int] = []
    (first,) = for_each(partial(noted, notes), [5])
    assert dask.compute(chained([for_all(sum, [first, first]), for_all(abs, first)]))[0] == [12, 6]
    assert notes == [5]


def test_a_result_that_is_asked_for_stays_a_task():
    inner = for_each(abs, [-3])
    outer = for_each(pow, inner, 2)
    assert dask.compute(chained([*outer, *inner]))[0] == [9, 3]


def test_nothing_asked_for_is_nothing():
    assert chained([]) == []


def test_frames_made_of_delayed_values_are_chained_on():
    parts = [delayed(pd.DataFrame)({"x": [number]}) for number in (1, 2)]
    frame = dd.from_delayed(parts, meta=pd.DataFrame({"x": [0]}))
    sizes = chained(for_each(len, (frame + 1).optimize().to_delayed(optimize_graph=False)))
    assert len(sizes[0].dask) == len(sizes)
    assert dask.compute(sizes)[0] == [1, 1]


def test_a_table_that_workers_hold_is_written(client: Client, tmp_path: Path):
    held = dd.from_pandas(pd.DataFrame({"x": range(10)}), npartitions=3).persist()
    write_table(held.assign(y=held.x + held.x), tmp_path / "table")
    assert read_table(tmp_path / "table").y.sum().compute() == 90


def test_a_table_that_dask_shuffles_from_one_partition_is_written(client: Client, tmp_path: Path):
    table = dd.from_pandas(pd.DataFrame({"x": range(10)}), npartitions=1)
    assert write_table(table.shuffle("x", npartitions=2), tmp_path / "table").rows == 10
