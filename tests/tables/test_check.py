import pickle
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from dmlkit import Column, Schema, errors, read_table
from dmlkit.errors import InputError, MissingColumnError, OutputError
from dmlkit.tables import check_table

CARDS = Schema(
    [Column("id", "int64"), Column("amount", "float64", minimum=0, maximum=1000)], unique=["id"]
)


@pytest.fixture(autouse=True)
def _in_this_thread(request):
    scheduler = {} if "client" in request.fixturenames else {"scheduler": "sync"}
    with dask.config.set(**scheduler):
        yield


def lazy(frame: pd.DataFrame, partitions: int = 1):
    return dd.from_pandas(frame, npartitions=partitions, sort=False)


def cards(rows: int = 400, **changes) -> pd.DataFrame:
    frame = pd.DataFrame({"id": range(rows), "amount": np.arange(rows, dtype="float64")})
    for column, values in changes.items():
        for position, value in values.items():
            frame.loc[position, column] = value
    return frame


def test_a_good_table_passes_whole():
    checked = check_table(lazy(cards(), 3), CARDS)
    assert (checked.rows, checked.bad_rows, checked.reasons) == (400, 0, {})
    assert_frame_equal(checked.frame.compute().reset_index(drop=True), cards())


def test_bad_rows_are_counted_by_reason_with_the_first_examples_in_table_order():
    frame = cards(amount=dict.fromkeys([390, 5, 200, 7], -1.0) | {8: np.nan})
    checked = check_table(lazy(frame, 4), CARDS, max_bad_share=0.05)
    assert checked.bad_rows == 5
    assert checked.reasons == {"amount: below 0": 4, "amount: missing": 1}
    assert [row.split(",")[0] for row in checked.examples["amount: below 0"]] == [
        "id=5",
        "id=7",
        "id=200",
    ]
    assert not set(checked.frame["id"].compute()) & {5, 7, 8, 200, 390}
    assert checked.describe().startswith("5 of 400 rows are bad (1.25%)\n")


def test_a_row_with_several_faults_counts_once_and_says_all(tmp_path):
    frame = cards(id={3: 2}, amount={3: 2000.0, 2: -1.0})
    schema = Schema(
        [Column("id", "int64", maximum=398), Column("amount", "float64", minimum=0)], unique=["id"]
    )
    frame.loc[399, "amount"] = -5
    checked = check_table(lazy(frame), schema, quarantine=str(tmp_path / "bad"))
    assert checked.bad_rows == 2  # row 3 is the first good one with the key 2
    bad = read_table(tmp_path / "bad").compute()
    assert bad["reason"].tolist() == ["amount: below 0", "id: above 398; amount: below 0"]


@settings(max_examples=20)
@given(
    ids=st.lists(st.integers(0, 30), min_size=1, max_size=60),
    partitions=st.integers(1, 12),
    text=st.booleans(),
)
def test_the_first_good_row_of_a_key_stays_on_any_partitioning(ids, partitions, text):
    frame = pd.DataFrame({"id": ids, "place": range(len(ids))})
    frame["good"] = frame["place"] % 4 != 1
    kind = "string" if text else "int64"
    if text:
        frame["id"] = frame["id"].astype("str")
    schema = Schema([Column("id", kind), Column("good", "bool", allowed=[True])], unique=["id"])
    expected = frame[frame["good"]].drop_duplicates("id")["place"].tolist()
    table = lazy(frame, min(partitions, len(frame)))
    if not expected:
        return
    checked = check_table(table, schema, max_bad_share=1.0)
    assert checked.frame["place"].compute().tolist() == expected
    assert checked.rows - checked.bad_rows == len(expected)


def test_a_key_of_several_columns_may_hold_missing_values_which_are_alike():
    frame = pd.DataFrame({"a": [1.0, 1.0, np.nan, np.nan, 0.0], "b": ["x", "y", "x", "x", "x"]})
    schema = Schema([Column("a", "int64", nullable=True), Column("b", "string")], unique=["a", "b"])
    checked = check_table(lazy(frame, 2), schema, max_bad_share=0.5)
    assert checked.frame["a"].compute().tolist() == [1, 1, pd.NA, 0]
    alone = Schema([Column("a", "int64", nullable=True)], unique=["a"])
    checked = check_table(lazy(frame, 2), alone, max_bad_share=0.5)
    assert checked.bad_rows == 2  # the second 1, the second missing one; 0 is another value


