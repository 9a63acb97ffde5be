"""Parquet files, through `read_table`."""

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dmlkit import read_table
from dmlkit.errors import InputError


@pytest.fixture(autouse=True)
def _in_this_thread(request):
    scheduler = {} if "client" in request.fixturenames else {"scheduler": "sync"}
    with dask.config.set(**scheduler):
        yield


def write(path: Path, columns: dict | pa.Table, **options) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, path, **options)
    return str(path)


def read(path, **options) -> pd.DataFrame:
    return read_table(path, **options).compute().reset_index(drop=True)


def test_partitions_are_whole_row_groups_in_order(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(1000)}, row_group_size=100)
    frame = read_table(path, partition_bytes=8 * 250)
    assert [len(part) for part in dask.compute(*frame.to_delayed())] == [200] * 5
    assert read(path, partition_bytes=2000)["a"].tolist() == list(range(1000))


def test_a_table_has_some_partitions_unless_they_would_be_small(tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", {"a": range(1000)}, row_group_size=10)
    assert read_table(path).npartitions == 1
    monkeypatch.setattr("dmlkit.tables.partition_size.SMALL", 100)
    assert 6 <= read_table(path).npartitions <= 8
    monkeypatch.setattr("dmlkit.tables.partition_size.LARGE", 400)
    assert read_table(path).npartitions == 20


@pytest.mark.parametrize(
    "glob", ["", "*", "day=2025-01-*", "day=2025-01-*/*.parquet", "day=2025-01-0?/*", "*/*.parquet"]
)
def test_folders_are_columns_whatever_part_of_their_names_a_glob_has(tmp_path, glob):
    for day in ("2025-01-01", "2025-01-02"):
        write(tmp_path / "h" / f"day={day}" / "x.parquet", {"a": [1]})
    assert read(f"{tmp_path}/h/{glob}")["day"].tolist() == ["2025-01-01", "2025-01-02"]


def test_a_row_group_larger_than_a_partition_is_one(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(1000)}, row_group_size=500)
    assert read_table(path, partition_bytes=1).npartitions == 2


def test_small_files_are_put_together(tmp_path):
    for number in range(50):
        write(tmp_path / f"{number:02d}.parquet", {"a": [number]})
    frame = read_table(tmp_path)
    assert frame.npartitions == 1
    assert frame["a"].compute().tolist() == list(range(50))


def memory(frame: pd.DataFrame) -> int:
    return int(frame.memory_usage(deep=True, index=False).sum())


@pytest.mark.parametrize(
    "values",
    [
        lambda rng, n: rng.integers(0, 2**40, n),
        lambda _rng, n: np.zeros(n),
        lambda rng, n: rng.choice(["a city with a long name", "another city with one"], n),
        lambda rng, n: [f"customer number {n}" for n in rng.integers(0, 10**9, n)],
        lambda rng, n: rng.integers(0, 2, n).astype(bool),
        lambda _rng, n: pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(n), unit="s"),
    ],
    ids=["numbers", "one number", "few texts", "many texts", "truth values", "times"],
)
def test_partitions_take_the_memory_that_was_asked_for(tmp_path, values):
    table = {"a": values(np.random.default_rng(0), 100_000), "other": ["x" * 50] * 100_000}
    path = write(tmp_path / "a.parquet", table, row_group_size=1000)
    frame = read_table(path, columns=["a"], partition_bytes=50_000)
    sizes = [memory(part) for part in dask.compute(*frame.to_delayed())]
    assert 25_000 <= np.mean(sizes[:-1]) <= 75_000


def test_only_columns_that_are_read_count(tmp_path):
    path = write(
        tmp_path / "a.parquet", {"a": range(1000), "wide": ["x" * 999] * 1000}, row_group_size=100
    )
    assert read_table(path, partition_bytes=50_000).npartitions == 10
    assert read_table(path, columns=["a"], partition_bytes=50_000).npartitions == 1


def test_filters_leave_out_row_groups_and_then_rows(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(1000), "b": range(1000)}, row_group_size=100)
    frame = read_table(path, filters=[("a", ">=", 850)], columns=["b"], partition_bytes=1)
    assert frame.npartitions == 2
    assert frame["b"].compute().tolist() == list(range(850, 1000))


