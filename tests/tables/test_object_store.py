"""Tables in an object store, by a real HTTP S3 server in a process of its own."""

import json
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from dmlkit.errors import InputError, OutputError
from dmlkit.tables import (
    Column,
    Schema,
    check_table,
    commit,
    object_store,
    publish,
    read_table,
    staging,
    vacuum_table,
    write_table,
)
from dmlkit.tables.folders import find_folder, storage_options
from dmlkit.tables.sources import read_error
from tests.tables.flaky_proxy import flaky_proxy
from tests.tables.stores import SECRET, make_bucket, s3_server, variables

pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

ROWS = pd.DataFrame({"number": range(20), "shop": [f"shop {n % 3}" for n in range(20)]})


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with s3_server() as found, variables(found):
        make_bucket(found, "tables")
        yield found


@pytest.fixture
def path(environment: dict[str, str], request: pytest.FixtureRequest) -> str:
    """A place in the store, one for each test."""
    return f"s3://tables/{request.node.name[:40]}/table"


def frame(rows: pd.DataFrame = ROWS, partitions: int = 3) -> Any:
    return dd.from_pandas(rows, npartitions=partitions)


def numbers(path: str) -> list[int]:
    return sorted(read_table(path).number.compute())


def objects(path: str) -> list[str]:
    return sorted(find_folder(path).files())


def test_a_table_is_written_added_to_and_replaced(path: str) -> None:
    assert write_table(frame(), path).files == 3
    assert numbers(path) == list(range(20))
    assert write_table(frame(), path, mode="append").version == 1
    assert numbers(path) == sorted([*range(20)] * 2)
    write_table(frame(ROWS[:5]), path, mode="overwrite", partition_by="shop")
    assert numbers(path) == list(range(5))
    assert read_table(path, filters=[("shop", "==", "shop 1")]).number.compute().tolist() == [1, 4]
    assert not [name for name in objects(path) if "_writing" in name]


def test_partitions_are_replaced_earlier_versions_read_and_old_files_removed(path: str) -> None:
    write_table(frame(), path, partition_by="shop")
    again = pd.DataFrame({"number": [100], "shop": ["shop 1"], "more": [1.5]})
    write_table(
        frame(again, 1),
        path,
        mode="overwrite_partitions",
        partition_by="shop",
        new_columns=True,
    )
    kept = [number for number in range(20) if number % 3 != 1]
    assert numbers(path) == [*kept, 100]
    assert sorted(read_table(path, version=0).number.compute()) == list(range(20))
    assert vacuum_table(path) == []
    assert len(vacuum_table(path, older_than="0h")) == 3
    assert len([name for name in objects(path) if name.endswith(".parquet")]) == 7
    assert numbers(path) == [*kept, 100]


def test_workers_write_with_credentials_of_their_own_environment(
    path: str, client: Client, environment: dict[str, str]
) -> None:
    client.run(_update_environment, environment)
    write_table(frame(partitions=4), path)
    assert numbers(path) == list(range(20))


def test_what_is_there_is_kept_unless_it_may_be_replaced(path: str) -> None:
    write_table(frame(), path)
    with pytest.raises(OutputError, match="There is a table in"):
        write_table(frame(), path)
    with pytest.raises(InputError, match="'other' is not in the table"):
        write_table(frame(ROWS.assign(other=1)), path, mode="append")
    find_folder(path).write("elsewhere/notes.txt", b"mine")
    with pytest.raises(OutputError, match=r"no Delta Lake table, such as 'notes.txt'"):
        write_table(frame(), f"{path}/elsewhere")


def test_a_write_that_fails_leaves_no_object(path: str) -> None:
    def fail_late(rows: pd.DataFrame) -> pd.DataFrame:
        if 15 in rows.number.to_numpy():
            raise RuntimeError("row 15")
        return rows

    failing = frame().map_partitions(fail_late, meta=ROWS.head(0))
    with pytest.raises(RuntimeError, match="row 15"):
        write_table(failing, path)
    assert objects(path) == []


