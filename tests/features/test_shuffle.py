from itertools import pairwise

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.features import sorted_rows
from dmlkit.features.entity_key import EntityKey
from dmlkit.features.hashing import hash_values
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import Gathered, Source, buckets_for, shuffle_by_entity
from dmlkit.features.sorted_rows import SortedRows
from tests.features.conftest import KINDS, entities, payments


def own_rows(gathered: Gathered) -> pd.DataFrame:
    return gathered.rows.frame()


def context_times(gathered: Gathered) -> pd.DataFrame:
    return gathered.context.frame()[["time"]]


def shuffle(frame: dd.DataFrame, by: str, buckets: int) -> dd.DataFrame:
    key = EntityKey((by,), "time", "us")
    return shuffle_by_entity(Source(frame, key, [by, "time"], 0), buckets, own_rows, frame._meta)


def shuffled(table: pd.DataFrame, by: str, inputs: int, buckets: int) -> list[pd.DataFrame]:
    """Return the rows of each bucket."""
    result = shuffle(dd.from_pandas(table, npartitions=inputs, sort=False), by, buckets)
    return [part.compute(scheduler="sync") for part in result.partitions]


def sorted_by(table: pd.DataFrame, by: str) -> tuple[pd.DataFrame, SortedRows]:
    rows = SortedRows(Rows.of(table), EntityKey((by,), "time", "us"))
    return rows.rows.frame(), rows


def rows_of(table: pd.DataFrame) -> list[tuple]:
    return sorted(table.astype(str).itertuples(index=False, name=None))


@pytest.mark.parametrize("by", ["card", "terminal", "amount", "booked"])
def test_each_value_is_in_one_bucket_and_no_row_is_lost(by):
    table = payments()
    buckets = shuffled(table, by, 5, 4)
    values = [value for bucket in buckets for value in bucket[by].dropna().unique()]
    assert len(values) == table[by].nunique()
    assert rows_of(pd.concat(buckets)) == rows_of(table)


@pytest.mark.parametrize("by", ["country", "online"])
def test_a_value_with_more_rows_than_a_bucket_is_cut_in_time(by):
    table = payments().dropna(subset="time")
    buckets = shuffled(table, by, 5, 8)
    assert rows_of(pd.concat(buckets)) == rows_of(table)
    assert max(map(len, buckets)) < 100
    for value in table[by].unique():
        of_value = [bucket["time"][bucket[by] == value] for bucket in buckets]
        ends = [(times.min(), times.max()) for times in of_value if len(times)]
        assert all(end < begin for (_, end), (begin, _) in pairwise(ends))


def test_rows_without_an_entity_are_spread_by_their_time():
    table = payments().assign(card=pd.array([None] * 500, dtype="Int64"))
    sizes = [len(bucket) for bucket in shuffled(table, "card", 3, 4)]
    assert min(sizes) > 50


def test_many_pieces_cost_few_layers():
    frame = dd.from_pandas(payments(), npartitions=64)
    result = shuffle(frame, "card", 64)
    assert result.npartitions == 64
    assert len(result.to_delayed()[0].dask.layers) < 8


def test_of_a_history_only_what_features_look_back_on_is_moved():
    day = 86_400_000_000
    table = payments().dropna(subset="time")
    new, old = table["time"] >= "2025-02-20", table["time"] < "2025-02-20"
    new, old = (dd.from_pandas(table[rows], npartitions=3, sort=False) for rows in (new, old))
    source = Source(new, EntityKey(("card",), "time", "us"), ["card", "time"], 5 * day)
    seen = shuffle_by_entity(source, 4, context_times, new._meta[["time"]], history=old)
    expected = table["time"][(table["time"] < "2025-02-20") & (table["time"] > "2025-02-15")]
    found = seen.compute(scheduler="sync")["time"]
    assert sorted(found) == sorted(expected)


def test_very_many_pieces_are_exchanged_in_two_steps():
    frame = dd.from_pandas(payments(2000), npartitions=400)
    result = shuffle(frame, "card", 400)
    assert len(result.dask) < 400 * 400 / 4
    assert rows_of(result.compute(scheduler="sync")) == rows_of(payments(2000))


def test_buckets_grow_with_what_a_row_gains():
    frame = dd.from_pandas(pd.DataFrame({"a": np.zeros(10), "b": np.zeros(10)}), npartitions=5)
    wider = pd.DataFrame({name: np.zeros(0) for name in "abcd"})
    assert buckets_for(frame, frame._meta) == 5
    assert buckets_for(frame, wider) == 10