def test_filters_that_no_row_meets_leave_a_table_without_rows(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(10), "b": ["x"] * 10})
    frame = read(path, filters=[("a", ">", 100)])
    assert (len(frame), list(frame.columns), str(frame["b"].dtype)) == (0, ["a", "b"], "str")


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1, None], pa.int64(), "Int64"),
        ([2**63, None], pa.uint64(), "UInt64"),
        ([1, 2], pa.uint8(), "uint8"),
        ([True, None], pa.bool_(), "boolean"),
        ([1.5, None], pa.float32(), "float32"),
        ([Decimal("1.50"), None], pa.decimal128(10, 2), "float64"),
        ([date(2025, 1, 1), None], pa.date32(), "datetime64[us]"),
        ([datetime(2025, 1, 1), None], pa.timestamp("ns"), "datetime64[ns]"),
        ([datetime(2025, 1, 1), None], pa.timestamp("ms"), "datetime64[ms]"),
        (
            [datetime(2025, 1, 1)],
            pa.timestamp("us", "Europe/Paris"),
            "datetime64[us, Europe/Paris]",
        ),
        (["a", None], pa.string(), "str"),
        (["a", None], pa.large_string(), "str"),
        ([None, None], pa.null(), "str"),
        ([[1, 2], None], pa.list_(pa.int64()), "object"),
        ([{"x": 1}, None], pa.struct([("x", pa.int64())]), "object"),
        ([time(12), None], pa.time32("s"), "object"),
    ],
)
def test_types_come_from_the_schema_in_every_partition(tmp_path, values, kind, dtype):
    for number, content in enumerate([values, values[:1], []]):
        write(tmp_path / f"{number}.parquet", {"a": pa.array(content, kind)})
    frame = read_table(tmp_path, partition_bytes=1)
    assert str(frame.dtypes["a"]) == dtype
    assert {str(part["a"].dtype) for part in dask.compute(*frame.to_delayed())} == {dtype}
    assert len(frame) == len(values) + 1


def test_dictionaries_become_text_that_partitions_agree_on(tmp_path):
    for number, words in enumerate([["a", "b"], ["c", None]]):
        write(tmp_path / f"{number}.parquet", {"a": pa.array(words).dictionary_encode()})
    frame = read(tmp_path, partition_bytes=1)
    assert str(frame["a"].dtype) == "str"
    assert frame["a"].tolist()[:3] == ["a", "b", "c"]


def test_large_whole_numbers_beside_missing_ones_keep_every_digit(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [2**53 + 1, None]})
    assert read(path)["a"][0] == 2**53 + 1


def test_a_column_may_have_a_dot_in_its_name(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [1, 2], "a.b": [1, None]})
    assert list(map(str, read(path).dtypes)) == ["int64", "Int64"]


def test_files_may_differ_in_the_order_of_columns_and_the_width_of_numbers(tmp_path):
    write(tmp_path / "1.parquet", {"a": pa.array([1], pa.int32()), "b": ["x"]})
    required = pa.schema([pa.field("b", pa.string()), pa.field("a", pa.int64(), nullable=False)])
    write(tmp_path / "2.parquet", pa.table({"b": ["y"], "a": [2**40]}, schema=required))
    for partition_bytes in (1, 1000):
        frame = read(tmp_path, partition_bytes=partition_bytes)
        assert frame["a"].tolist() == [1, 2**40]
        assert frame["b"].tolist() == ["x", "y"]


def test_files_with_other_columns_or_types_are_an_error_that_names_them(tmp_path):
    write(tmp_path / "1.parquet", {"a": [1], "b": ["x"]})
    write(tmp_path / "2.parquet", {"a": [1]})
    with pytest.raises(InputError, match=r"'b' is in '.*1\.parquet', but not in '.*2\.parquet'"):
        read_table(tmp_path)
    write(tmp_path / "2.parquet", {"a": ["one"], "b": ["x"]})
    with pytest.raises(InputError, match=r"'a' is int64 in '.*1\.parquet' but string in '.*2"):
        read_table(tmp_path)


def test_a_file_without_rows_has_columns(tmp_path):
    write(tmp_path / "1.parquet", {"a": pa.array([], pa.int64())})
    assert len(read(tmp_path)) == 0
    write(tmp_path / "2.parquet", {"a": [1, 2]})
    assert read(tmp_path)["a"].tolist() == [1, 2]


def damaged(path: str, start: int, stop: int) -> None:
    content = bytearray(Path(path).read_bytes())
    content[start:stop] = b"\xff" * (stop - start)
    Path(path).write_bytes(content)


def test_a_file_that_was_cut_short_is_an_error_at_once(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(1000)})
    Path(path).write_bytes(Path(path).read_bytes()[:-100])
    with pytest.raises(InputError, match=r"Cannot read '.*a\.parquet': .*\n.*cut short"):
        read_table(path)


def test_damage_that_shows_only_when_rows_are_read_names_the_file_through_a_cluster(
    tmp_path, client
):
    path = write(tmp_path / "a.parquet", {"a": np.random.default_rng(0).random(10_000)})
    damaged(path, 4, 5000)
    frame = read_table(path)
    with pytest.raises(InputError, match=r"Cannot read '.*a\.parquet'"):
        frame.compute()


def test_folders_hold_the_values_of_columns(tmp_path):
    for day, shop in [("1", "a b"), ("2", "__HIVE_DEFAULT_PARTITION__")]:
        write(
            tmp_path / f"day={day}" / f"shop={shop.replace(' ', '%20')}" / "x.parquet", {"a": [5]}
        )
    frame = read(tmp_path)
    assert frame["day"].tolist() == [1, 2]
    assert frame["shop"][0] == "a b"
    assert pd.isna(frame["shop"][1])
    assert read(tmp_path, columns=["shop"], filters=[("day", "=", 1)])["shop"].tolist() == ["a b"]


def test_folders_of_another_kind_are_an_error(tmp_path):
    write(tmp_path / "day=1" / "x.parquet", {"a": [5]})
    write(tmp_path / "x.parquet", {"a": [5]})
    with pytest.raises(InputError, match="folders of the same kind"):
        read_table(tmp_path)