def test_large_keys_that_differ_in_the_last_digit_are_two():
    frame = pd.DataFrame({"id": [str(2**53), str(2**53 + 1), None], "amount": ["1", "2", "3"]})
    checked = check_table(lazy(frame), CARDS, max_bad_share=0.5)
    assert checked.frame["id"].compute().tolist() == [2**53, 2**53 + 1]


def test_too_many_bad_rows_stop_with_reasons_and_examples(tmp_path):
    frame = cards(amount=dict.fromkeys(range(40, 48), -1.0))
    with pytest.raises(InputError) as raised:
        check_table(lazy(frame, 2), CARDS, quarantine=str(tmp_path / "bad"))
    message = str(raised.value)
    assert "8 of 400 rows are bad (2.00%)" in message
    assert "8  amount: below 0" in message
    assert "such as id=40, amount=-1.0" in message
    assert f"They are in '{tmp_path}/bad'" in message
    assert "validation.max_bad_share" in message
    assert len(read_table(tmp_path / "bad")) == 8


def test_a_table_without_rows_or_without_good_rows_is_an_error():
    with pytest.raises(InputError, match="has no rows"):
        check_table(lazy(cards(0)), CARDS)
    bad = cards(3, amount=dict.fromkeys(range(3), -1.0))
    with pytest.raises(InputError, match="3 of 3 rows are bad"):
        check_table(lazy(bad), CARDS, max_bad_share=1.0)


def test_the_frame_has_the_dtypes_of_the_schema_and_keeps_other_columns():
    frame = pd.DataFrame(
        {"id": ["1", "2"], "n": ["5", None], "t": ["2025-01-01T10:00:00Z", "2025-01-01"]}
    ).assign(b=["true", "0"], other=[1, 2])
    schema = Schema(
        [
            Column("id", "int32"),
            Column("n", "int8", nullable=True),
            Column("t", "datetime"),
            Column("b", "bool"),
        ],
        time="t",
    )
    checked = check_table(lazy(frame, 2), schema)
    dtypes = ["int32", "Int8", "datetime64[us]", "bool", "int64"]
    assert list(map(str, checked.frame.dtypes)) == dtypes
    assert list(map(str, checked.frame.compute().dtypes)) == dtypes
    assert checked.time_minimum == pd.Timestamp("2025-01-01")
    assert checked.time_maximum == pd.Timestamp("2025-01-01 10:00")


def test_a_missing_column_names_the_table_and_the_nearest(tmp_path):
    path = tmp_path / "tx.csv"
    path.write_text("ID,amount\n1,2\n")
    with pytest.raises(MissingColumnError, match=rf"'{path}' has no column 'id' \(nearest: 'ID'\)"):
        check_table(read_table(path), CARDS)


def test_a_renamed_table_still_names_its_path_and_files(tmp_path):
    for number in range(2):
        frame = cards(200, amount={7: -1.0} if number else {})
        frame["id"] += number * 200
        frame.rename(columns={"id": "ID"}).to_parquet(tmp_path / f"{number}.parquet")
    table = read_table(tmp_path, partition_bytes=1).rename(columns={"ID": "id"})
    checked = check_table(table, CARDS)
    (example,) = checked.examples["amount: below 0"]
    assert example.startswith("id=207, amount=-1.0")
    assert example.endswith(f"(in {tmp_path}/1.parquet)")


def test_a_column_of_another_kind_is_an_error_before_the_pass():
    frame = cards().assign(time=1532512800)
    with pytest.raises(
        InputError, match=r"'time' of .* is int64, such as 1532512800, but datetime"
    ):
        check_table(lazy(frame), Schema([Column("time", "datetime")]))


# Quarantine


