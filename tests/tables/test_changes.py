"""Changing a part of a table: some partitions written anew, columns that come later."""

import threading
from datetime import date

import pandas as pd
import pytest
from deltalake import DeltaTable

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.tables import publish
from dmlkit.tables.publish import write_table
from dmlkit.tables.read import read_table
from tests.tables.written import LETTERS, fail_at, files_on_disk, lazy, rows

pytestmark = pytest.mark.usefixtures("no_cluster_unless_asked")

SALES = pd.DataFrame(
    {
        "number": range(6),
        "shop": ["a b", "a b", "c/d", "c/d", None, None],
        "day": [date(2025, 1, 1), date(2025, 1, 2)] * 3,
    }
)
BOTH = {"mode": "overwrite_partitions", "partition_by": ["shop", "day"]}


def numbers(path) -> list[int]:
    return sorted(read_table(path).number.compute())


# Partitions


def test_partitions_that_the_frame_has_rows_of_are_replaced_and_no_others(path):
    write_table(lazy(SALES), path, partition_by=["shop", "day"])
    again = SALES[SALES.number.isin([1, 4])].assign(number=[101, 104])
    assert write_table(lazy(again, 2), path, **BOTH).version == 1
    assert numbers(path) == [0, 2, 3, 5, 101, 104]
    assert sorted(rows(path).number) == [0, 2, 3, 5, 101, 104]
    assert sorted(read_table(path, version=0).number.compute()) == list(range(6))


def test_without_a_table_all_is_written(path):
    write_table(lazy(SALES), path, **BOTH)
    assert numbers(path) == list(range(6))


def test_no_rows_replace_no_partition(path):
    write_table(lazy(SALES), path, partition_by=["shop", "day"])
    assert write_table(lazy(SALES.iloc[:0], 1), path, **BOTH).version == 0
    assert numbers(path) == list(range(6))


@pytest.mark.parametrize("keys", [{}, {"partition_by": "letter"}])
def test_partitions_must_be_those_of_the_table(path, keys):
    write_table(lazy(LETTERS), path)
    with pytest.raises((ConfigurationError, InputError), match="partition_by"):
        write_table(lazy(LETTERS), path, mode="overwrite_partitions", **keys)


def test_a_failed_write_of_partitions_leaves_the_table_and_the_disk_as_they_were(path):
    write_table(lazy(LETTERS), path, partition_by="letter")
    before = files_on_disk(path)
    broken = lazy(LETTERS, 10).map_partitions(fail_at(15, RuntimeError("lost")), meta=LETTERS)
    with pytest.raises(RuntimeError, match="lost"):
        write_table(broken, path, mode="overwrite_partitions", partition_by="letter")
    assert files_on_disk(path) == before
    assert_same_numbers(path)


def assert_same_numbers(path) -> None:
    assert numbers(path) == LETTERS.number.tolist()


def test_of_partitions_written_at_the_same_time_each_has_the_rows_of_one_writer(path, monkeypatch):
    write_table(lazy(SALES[:2]), path, partition_by="shop")
    both_looked, commit_files = threading.Barrier(2, timeout=30), publish.commit_files

    def commit_together(*arguments):
        both_looked.wait()
        return commit_files(*arguments)

    monkeypatch.setattr(publish, "commit_files", commit_together)

    def replace(number: int) -> None:
        # "new" is a partition that neither finds there.
        frame = pd.DataFrame({"number": number, "shop": ["new", "a b"], "day": SALES.day[:2]})
        write_table(lazy(frame, 1), path, mode="overwrite_partitions", partition_by="shop")

    writers = [threading.Thread(target=replace, args=(number,)) for number in (100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert numbers(path) in ([100, 100], [200, 200])
    assert DeltaTable(path).version() == 2


# Columns


def test_a_column_that_comes_later_is_empty_in_earlier_rows(path):
    write_table(lazy(LETTERS), path)
    later = pd.DataFrame({"number": [20], "amount": [1.5]})
    with pytest.raises(InputError, match=r"'amount' is not in.*'letter' is missing.*new_columns"):
        write_table(lazy(later, 1), path, mode="append")
    write_table(lazy(later, 1), path, mode="append", new_columns=True)
    table = read_table(path).compute().sort_values("number")
    assert list(table.columns) == ["number", "letter", "amount"]
    assert table.amount.isna().tolist() == [True] * 20 + [False]
    assert table.letter.isna().tolist() == [False] * 20 + [True]
    assert read_table(path, filters=[("amount", ">", 1)]).number.compute().tolist() == [20]


def test_a_column_that_comes_later_keeps_the_type_of_one_that_is_there(path):
    write_table(lazy(LETTERS), path)
    before = files_on_disk(path)
    other = LETTERS.assign(number="text", amount=1)
    with pytest.raises(InputError, match=r"'number' is long in the table but string") as caught:
        write_table(lazy(other), path, mode="append", new_columns=True)
    assert "amount" not in str(caught.value)
    assert files_on_disk(path) == before


def test_partitions_written_anew_may_have_new_columns(path):
    write_table(lazy(SALES), path, partition_by="shop")
    again = pd.DataFrame({"number": [101], "shop": ["a b"], "amount": [2.5]})
    options = {"mode": "overwrite_partitions", "partition_by": "shop", "new_columns": True}
    write_table(lazy(again, 1), path, **options)
    table = read_table(path).compute().sort_values("number")
    assert table.number.tolist() == [2, 3, 4, 5, 101]
    assert table.amount.notna().tolist() == [False] * 4 + [True]


def test_writers_that_add_the_same_column_at_the_same_time_lose_nothing(path):
    write_table(lazy(LETTERS), path)
    errors = []

    def append(number: int) -> None:
        frame = lazy(pd.DataFrame({"number": [number], "letter": "x", "amount": [1.0]}), 1)
        try:
            write_table(frame, path, mode="append", new_columns=True)
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=append, args=(number,)) for number in (100, 200, 300)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert numbers(path) == [*range(20), 100, 200, 300]
