"""Writing tables: what they hold, folders by value, modes, writers at the same time."""

import threading
from datetime import date

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pandas.testing import assert_frame_equal

from dmlkit.errors import InputError, MissingColumnError, OutputError
from dmlkit.tables import publish, read_table, vacuum_table
from dmlkit.tables.publish import write_table
from tests.tables.written import LETTERS, files_on_disk, lazy, rows

pytestmark = pytest.mark.usefixtures("no_cluster_unless_asked")


# What is written


def test_a_table_holds_the_frames_rows(path):
    written = write_table(lazy(LETTERS), path)
    assert_frame_equal(rows(path), LETTERS)
    files = [file for file in files_on_disk(path) if file.endswith(".parquet")]
    size = sum((path / file).stat().st_size for file in files)
    assert written == publish.WrittenTable(str(path), 20, size, 3, 0)
    assert len(files) == 3


@pytest.mark.parametrize("partitions", [1, 7, 64])
def test_files_sort_as_the_partitions_do(path, partitions):
    frame = pd.DataFrame({"number": range(640)})
    write_table(lazy(frame, partitions), path)
    write_table(lazy(frame + 640, partitions), path, mode="append")
    in_order = [pd.read_parquet(file) for file in sorted(path.glob("*.parquet"))]
    assert pd.concat(in_order).number.tolist() == list(range(1280))


def test_plain_parquet_readers_can_read_the_folder(path):
    write_table(lazy(LETTERS), path)
    read = pd.read_parquet(path).sort_values("number").reset_index(drop=True)
    assert_frame_equal(read, LETTERS)


def test_dmlkit_reads_what_it_wrote(path):
    write_table(lazy(LETTERS), path)
    assert_frame_equal(read_table(path).compute().reset_index(drop=True), LETTERS)


@pytest.mark.parametrize(
    "name", ["100%", "a%2", "with space", "ünï日", "a+b&c=d;e", "a:b", "{x}'\"~@"]
)
def test_a_path_with_signs_in_it_holds_a_table(tmp_path, name):
    path = tmp_path / name
    write_table(LETTERS, path)
    write_table(LETTERS, path, mode="append", new_columns=True)
    write_table(LETTERS[:3], path, mode="overwrite")
    assert [read_table(path, version=v).number.size.compute() for v in (0, 1, None)] == [20, 40, 3]
    assert len(vacuum_table(path, older_than="0h")) == 2
    assert_frame_equal(read_table(path).compute(), LETTERS[:3])
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_each_type_comes_back_as_delta_lake_holds_it(path):
    frame = pd.DataFrame(
        {
            "order": [0, 1],
            "small": np.array([1, -1], "int8"),
            "unsigned": np.array([1, 2**32 - 1], "uint32"),
            "nullable": pd.array([1, None], "Int64"),
            "missing": [1.5, np.nan],
            "half": np.array([0.5, 2], "float16"),
            "truth": [True, False],
            "nanoseconds": pd.to_datetime(["2025-01-01 00:00:00.123456789", None]),
            "zone": pd.to_datetime(["2025-06-01 12:00", None]).tz_localize("Europe/Brussels"),
            "category": pd.Categorical(["x", None]),
            "text": ["ä", None],
            "object": pd.Series(["o", None], dtype=object),
            "day": pd.Series([date(2025, 1, 1), None], dtype=pd.ArrowDtype(pa.date32())),
        }
    )
    write_table(lazy(frame, 1), path)
    table = DeltaTable(path).to_pyarrow_table()
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "order": "int64",
        "small": "int8",
        "unsigned": "int64",
        "nullable": "int64",
        "missing": "double",
        "half": "float",
        "truth": "bool",
        "nanoseconds": "timestamp[us]",
        "zone": "timestamp[us, tz=UTC]",
        "category": "string",
        "text": "string",
        "object": "string",
        "day": "date32[day]",
    }
    first, second = table.to_pylist()
    assert first["unsigned"] == 1
    assert second["unsigned"] == 2**32 - 1
    assert first["nanoseconds"] == pd.Timestamp("2025-01-01 00:00:00.123456")
    assert first["zone"] == pd.Timestamp("2025-06-01 10:00", tz="UTC")
    assert [first[name] for name in ("category", "text", "object")] == ["x", "ä", "o"]
    known = {"order", "small", "unsigned", "half", "truth"}
    assert {name for name, value in second.items() if value is None} == set(kinds) - known


def test_empty_partitions_leave_no_files(path):
    frame = lazy(LETTERS, 5)
    written = write_table(frame[frame.number >= 16], path)
    assert (written.rows, written.files) == (4, 1)
    assert rows(path).number.tolist() == [16, 17, 18, 19]


@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
def test_an_empty_frame_makes_a_table_of_no_rows(path, mode):
    frame = lazy(LETTERS)
    written = write_table(frame[frame.number < 0], path, mode=mode)
    assert (written.rows, written.files, written.version) == (0, 0, 0)
    assert rows(path).columns.tolist() == ["number", "letter"]
    assert len(rows(path)) == 0


