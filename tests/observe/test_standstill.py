"""Where all workers have paused, the reason is told with what to do."""

import math
import time
from dataclasses import replace

import pytest
from distributed.scheduler import NoWorkerError

from dmlkit.cluster.place import Place
from dmlkit.cluster.room import room_of
from dmlkit.errors import ClusterError
from dmlkit.observe import standstill, watch
from dmlkit.observe.standstill import why_paused
from dmlkit.observe.watch import watch_cluster

MIB = 1 << 20
MEMORY = [(900 * MIB, 1000 * MIB), (950 * MIB, 1000 * MIB)]


@pytest.mark.parametrize(
    ("free", "told"),
    [
        (
            90 * MIB,
            r"0.93 GiB of 0.98 GiB.*little room: .*90.00 MiB free.*TEMPORARY_DIRECTORY",
        ),
        (5000 * MIB, r"^All 2 workers have paused, since memory is full .*Give workers more"),
    ],
)
def test_a_disk_without_room_is_told_beside_full_memory(client, monkeypatch, free, told):
    place = Place(replace(room_of("/"), free=free), can_write=True, open_files=math.inf)
    monkeypatch.setattr(standstill, "look_around", lambda _: place)
    with pytest.raises(ClusterError, match=told):
        raise ClusterError(why_paused(client, MEMORY))


def test_workers_that_paused_are_the_reason_why_dask_found_none(client, monkeypatch):
    monkeypatch.setattr(watch, "_look", lambda dask_scheduler: (0, 1, MEMORY))  # noqa: ARG005
    with (
        pytest.raises(ClusterError, match="All 2 workers have paused"),
        watch_cluster(client, lambda *_: None, lambda _: None, since=0.0, interval=0.05) as seen,
    ):
        while not seen.paused:
            time.sleep(0.01)
        raise NoWorkerError("read-table", 60)
