from pathlib import Path
from uuid import uuid4

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.delayed import Delayed
from dask.order import order

from dmlkit import graph
from dmlkit.graph import partitions_of
from dmlkit.linear_model import Ridge
from dmlkit.metrics import f1_score
from dmlkit.model_selection import train_test_split


def remainders(number: int, divisor: int) -> list[list[int]]:
    """Split the numbers below `number` by their remainder."""
    return [list(range(each, number, divisor)) for each in range(divisor)]


def put_together(pieces: list[list[int]]) -> list[int]:
    return sorted(value for piece in pieces for value in piece)


def total_of(*values: int) -> int:
    return sum(values)


def largest(values: list[int], least: int) -> int:
    assert len(values) <= 3
    return max([*values, least])


def layers(result: Delayed) -> int:
    return len(result.dask.layers)


def test_each_partition_gets_its_own_value_and_what_is_for_all():
    doubled = graph.for_each(pow, [1, 2, 3], 2)
    assert [each.compute() for each in graph.for_each(divmod, doubled, 4)] == [
        (0, 1),
        (1, 0),
        (2, 1),
    ]


def test_one_task_takes_the_results_of_all():
    squares = graph.for_each(pow, [1, 2, 3], 2)
    assert graph.for_all(sum, squares, 100).compute() == 114


def test_results_are_added_up_in_a_tree_that_holds_a_few_at_a_time():
    parts = graph.for_each(abs, [-number for number in range(20)])
    assert graph.add_up(parts, largest, 5, fan_in=3).compute() == 19


def test_one_result_is_its_own_sum():
    parts = graph.for_each(abs, [-3])
    assert graph.add_up(parts, sum).compute() == 3


def test_exchange_brings_the_pieces_of_a_bucket_together():
    splits = graph.for_each(remainders, [7, 10], 3)
    buckets = graph.exchange(splits, 3, put_together)
    assert [bucket.compute() for bucket in buckets] == [
        [0, 0, 3, 3, 6, 6, 9],
        [1, 1, 4, 4, 7],
        [2, 2, 5, 5, 8],
    ]


def test_a_split_is_taken_apart_before_the_next_one_is_made():
    """So one that goes to disk need not be read once for each of its buckets."""
    splits = graph.for_each(remainders, list(range(20)), 5)
    buckets = graph.exchange(splits, 5, put_together)
    places = order(dict(buckets[0].dask))
    turn = {name: {} for name in ("remainders", "piece", "put_together")}
    for key, place in places.items():
        if isinstance(key, tuple) and (name := key[0].split("-")[0]) in turn:
            turn[name][key[1:]] = place
    made = sorted(turn["remainders"].values())
    for (split,), since in turn["remainders"].items():
        later = next((place for place in made if place > since), min(turn["put_together"].values()))
        assert all(turn["piece"][split, bucket] < later for bucket in range(5))


def test_a_step_is_one_layer_however_many_its_pieces():
    splits = graph.for_each(remainders, list(range(200)), 100)
    buckets = graph.exchange(splits, 100, put_together)
    assert [layers(splits[0]), layers(buckets[0])] == [1, 2]
    assert len(buckets[0].dask) == 200 + 200 * (100 + 1) + 1 + 100
    assert all(bucket.dask is buckets[0].dask for bucket in buckets)


@pytest.mark.parametrize(("partitions", "buckets"), [(1, 1), (2, 1), (7, 4), (64, 32), (1000, 128)])
def test_there_are_half_as_many_buckets_as_partitions_up_to_a_limit(partitions, buckets):
    assert graph.bucket_count(partitions) == buckets


def test_steps_run_on_a_cluster(client):
    splits = graph.for_each(remainders, list(range(10)), 4)
    sums = graph.for_each(sum, graph.exchange(splits, 4, put_together))
    assert graph.for_all(sum, sums).compute() == sum(sum(range(each)) for each in range(10))


def test_values_that_are_delayed_by_themselves_are_all_there():
    for _ in range(50):  # their graphs come and go, and addresses with them
        values = [[dask.delayed(number, name=f"value-{uuid4()}")] for number in range(6)]
        assert graph.for_each(total_of, *values)[0].compute(scheduler="sync") == 15


@pytest.fixture
def small_files(tmp_path: Path) -> dd.DataFrame:
    """A table of twenty files, of which Dask reads several at once where a column is asked for."""
    numbers = np.arange(1_000.0)
    frame = pd.DataFrame({f"x{each}": np.roll(numbers, each) for each in range(20)})
    frame["label"] = (frame["x3"] > 500).astype(int)
    dd.from_pandas(frame, npartitions=20).to_parquet(tmp_path)
    return dd.read_parquet(tmp_path)


@pytest.mark.usefixtures("in_this_process")
def test_partitions_stay_apart_where_dask_would_read_several_files_as_one(small_files) -> None:
    label, table = small_files["label"], small_files.drop(columns="label")
    assert len(label.to_delayed()) < 20  # else there is nothing to show here
    lengths = [list(map(len, dask.compute(*partitions_of(each)))) for each in (label, table)]
    assert lengths == [[50] * 20] * 2
    fitted = Ridge().fit(table, label)
    here = Ridge().fit(table.compute(), label.compute())
    np.testing.assert_allclose(fitted.coef_, here.coef_, rtol=0, atol=1e-12)
    assert f1_score(label, small_files["x3"] > 500) == 1.0
    X_train, _, y_train, _ = train_test_split(table, label, stratify=label)
    assert ((X_train["x3"] > 500).compute().astype(int) == y_train.compute()).all()