def test_appending_nothing_makes_no_version(path):
    frame = lazy(LETTERS)
    write_table(frame, path)
    assert write_table(frame[frame.number < 0], path, mode="append").version == 0


def test_a_named_index_becomes_a_column_and_another_is_left_out(path):
    write_table(lazy(LETTERS.set_index("number")), path)
    assert_frame_equal(rows(path), LETTERS)


def test_a_pandas_frame_can_be_written(path):
    assert write_table(LETTERS, str(path)).files == 1


def test_files_that_dask_reads_together_are_numbered_all(path, tmp_path):
    # Dask puts small columns of several files together when it optimises.
    wide = pd.DataFrame({f"c{i}": np.arange(1000.0) for i in range(20)})
    dd.from_pandas(wide, npartitions=10).to_parquet(tmp_path / "source")
    source = dd.read_parquet(tmp_path / "source")[["c3"]]
    assert write_table(source, path).rows == 1000
    assert rows(path).c3.sum() == np.arange(1000.0).sum()


def test_statistics_let_readers_leave_files_out(path):
    frame = LETTERS.assign(
        when=pd.date_range("2025-01-01", periods=20, freq="h"),
        zone=pd.date_range("2025-01-01", periods=20, freq="h", tz="Asia/Tokyo"),
        gap=pd.Series(range(20), dtype="float").where(lambda value: value % 2 == 0),
        nothing=np.nan,
        truth=[True, False] * 10,
        long=[chr(97 + i) * 100 for i in range(20)],
    )
    write_table(lazy(frame, 4), path)
    found = pa.table(DeltaTable(path).get_add_actions(flatten=True)).to_pandas()
    found = found.sort_values("path")
    assert found["num_records"].tolist() == [5, 5, 5, 5]
    assert found["min.number"].tolist() == [0, 5, 10, 15]
    assert found["max.number"].tolist() == [4, 9, 14, 19]
    assert found["null_count.gap"].tolist() == [2, 3, 2, 3]
    assert found["max.letter"].tolist() == ["e", "j", "e", "j"]
    assert found["min.zone"].iloc[0] == pd.Timestamp("2024-12-31 15:00", tz="UTC")
    assert found["min.long"].tolist() == [letter * 64 for letter in "afkp"]
    assert found["max.long"].tolist() == [letter * 63 + chr(ord(letter) + 1) for letter in "ejot"]


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("number", ">=", 19, [19]),
        ("when", ">=", pd.Timestamp("2025-01-01 19:00"), [19]),
        ("endless", ">", 18.0, [19]),
        ("truth", "==", True, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]),
        ("long", "==", "t" * 100, [19]),
        ("gap", ">", 17.0, [18]),
    ],
)
@pytest.mark.parametrize("partitions", [1, 4, 20])
def test_filters_find_all_rows(path, partitions, column, operator, value, expected):
    frame = LETTERS.assign(
        when=pd.date_range("2025-01-01", periods=20, freq="h"),
        gap=pd.Series(range(20), dtype="float").where(lambda value: value % 2 == 0),
        endless=[-np.inf, *range(18), np.inf],
        truth=[True, False] * 10,
        long=[chr(97 + i) * 100 for i in range(20)],
        nothing=np.nan,
    )
    write_table(lazy(frame, partitions), path)
    found = DeltaTable(path).to_pyarrow_table(filters=[(column, operator, value)])
    assert sorted(found["number"].to_pylist()) == expected


# Folders by value


def test_values_become_folders(path):
    frame = pd.DataFrame(
        {
            "number": range(6),
            "shop": ["a b", "ä/%", None, "a b", "x=y", "ä/%"],
            "open": [True, False, True, True, False, False],
            "year": [2024, 2025, 2025, 2024, 2025, 2025],
        }
    )
    written = write_table(lazy(frame, 2), path, partition_by=["shop", "open", "year"])
    assert written.files == 6
    assert DeltaTable(path).metadata().partition_columns == ["shop", "open", "year"]
    read = rows(path)[frame.columns]
    assert read.to_dict("list") == frame.to_dict("list")
    only = DeltaTable(path).to_pyarrow_table(partitions=[("shop", "=", "a b")])
    assert sorted(only["number"].to_pylist()) == [0, 3]


def test_dates_can_be_folders(path):
    days = pd.Series([date(2025, 1, 1), date(2025, 1, 2)] * 10, dtype=pd.ArrowDtype(pa.date32()))
    write_table(lazy(LETTERS.assign(day=days)), path, partition_by="day")
    assert (path / "day=2025-01-02").is_dir()
    assert rows(path).day.tolist() == days.tolist()


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ("leter", MissingColumnError, "no column 'leter' .nearest: 'letter'"),
        ("amount", InputError, "Cannot partition by 'amount', which is double"),
        (["number", "letter", "amount"], InputError, "Cannot partition by 'amount'"),
    ],
)
def test_columns_that_cannot_be_folders_are_named(path, keys, error, message):
    with pytest.raises(error, match=message):
        write_table(lazy(LETTERS.assign(amount=0.5)), path, partition_by=keys)
    assert not path.exists()


