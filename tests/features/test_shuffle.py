import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.features import sorted_rows
from dmlkit.features.hashing import hash_values
from dmlkit.features.shuffle import buckets_for, shuffle_by_entity
from dmlkit.features.sorted_rows import SortedRows, row_hashes
from tests.features.conftest import KINDS, entities, payments


def same(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def shuffled(table: pd.DataFrame, by: str, inputs: int, buckets: int) -> list[pd.DataFrame]:
    """Return the rows of each bucket."""
    frame = dd.from_pandas(table, npartitions=inputs, sort=False)
    result = shuffle_by_entity(frame, by, "time", buckets, same, frame._meta)
    return [part.compute(scheduler="sync") for part in result.partitions]


def rows_of(table: pd.DataFrame) -> list[tuple]:
    return sorted(table.astype(str).itertuples(index=False, name=None))


@pytest.mark.parametrize("by", ["card", "terminal", "country", "amount", "online", "booked"])
def test_each_value_is_in_one_bucket_and_no_row_is_lost(by):
    table = payments()
    buckets = shuffled(table, by, 5, 4)
    values = [value for bucket in buckets for value in bucket[by].dropna().unique()]
    assert len(values) == table[by].nunique()
    assert rows_of(pd.concat(buckets)) == rows_of(table)


def test_rows_without_an_entity_are_spread_by_their_time():
    table = payments().assign(card=pd.array([None] * 500, dtype="Int64"))
    sizes = [len(bucket) for bucket in shuffled(table, "card", 3, 4)]
    assert min(sizes) > 50


def test_many_pieces_cost_few_layers():
    frame = dd.from_pandas(payments(), npartitions=64)
    result = shuffle_by_entity(frame, "card", "time", 64, same, frame._meta)
    assert result.npartitions == 64
    assert len(result.to_delayed()[0].dask.layers) < 5


def test_buckets_grow_with_what_a_row_gains():
    frame = dd.from_pandas(pd.DataFrame({"a": np.zeros(10), "b": np.zeros(10)}), npartitions=5)
    wider = pd.DataFrame({name: np.zeros(0) for name in "abcd"})
    assert buckets_for(frame, frame._meta) == 5
    assert buckets_for(frame, wider) == 10


def test_buckets_do_not_get_so_many_that_the_scheduler_is_the_limit():
    frame = dd.from_pandas(pd.DataFrame({"a": np.zeros(1024)}), npartitions=1024)
    assert buckets_for(frame, frame._meta) == 64


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
    result = shuffle_by_entity(frame, "country", "time", 1, same, frame._meta).compute()
    assert result["country"].cat.categories.tolist() == ["BE", "FR", "NL"]
    assert rows_of(result) == rows_of(table)


# Hashes


@pytest.mark.parametrize("kind", KINDS)
def test_hashes_are_of_values_and_not_of_dtypes(kind):
    numbers = [3, 1, 2, 3, 1]
    same_kind = "int64" if kind in ("int8", "Int64") else kind
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
    expected = SortedRows(table, by, "time")
    found = SortedRows(table.sample(frac=1, random_state=seed), by, "time")
    pd.testing.assert_frame_equal(found.frame, expected.frame)
    assert found.codes.tolist() == expected.codes.tolist()
    assert found.times.tolist() == expected.times.tolist()


def test_rows_are_in_the_order_of_hashes_so_that_buckets_join_in_order():
    rows = SortedRows(payments(), "terminal", "time").frame
    hashes = row_hashes(rows["terminal"], rows["time"])
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
            list(map(str, SortedRows(rows, "card", "time").frame[name]))
            for rows in (table, table[::-1])
        )
        assert found == turned
        assert found[0] == found[1]


def test_entities_whose_hashes_collide_stay_apart(monkeypatch):
    monkeypatch.setattr(sorted_rows, "hash_values", lambda values: np.zeros(len(values), "uint64"))
    table = payments().dropna()
    expected = SortedRows(table, "terminal", "time")
    found = SortedRows(table.sample(frac=1, random_state=1), "terminal", "time")
    pd.testing.assert_frame_equal(found.frame, expected.frame)
    assert len(np.unique(found.codes)) == table["terminal"].nunique()
    assert (np.diff(found.codes) >= 0).all()