def test_bad_rows_lie_in_quarantine_with_reason_and_file(tmp_path):
    path = tmp_path / "tx.csv"
    rows = [f"{n},{n}" for n in range(300)] + ["300,many", "301,-1", "5,7"]
    path.write_text("id,amount\n" + "\n".join(rows))
    good = read_table(path, schema=CARDS, quarantine=str(tmp_path / "bad"), partition_bytes=500)
    assert len(good) == 300
    bad = read_table(tmp_path / "bad").compute()
    assert dict(zip(bad["amount"], bad["reason"], strict=True)) == {
        "many": "amount: not a float64",
        "-1": "amount: below 0",
        "7": "duplicate key (id)",
    }
    assert set(bad["file"]) == {str(path)}


def test_columns_of_the_table_called_as_those_of_the_quarantine_are_kept(tmp_path):
    frame = cards(amount={0: -1.0}).assign(reason="mine", problem=1)
    check_table(lazy(frame), CARDS, quarantine=str(tmp_path / "bad"))
    bad = read_table(tmp_path / "bad").compute()
    assert bad["table_reason"].tolist() == ["mine"]
    assert bad["reason"].tolist() == ["amount: below 0"]


def test_a_new_quarantine_replaces_the_old_and_no_bad_rows_leave_none(tmp_path):
    where = tmp_path / "bad"
    for amounts, count in [({0: -1.0, 1: -1.0}, 2), ({2: -1.0}, 1)]:
        check_table(lazy(cards(amount=amounts), 3), CARDS, quarantine=str(where))
        assert len(read_table(where)) == count
    check_table(lazy(cards(), 3), CARDS, quarantine=str(where))
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_fails_leaves_the_old_quarantine(tmp_path):
    where = tmp_path / "bad"
    check_table(lazy(cards(amount={0: -1.0})), CARDS, quarantine=str(where))

    def fail(frame: pd.DataFrame) -> pd.DataFrame:
        raise InputError("the second file is damaged")

    table = lazy(cards())
    with pytest.raises(InputError, match="second file"):
        check_table(table.map_partitions(fail, meta=table._meta), CARDS, quarantine=str(where))
    assert len(read_table(where)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds 'thesis\.doc', which is no quarantine"):
        check_table(lazy(cards(amount={0: -1.0})), CARDS, quarantine=str(tmp_path))
    assert (tmp_path / "thesis.doc").exists()


def test_a_quarantine_that_cannot_be_written_is_an_output_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"Cannot write bad rows to '.*file/bad'"):
        check_table(lazy(cards()), CARDS, quarantine=str(tmp_path / "file" / "bad"))

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OutputError, match="No space left on device"):
        check_table(lazy(cards(amount={0: -1.0})), CARDS, quarantine=str(tmp_path / "bad"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# On a cluster


def test_a_cluster_finds_what_one_thread_does(client, tmp_path):
    frame = cards(2000, id={1999: 3, 700: 3}).assign(amount=1.0)
    frame.loc[[42, 1500, 1000], "amount"] = [-1.0, np.nan, 5000.0]
    checked = check_table(lazy(frame, 20), CARDS, quarantine=str(tmp_path / "bad"))
    with dask.config.set(scheduler="sync"):
        alone = check_table(lazy(frame, 3), CARDS)
    assert checked.reasons == alone.reasons
    assert checked.examples == alone.examples
    assert_frame_equal(
        checked.frame.compute().reset_index(drop=True),
        alone.frame.compute(scheduler="sync").reset_index(drop=True),
    )
    assert len(read_table(tmp_path / "bad")) == checked.bad_rows == 5


def test_an_error_within_a_task_reaches_the_user_as_it_was_raised(client, tmp_path):
    for number in range(3):
        cards(500).to_parquet(tmp_path / f"{number}.parquet")
    content = bytearray((tmp_path / "1.parquet").read_bytes())
    content[4:2000] = b"\xff" * 1996
    Path(tmp_path / "1.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"Cannot read '.*1\.parquet'.*\n.*damaged"):
        check_table(read_table(tmp_path, partition_bytes=1), CARDS)


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_every_error_survives_the_way_from_a_worker(name):
    error = getattr(errors, name)("what was found, where")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