@pytest.mark.parametrize("ordered", [False, True])
def test_known_categories_stay_as_they_are(ordered):
    levels = pd.CategoricalDtype(["NL", "BE", "FR"], ordered=ordered)
    table = payments().assign(country=lambda table: table["country"].astype(levels))
    assert {bucket["country"].dtype for bucket in shuffled(table, "card", 3, 4)} == {levels}


def test_categories_that_differ_between_partitions_are_united():
    table = payments().astype({"country": "str"})
    parts = [
        dask.delayed(table[table["country"] == country].astype({"country": "category"}))
        for country in ("NL", "BE", "FR")
    ]
    frame = dd.from_delayed(parts, meta=payments().head(0), verify_meta=False)
    result = shuffle(frame, "country", 1).compute()
    assert result["country"].cat.categories.tolist() == ["BE", "FR", "NL"]
    assert rows_of(result) == rows_of(table)


# Hashes


@pytest.mark.parametrize("kind", KINDS)
def test_hashes_are_of_values_and_not_of_dtypes(kind):
    numbers = [3, 1, 2, 3, 1]
    same_kind = "int64" if kind in ("int8", "Int64", "float64") else kind
    plain = "str" if kind == "category" else same_kind
    found = hash_values(entities(numbers, kind))
    assert found.tolist() == hash_values(entities(numbers, plain)).tolist()
    assert len(set(found.tolist())) == 3


def test_texts_hash_alike_however_they_are_stored():
    texts = pd.Series(["", "a", "ü", None, "a" * 100], dtype="str")
    kinds = ["object", "string[python]", "string[pyarrow]", "category"]
    for kind in kinds:
        assert hash_values(texts.astype(kind))[[0, 1, 2, 4]].tolist() == (
            hash_values(texts)[[0, 1, 2, 4]].tolist()
        )
    part = texts.iloc[1:3]
    assert hash_values(part).tolist() == hash_values(texts)[1:3].tolist()


def test_zeros_of_both_signs_are_one_value():
    found = hash_values(pd.Series([0.0, -0.0]))
    assert found[0] == found[1]


def test_a_million_numbers_have_a_million_hashes_spread_evenly():
    hashes = hash_values(pd.Series(np.arange(1_000_000)))
    assert len(np.unique(hashes)) == 1_000_000
    sizes = np.bincount((hashes >> np.uint64(60)).astype(np.int64))
    assert sizes.min() > 60_000


# Order


@pytest.mark.parametrize("by", ["card", "terminal", "country", "amount"])
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_depends_on_the_rows_alone(by, seed):
    table = payments(seed=seed)
    table = pd.concat([table, table.head(50)])
    expected_rows, expected = sorted_by(table, by)
    found_rows, found = sorted_by(table.sample(frac=1, random_state=seed), by)
    pd.testing.assert_frame_equal(found_rows, expected_rows)
    assert found.codes.tolist() == expected.codes.tolist()
    assert found.times.tolist() == expected.times.tolist()


def test_rows_are_in_the_order_of_hashes_so_that_buckets_join_in_order():
    _, rows = sorted_by(payments(), "terminal")
    hashes, _ = rows.key.of(rows.rows)
    assert (hashes[1:] >= hashes[:-1]).all()


def test_ties_are_decided_by_any_kind_of_column():
    columns = {
        "text": pd.array(["b", "a"] * 2, dtype="str"),
        "level": pd.Categorical(["b", "a"] * 2, categories=["b", "a"]),
        "whole": pd.array([2, None] * 2, dtype="Int64"),
        "zone": pd.to_datetime(["2025-01-02", None] * 2).tz_localize("Asia/Tokyo"),
        "list": pd.Series([[2], [1]] * 2),
    }
    for name, values in columns.items():
        table = pd.DataFrame({"card": 1, "time": pd.Timestamp("2025-01-01"), name: values})
        found, turned = (
            list(map(str, sorted_by(rows, "card")[0][name])) for rows in (table, table[::-1])
        )
        assert found == turned
        assert found[0] == found[1]


def test_entities_whose_hashes_collide_stay_apart(monkeypatch):
    monkeypatch.setattr(sorted_rows, "hash_values", lambda values: np.zeros(len(values), "uint64"))
    table = payments().dropna()
    expected, _ = sorted_by(table, "terminal")
    found_rows, found = sorted_by(table.sample(frac=1, random_state=1), "terminal")
    pd.testing.assert_frame_equal(found_rows, expected)
    assert len(np.unique(found.codes)) == table["terminal"].nunique()
    assert (np.diff(found.codes) >= 0).all()
