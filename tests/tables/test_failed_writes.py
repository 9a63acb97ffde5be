"""Writes that fail, are stopped or killed leave nothing by halves."""

import os
import signal
import subprocess
import sys
import time

import dask
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from distributed import Client, LocalCluster
from pandas.testing import assert_frame_equal

from dmlkit.errors import OutputError
from dmlkit.tables import commit, publish, staging
from dmlkit.tables.folders import LocalFolder, find_folder
from dmlkit.tables.part_files import PartWriter
from dmlkit.tables.publish import write_table
from tests.tables.written import LETTERS, fail_at, files_on_disk, lazy, rows

pytestmark = pytest.mark.usefixtures("no_cluster_unless_asked")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("lost")])
@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_failed_write_leaves_the_table_and_the_disk_as_they_were(path, mode, error):
    write_table(lazy(LETTERS), path)
    before = files_on_disk(path)
    broken = lazy(LETTERS, 10).map_partitions(fail_at(15, error), meta=LETTERS)
    with pytest.raises(type(error)):
        write_table(broken, path, mode=mode)
    assert files_on_disk(path) == before
    assert_frame_equal(rows(path), LETTERS)


def test_a_failed_first_write_leaves_nothing(path):
    nested = path / "below" / "it"
    broken = lazy(LETTERS, 10).map_partitions(fail_at(15, RuntimeError("lost")), meta=LETTERS)
    with pytest.raises(RuntimeError, match="lost"):
        write_table(broken, nested, partition_by="letter")
    assert not path.exists()


def test_a_failed_write_on_a_cluster_leaves_nothing(client, path):
    broken = lazy(LETTERS, 10).map_partitions(fail_at(15, RuntimeError("lost")), meta=LETTERS)
    with pytest.raises(RuntimeError, match="lost"):
        write_table(broken, path)
    assert not list(path.glob("part-*"))
    assert not DeltaTable.is_deltatable(str(path))


def test_an_interrupt_after_the_commit_keeps_the_files(path, monkeypatch):
    def interrupt(*arguments):
        commit_files(*arguments)
        raise KeyboardInterrupt

    commit_files = publish.commit_files
    monkeypatch.setattr(publish, "commit_files", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_table(lazy(LETTERS), path)
    assert_frame_equal(rows(path), LETTERS)
    assert not list(path.glob("_writing-*"))


def test_a_commit_that_fails_says_why_and_takes_the_files_back(path, monkeypatch):
    def refuse(*arguments, **options):
        raise commit.DeltaError("the store is read-only")

    write_table(lazy(LETTERS), path)
    before = files_on_disk(path)
    monkeypatch.setattr(commit, "create_table_with_add_actions", refuse)
    with pytest.raises(OutputError, match=r"Cannot commit .* the store is read-only"):
        write_table(lazy(LETTERS), path, mode="overwrite")
    assert files_on_disk(path) == before


KILLED = """
import os, signal, sys, dask, dask.dataframe as dd, pandas as pd
from dmlkit.tables.publish import write_table
def kill_late(frame):
    if (frame.number == 15).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return frame
frame = pd.DataFrame({"number": range(20), "letter": list("abcdefghij") * 2})
lazy = dd.from_pandas(frame, npartitions=10).map_partitions(kill_late, meta=frame)
with dask.config.set(scheduler="sync"):
    write_table(lazy, sys.argv[1], mode="overwrite")
"""


@pytest.mark.parametrize("exists", [True, False])
def test_the_next_write_removes_what_a_killed_one_has_left(path, exists):
    if exists:
        write_table(lazy(LETTERS), path)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(path.glob("part-*"))) > 3 * exists
    write_table(lazy(LETTERS, 1), path, mode="overwrite")
    assert len(list(path.glob("part-*"))) == 1 + 3 * exists
    assert not list(path.glob("_writing-*"))
    assert_frame_equal(rows(path), LETTERS)


KILLED_AGAIN = """
import os, signal, sys, pandas as pd
from dmlkit.tables.folders import LocalFolder
from dmlkit.tables.publish import write_table
LocalFolder.remove = lambda self, path: os.kill(os.getpid(), signal.SIGKILL)
write_table(pd.DataFrame({"number": [1]}), sys.argv[1], mode="overwrite")
"""


def test_a_writer_killed_while_it_takes_files_back_leaves_none_for_good(path):
    write_table(LETTERS, path)
    for script in (KILLED, KILLED_AGAIN):  # the second dies while it clears up after the first
        killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert len(list(path.glob("part-*"))) > 1
    write_table(LETTERS, path, mode="append")
    assert len(list(path.glob("part-*"))) == 2
    assert not list(path.glob("_writing-*"))


def test_files_that_are_being_taken_back_are_not_foreign(path, monkeypatch):
    def look(folder, name):
        seen.append(staging.foreign_file(folder))
        remove(folder, name)

    seen, remove = [], LocalFolder.remove
    monkeypatch.setattr(LocalFolder, "remove", look)
    broken = lazy(LETTERS, 10).map_partitions(fail_at(15, RuntimeError("lost")), meta=LETTERS)
    with pytest.raises(RuntimeError, match="lost"):
        write_table(broken, path)
    assert seen
    assert set(seen) == {None}


@pytest.mark.parametrize(("days", "kept"), [(1, True), (8, False)])
def test_what_another_machine_left_is_removed_after_a_week(path, days, kept):
    staging = path / "_writing-0123"
    staging.mkdir(parents=True)
    (staging / "owner.json").write_text('["elsewhere", 1]')
    (path / "part-0123-00000.parquet").write_text("")
    then = time.time() - days * 86_400
    os.utime(staging, (then, then))
    write_table(LETTERS, path)
    assert staging.exists() == kept
    assert (path / "part-0123-00000.parquet").exists() == kept
    assert_frame_equal(rows(path), LETTERS)


def test_another_writers_files_are_left_alone(path):
    interrupted = lazy(LETTERS, 2).map_partitions(
        lambda frame: frame.assign(n=write_table(LETTERS, path).rows), meta=LETTERS.assign(n=1)
    )
    with pytest.raises(OutputError, match="There is a table in"):
        write_table(interrupted, path)
    assert_frame_equal(rows(path), LETTERS)


def test_a_task_that_outlives_its_write_leaves_no_file(path):
    path.mkdir()
    schema = pa.schema([("number", pa.int64())])
    writer = PartWriter(find_folder(path), "_writing-gone", "part-gone-{number:05d}", schema)
    with pytest.raises(OutputError, match="the write was cancelled, or the worker is on a machine"):
        writer(LETTERS[["number"]], pd.Series([0]))
    assert files_on_disk(path) == set()


@pytest.mark.cluster
def test_a_table_is_whole_when_a_worker_dies_while_writing(tmp_path, path):
    def die_once(frame, marker):
        if (frame.number == 150).any() and not marker.exists():
            marker.touch()
            os._exit(1)
        return frame

    frame = pd.DataFrame({"number": range(200)})
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None
    )
    with cluster, Client(cluster), dask.config.set(scheduler=None):
        dying = lazy(frame, 20).map_partitions(die_once, tmp_path / "died", meta=frame)
        written = write_table(dying, path)
    assert (tmp_path / "died").exists()
    assert (written.rows, written.files) == (200, 20)
    assert_frame_equal(rows(path), frame)
    assert len(list(path.glob("part-*"))) == 20
    assert not list(path.glob("_writing-*"))
