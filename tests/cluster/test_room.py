"""Room on disks: what is free, what a disk is, and what `connect` says of a small one."""

import warnings
from pathlib import Path

import dask
import pytest

import dmlkit.cluster.room
from dmlkit import connect
from dmlkit.cluster import LittleRoom, current_client
from dmlkit.cluster.room import check_temporary_folder, room_of
from dmlkit.errors import ClusterError

MIB = 1 << 20


def test_a_disk_that_is_memory_is_known(tiny_disk: Path) -> None:
    room = room_of(tiny_disk / "not" / "there")
    assert (room.folder, room.in_memory, room.free) == (str(tiny_disk), True, 8 * MIB)
    assert "a tmpfs, which is kept in memory) has 8.00 MiB free" in str(room)
    assert room_of(tiny_disk).device != room_of(tiny_disk.parent).device


def test_no_cluster_is_started_without_room_for_its_files(tiny_disk: Path) -> None:
    message = rf"temporary folder '{tiny_disk}'.*8.00 MiB free.*16.00 MiB.*DASK_TEMPORARY_DIRECTORY"
    with (
        dask.config.set({"temporary-directory": str(tiny_disk)}),
        pytest.raises(ClusterError, match=message),
    ):
        connect(workers=1, threads=1, memory="512MiB")
    assert current_client() is None


def test_a_temporary_folder_that_cannot_be_written_to_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with (
        dask.config.set({"temporary-directory": str(tmp_path)}),
        pytest.raises(ClusterError, match=f"'{tmp_path}' can't be written to"),
    ):
        check_temporary_folder(memory=0)


def test_little_room_is_warned_of(monkeypatch: pytest.MonkeyPatch, tiny_disk: Path) -> None:
    monkeypatch.setattr(dmlkit.cluster.room, "LEAST", MIB)
    with dask.config.set({"temporary-directory": str(tiny_disk)}):
        with pytest.warns(LittleRoom, match=r"8.00 MiB free: a job fails when"):
            check_temporary_folder(memory=512 * MIB)
        with warnings.catch_warnings(action="error"):
            check_temporary_folder(memory=4 * MIB)