def test_partitioning_by_all_columns_is_refused(path):
    with pytest.raises(InputError, match="names all columns"):
        write_table(lazy(LETTERS), path, partition_by=["number", "letter"])


def test_a_folder_for_each_row_is_refused(path):
    many = pd.DataFrame({"card": range(10_001), "amount": 1.0})
    with pytest.raises(InputError, match="10,001 distinct values of card"):
        write_table(many, path, partition_by="card")


# Modes


def test_an_existing_table_is_not_touched_unless_asked(path):
    write_table(lazy(LETTERS), path)
    before = files_on_disk(path)
    with pytest.raises(OutputError, match=r"Pass mode='append' .* mode='overwrite'"):
        write_table(lazy(LETTERS), path)
    assert files_on_disk(path) == before


def test_append_adds_rows(path):
    write_table(lazy(LETTERS), path, mode="append")
    # The order of the columns doesn't matter.
    more = (LETTERS.assign(number=LETTERS.number + 20))[["letter", "number"]]
    assert write_table(lazy(more), path, mode="append").version == 1
    assert rows(path).number.tolist() == list(range(40))


def test_append_names_the_columns_that_differ(path):
    write_table(lazy(LETTERS), path)
    other = LETTERS.astype({"number": "float"}).rename(columns={"letter": "text"})
    message = "'text' is not in the table; 'letter' is missing; 'number' is long .* double"
    with pytest.raises(InputError, match=message):
        write_table(lazy(other), path, mode="append")
    with pytest.raises(InputError, match=r"has partition_by=\[\]: pass the same"):
        write_table(lazy(LETTERS), path, mode="append", partition_by="letter")


def test_overwrite_replaces_rows_columns_and_folders(path):
    write_table(lazy(LETTERS), path, partition_by="letter")
    other = pd.DataFrame({"when": pd.date_range("2025", periods=3, unit="us"), "amount": 1.5})
    assert write_table(lazy(other, 1), path, mode="overwrite").version == 1
    assert_frame_equal(rows(path), other)


def test_a_reader_keeps_the_version_it_has_opened(path):
    write_table(lazy(LETTERS), path)
    reader = DeltaTable(path)
    write_table(lazy(LETTERS.head(1)), path, mode="overwrite")
    assert len(reader.to_pyarrow_table()) == 20
    assert len(rows(path)) == 1


def test_a_table_can_be_overwritten_by_what_is_computed_from_it(path):
    write_table(lazy(LETTERS), path)
    table = read_table(path)
    write_table(table[table.number >= 10], path, mode="overwrite")
    assert rows(path).number.tolist() == list(range(10, 20))


def in_threads(actions) -> list[BaseException]:
    """Run actions at the same time; return what they raised."""
    start, errors = threading.Barrier(len(actions)), []

    def run(action):
        start.wait()
        try:
            action()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("exists", [True, False])
def test_of_appends_at_the_same_time_all_are_kept(path, exists):
    if exists:
        write_table(lazy(LETTERS[:0]), path)
    parts = [LETTERS[start : start + 5] for start in (0, 5, 10, 15)]
    errors = in_threads(
        [lambda part=part: write_table(lazy(part, 1), path, mode="append") for part in parts]
    )
    assert errors == []
    assert_frame_equal(rows(path), LETTERS)


def test_of_overwrites_at_the_same_time_one_is_the_table(path):
    write_table(lazy(LETTERS), path)
    parts = [LETTERS[:5], LETTERS[5:15], LETTERS[15:]]
    errors = in_threads(
        [lambda part=part: write_table(lazy(part, 1), path, mode="overwrite") for part in parts]
    )
    assert errors == []
    assert len(rows(path)) in (5, 10)
    assert DeltaTable(path).version() == 3


def test_appends_never_meet_the_columns_of_an_overwrite_at_the_same_time(path):
    write_table(lazy(LETTERS), path)
    other = pd.DataFrame({"amount": [1.5]})
    errors = in_threads(
        [
            lambda: write_table(other, path, mode="overwrite"),
            lambda: write_table(lazy(LETTERS), path, mode="append"),
            lambda: write_table(lazy(LETTERS), path, mode="append"),
        ]
    )
    assert {type(error) for error in errors} <= {InputError}
    assert_frame_equal(rows(path), other)


def test_of_first_writes_at_the_same_time_one_is_the_table(path):
    errors = in_threads([lambda: write_table(lazy(LETTERS, 1), path) for _ in range(3)])
    assert [type(error) for error in errors] == [OutputError, OutputError]
    assert_frame_equal(rows(path), LETTERS)
    assert len(list(path.glob("part-*"))) == 1
