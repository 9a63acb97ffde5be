"""What is the same for all formats; each has a file of its own beside this one."""

from pathlib import Path

import dask
import fsspec
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pandas.testing import assert_frame_equal

from dmlkit import Column, Schema, read_table
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError

TABLE = pd.DataFrame(
    {
        "id": range(100),
        "time": pd.date_range("2025-01-01", periods=100, freq="h", unit="us"),
        "city": ["Paris", "Wien"] * 50,
        "amount": [number / 4 for number in range(100)],
    }
)
SCHEMA = Schema(
    [
        Column("id", "int64"),
        Column("time", "datetime"),
        Column("city", "string"),
        Column("amount", "float64"),
    ],
    unique=["id"],
    time="time",
)
FORMATS = ["parquet", "csv", "csv.gz", "jsonl", "delta"]


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="sync"):
        yield


def write(folder, kind: str, table: pd.DataFrame = TABLE) -> str:
    """Write the table as two files."""
    folder.mkdir(exist_ok=True)
    for number, part in enumerate([table.iloc[:60], table.iloc[60:]]):
        path = folder / f"{number}.{kind}"
        if kind == "parquet":
            part.to_parquet(path, index=False)
        elif kind == "delta":
            content = pa.Table.from_pandas(part, preserve_index=False)
            write_deltalake(str(folder), content, mode="append")
        elif kind == "jsonl":
            part.to_json(path, orient="records", lines=True, date_format="iso")
        else:
            part.to_csv(path, index=False)
    return str(folder)


def read(path: str, **options) -> pd.DataFrame:
    frame = read_table(path, **options).compute().reset_index(drop=True)
    return frame.sort_values("id", ignore_index=True) if "id" in frame else frame


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("partition_bytes", [500, "1MiB"])
def test_a_checked_table_is_the_same_from_every_format(tmp_path, kind, partition_bytes):
    path = write(tmp_path / "t", kind)
    frame = read(path, schema=SCHEMA, partition_bytes=partition_bytes)
    assert_frame_equal(frame, TABLE)


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_and_filters_work_with_every_format(tmp_path, kind):
    path = write(tmp_path / "t", kind)
    filters = [("amount", ">=", 20.0), ("city", "in", ["Wien"])]
    expected = [number for number in range(80, 100) if number % 2]
    assert read(path, filters=filters, columns=["id"])["id"].tolist() == expected
    frame = read_table(path, schema=SCHEMA, filters=filters, columns=["city", "id"]).compute()
    assert list(frame.columns) == ["city", "id"]
    assert sorted(frame["id"]) == expected


@pytest.mark.parametrize("kind", FORMATS)
def test_filters_may_be_alternatives(tmp_path, kind):
    path = write(tmp_path / "t", kind)
    frame = read(path, filters=[[("id", "<", 2)], [("id", ">=", 98)]])
    assert frame["id"].tolist() == [0, 1, 98, 99]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_number_of_rows_is_the_same_however_it_is_asked_for(tmp_path, kind):
    frame = read_table(write(tmp_path / "t", kind), partition_bytes=1000)
    assert len(frame) == len(frame["city"]) == len(frame[["id", "city"]].compute()) == 100


@pytest.mark.parametrize("kind", FORMATS)
def test_a_column_that_is_not_there_names_table_and_nearest(tmp_path, kind):
    path = write(tmp_path / "t", kind)
    for options in (
        {"columns": ["amuont"]},
        {"filters": [("amuont", ">", 1)]},
        {"schema": Schema([Column("amuont", "float64")])},
        {"schema": SCHEMA, "columns": ["amuont"]},
    ):
        with pytest.raises(MissingColumnError, match=rf"'{path}' has .*\(nearest: 'amount'\)"):
            read_table(path, **options)


def test_text_is_of_arrow():
    with fsspec.open("memory://read/t.csv", "w") as file:
        file.write("a,b\n1,x\n")
    assert read_table("memory://read/t.csv")["b"].dtype.storage == "pyarrow"


@pytest.mark.parametrize("kind", ["parquet", "csv", "csv.gz", "jsonl"])
def test_any_file_system_that_fsspec_knows(tmp_path, kind):
    folder = write(tmp_path / "t", kind)
    filesystem = fsspec.filesystem("memory")
    filesystem.put(f"{folder}/", f"/formats-{kind}/", recursive=True)
    expected = read(folder)
    for path in (
        f"memory://formats-{kind}",
        f"file://{folder}",
        f"memory://formats-{kind}/*.{kind}",
    ):
        assert_frame_equal(read(path), expected)


def test_a_checked_table_without_quarantine_bears_no_bad_row(tmp_path):
    path = write(tmp_path / "t", "csv", pd.concat([TABLE, TABLE.tail(1)]))
    with pytest.raises(InputError, match=r"1 of 101 rows are bad \(0\.99%\)"):
        read_table(path, schema=SCHEMA)
    frame = read_table(path, schema=SCHEMA, quarantine=str(tmp_path / "bad"))
    assert len(frame) == 100


@pytest.mark.parametrize("filters", [["amount > 1"], [("amount", "~", 1)], "amount > 1"])
def test_filters_of_another_form_are_refused(tmp_path, filters):
    with pytest.raises(ConfigurationError, match="Give tuples such as"):
        read_table(write(tmp_path / "t", "csv"), filters=filters)


@pytest.mark.parametrize("size", [0, -1, "much"])
def test_a_partition_takes_some_memory(tmp_path, size):
    with pytest.raises(ConfigurationError, match="partition_bytes is"):
        read_table(write(tmp_path / "t", "csv"), partition_bytes=size)


def test_a_missing_column_is_told_with_those_of_the_file_and_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("card,amount\n1,2\n")
    with pytest.raises(MissingColumnError, match=r"Columns: card, amount\.\n"):
        read_table(str(tmp_path / "table.csv"), columns=["time"], as_text=True)
