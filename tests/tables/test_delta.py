"""Delta Lake tables, through `read_table`."""

from datetime import date

import dask
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from dmlkit import read_table
from dmlkit.errors import InputError


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="sync"):
        yield


def read(path, **options) -> pd.DataFrame:
    return read_table(str(path), **options).compute()


def write(path, columns: dict, **options) -> None:
    write_deltalake(str(path), pa.table(columns), **options)


def test_the_newest_version_is_read(tmp_path):
    write(tmp_path, {"a": [1, 2]})
    write(tmp_path, {"a": [3]}, mode="overwrite")
    assert read(tmp_path)["a"].tolist() == [3]
    assert read(f"file://{tmp_path}")["a"].tolist() == [3]


def test_rows_that_were_deleted_are_gone(tmp_path):
    write(tmp_path, {"a": [1, 2, 3]})
    DeltaTable(tmp_path).delete("a = 2")
    assert sorted(read(tmp_path)["a"]) == [1, 3]


def test_a_table_without_rows_has_columns(tmp_path):
    write(tmp_path, {"a": [1], "b": ["x"]})
    DeltaTable(tmp_path).delete()
    frame = read(tmp_path)
    assert (list(frame.columns), len(frame)) == (["a", "b"], 0)


@pytest.mark.parametrize("partition_bytes", [1, 10_000])
def test_columns_that_files_lie_apart_by_are_read_and_filtered(tmp_path, partition_bytes):
    days = [date(2025, 1, 1), date(2025, 1, 2), None]
    table = {"day": days, "shop": ["a b", "c/d", "e"], "a": [1, 2, 3]}
    write(tmp_path, table, partition_by=["day", "shop"])
    frame = read(tmp_path, partition_bytes=partition_bytes).sort_values("a")
    assert frame["shop"].tolist() == ["a b", "c/d", "e"]
    assert frame["day"].tolist()[:2] == [pd.Timestamp("2025-01-01"), pd.Timestamp("2025-01-02")]
    assert pd.isna(frame["day"].iloc[2])
    assert read(tmp_path, columns=["a"], filters=[("shop", "=", "c/d")])["a"].tolist() == [2]
    after = [("day", ">", date(2025, 1, 1)), ("a", ">", 0)]
    assert read(tmp_path, columns=["shop"], filters=after)["shop"].tolist() == ["c/d"]


def test_numbers_with_missing_values_in_one_file_are_nullable_in_all(tmp_path):
    write(tmp_path, {"a": [1]})
    write(tmp_path, {"a": pa.array([None], pa.int64())}, mode="append")
    frame = read_table(str(tmp_path), partition_bytes=1)
    assert {str(part["a"].dtype) for part in dask.compute(*frame.to_delayed())} == {"Int64"}


def test_a_file_that_is_gone_is_an_input_error(tmp_path):
    write(tmp_path, {"a": [1]})
    next(tmp_path.glob("*.parquet")).unlink()
    with pytest.raises(InputError, match=r"Cannot read '.*\.parquet'"):
        read(tmp_path)


def test_a_column_added_later_is_missing_in_earlier_rows(tmp_path):
    write(tmp_path, {"a": [1]})
    write(tmp_path, {"a": [2], "b": ["x"]}, mode="append", schema_mode="merge")
    frame = read(tmp_path).sort_values("a")
    assert frame["b"].fillna("none").tolist() == ["none", "x"]
    assert read(tmp_path, filters=[("b", "==", "x")])["a"].tolist() == [2]