def test_two_writers_at_once_lose_nothing(path: str) -> None:
    write_table(frame(), path)
    errors: list[Exception] = []

    def append(first: int) -> None:
        try:
            with dask.config.set(scheduler="synchronous"):
                for number in range(first, first + 3):
                    write_table(
                        pd.DataFrame({"number": [number], "shop": ["x"]}), path, mode="append"
                    )
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=append, args=(first,)) for first in (100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert numbers(path) == [*range(20), 100, 101, 102, 200, 201, 202]


def test_what_a_killed_writer_left_is_removed_by_the_next_one(path: str) -> None:
    folder = find_folder(path)
    folder.write("_writing-0123/owner.json", json.dumps([_hostname(), 2**22 + 1]).encode())
    folder.write("part-0123-00000.parquet", b"half")
    write_table(frame(), path)
    assert not [name for name in objects(path) if "0123-" in name or "_writing" in name]
    assert numbers(path) == list(range(20))


def test_a_probe_that_a_killed_writer_left_is_in_nobodys_way(path: str) -> None:
    folder = find_folder(path)
    gone = json.dumps([_hostname(), 2**22 + 1]).encode()
    folder.write("_writing-probe-0123/owner.json", gone)
    write_table(frame(), path)
    assert not [name for name in objects(path) if "probe" in name]


def test_how_old_a_write_of_another_machine_is_leaves_nothing_behind_also_when_it_is_killed(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_folder(path)
    folder.write("_writing-0123/owner.json", json.dumps(["elsewhere", 1]).encode())
    age = folder.age("_writing-0123")
    assert age is not None and age < 60
    assert folder.age("_writing-012") is None
    assert objects(path) == ["_writing-0123/owner.json"]
    monkeypatch.setattr(type(folder), "remove", lambda *_: None)  # killed before it could
    folder.age("_writing-0123")
    monkeypatch.undo()
    assert len(objects(path)) == 2
    monkeypatch.setattr(staging, "_is_running", lambda _: False)
    write_table(frame(), path)
    left = [name for name in objects(path) if "_writing" in name]
    assert left == ["_writing-0123/owner.json"]


def test_a_commit_that_fails_takes_the_objects_back(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise commit.DeltaError("the store is read-only")

    monkeypatch.setattr(commit, "create_table_with_add_actions", refuse)
    with pytest.raises(OutputError, match="the store is read-only"):
        write_table(frame(), path)
    assert objects(path) == []


def test_a_store_that_cannot_keep_writers_apart_is_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filesystem, _ = object_store.open_store(path)
    put = type(filesystem).call_s3

    def unconditional(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        options.pop("IfNoneMatch", None)
        return put(self, method, *arguments, **options)

    monkeypatch.setattr(type(filesystem), "call_s3", unconditional)
    object_store._probe.cache_clear()
    with pytest.raises(OutputError, match="one of two writers could lose its rows"):
        write_table(frame(), path)
    object_store._probe.cache_clear()
    assert objects(path) == []


def test_a_bucket_that_is_not_there_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(OutputError, match=r"Cannot write to 's3://nowhere/table'.*bucket"):
        write_table(frame(), "s3://nowhere/table")


def test_credentials_are_in_no_graph_and_no_message(
    path: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = publish.PartWriter(find_folder(path), "_writing-x", "part-{number}", None)
    assert SECRET.encode() not in pickle.dumps(writer)
    write_table(frame(), path)
    assert SECRET.encode() not in pickle.dumps(read_table(path).optimize())
    assert SECRET not in str(storage_options(path))
    with pytest.raises(OutputError) as raised:
        write_table(frame(), "s3://nowhere/table")
    assert SECRET not in str(raised.value)


def test_a_store_that_throttles_is_asked_again(path: str, environment: dict[str, str]) -> None:
    with _through(environment, every=4):
        write_table(frame(), path)
        write_table(frame(), path, mode="append")
        assert numbers(path) == sorted([*range(20)] * 2)


@pytest.mark.parametrize("faults", [{"slow": 0.1}, {"broken": 5}])
def test_a_store_that_is_slow_or_breaks_off_is_waited_for(
    path: str, environment: dict[str, str], faults: dict[str, Any]
) -> None:
    with _through(environment, **faults):
        write_table(frame(), path, mode="overwrite")
        write_table(frame(), path, mode="append")
        assert numbers(path) == sorted([*range(20)] * 2)
    assert not [name for name in objects(path) if "_writing" in name]


def test_a_store_that_takes_no_data_ends_the_write_with_its_reason(
    path: str, environment: dict[str, str]
) -> None:
    write_table(frame(), path)
    refusing = _through(environment, attempts="1", refused="PUT .*/part-")
    with refusing, pytest.raises(OutputError, match=r"Cannot write .*part-.*(?i:slow ?down)"):
        write_table(frame(), path, mode="append")
    assert numbers(path) == list(range(20))
    assert not [name for name in objects(path) if "_writing" in name]


@contextmanager
def _through(environment: dict[str, str], attempts: str = "5", **faults: Any) -> Iterator[None]:
    with (
        flaky_proxy(environment["AWS_ENDPOINT_URL"], **faults) as address,
        variables({"AWS_ENDPOINT_URL": address, "AWS_MAX_ATTEMPTS": attempts}),
    ):
        object_store.open_store("s3://tables")[0].clear_instance_cache()
        try:
            yield
        finally:
            object_store.open_store("s3://tables")[0].clear_instance_cache()


def _update_environment(environment: dict[str, str]) -> None:
    import os

    os.environ.update(environment)


def _hostname() -> str:
    import socket

    return socket.gethostname()


def test_bad_rows_go_to_the_store_and_replace_earlier_ones_when_the_pass_is_over(path: str) -> None:
    schema = Schema([Column("number", "int64", maximum=17), Column("shop", "string")])
    parent, where = path.rpartition("/")[0], f"{path.rpartition('/')[0]}/bad"
    with pytest.raises(InputError, match=f"They are in '{where}'"):
        check_table(frame(), schema, quarantine=where)
    assert read_table(where).number.compute().tolist() == [18, 19]
    check_table(frame(ROWS[:19]), schema, quarantine=where, max_bad_share=0.5)
    assert read_table(where).number.compute().tolist() == [18]
    check_table(frame(ROWS[:15]), schema, quarantine=where)
    assert objects(parent) == []
    find_folder(where).write("thesis.doc", b"years of work")
    with pytest.raises(OutputError, match=r"holds 'thesis\.doc', which is no quarantine"):
        check_table(frame(), schema, quarantine=where, max_bad_share=0.5)
    assert objects(parent) == ["bad/thesis.doc"]


def test_an_object_that_is_gone_is_not_told_as_a_damaged_file(path: str) -> None:
    write_table(frame(), path)
    table = read_table(path)
    for name in objects(path):
        if name.endswith(".parquet"):
            find_folder(path).remove(name)
    with pytest.raises(InputError, match=r"(?s)it is not there.*can't be reached") as caught:
        table.number.compute()
    assert "damaged" not in str(caught.value)


def test_a_store_that_cannot_be_reached_is_not_told_as_a_damaged_file() -> None:
    from botocore.exceptions import EndpointConnectionError

    for error in (EndpointConnectionError(endpoint_url="http://store"), ConnectionError("reset")):
        assert "not for the file" in str(read_error("table/part", error))
    assert "damaged" in str(read_error("table/part", ValueError("no footer")))
