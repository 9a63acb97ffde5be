"""A worker whose memory is free, but in pieces, does not stay paused."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from distributed import Client

from dmlkit import connect
from dmlkit.cluster.allocator import PRE_SPAWN, environment_of_workers
from dmlkit.cluster.free_memory import NAME, give_back

pytestmark = pytest.mark.cluster

#: Between what has Dask pause a worker (.8 of its limit) and what has its nanny kill it (.95).
LIMIT, FILLED = 1 << 30, 0.87
PIECE = 4 << 20


def fill_heap_and_leave_holes() -> None:
    """Take most of the memory in pieces, and let go of all but some bytes on top of them."""
    worker = distributed.get_worker()
    count = int(FILLED * LIMIT - worker.monitor.get_process_memory()) // PIECE
    pieces = [np.ones(PIECE, np.uint8) for _ in range(count)]
    worker.on_top = bytearray(100_000)
    del pieces
    assert worker.monitor.get_process_memory() > 0.8 * LIMIT


@pytest.fixture
def own_client() -> Iterator[Client]:
    """A client of a worker that may take a GiB, and that dmlkit has not started.

    Its heap is as in dmlkit's own: with what Dask sets, pieces as large as here are no part of it.
    """
    heap = {PRE_SPAWN: environment_of_workers(LIMIT)}
    with (
        dask.config.set(heap),
        Client(
            n_workers=1, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None
        ) as client,
    ):
        yield client


def plugins(dask_worker: Any) -> list[str]:
    return list(dask_worker.plugins)


def wait_for_plugin(client: Client) -> None:
    until = time.monotonic() + 10
    while not all(NAME in names for names in client.run(plugins).values()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_worker_goes_on_after_its_memory_was_free_in_pieces(own_client: Client) -> None:
    assert connect() is own_client
    wait_for_plugin(own_client)
    own_client.submit(fill_heap_and_leave_holes, pure=False).result(timeout=30)
    # Without the plugin, this waits for ever: the worker is paused.
    assert own_client.submit(sum, [1, 2], pure=False).result(timeout=30) == 3
    until = time.monotonic() + 10
    while memory_of(own_client) > 0.7 * 2**30 and time.monotonic() < until:
        time.sleep(0.1)
    assert memory_of(own_client) < 0.7 * 2**30


def read_by_threads_of_arrow(path: str) -> int:
    """Read more than the worker should hold, and let go of it."""
    tables = [pyarrow.parquet.read_table(path) for _ in range(3)]
    return sum(len(table.to_pandas()) for table in tables)


def test_a_worker_gives_back_what_arrow_read(own_client: Client, tmp_path: Path) -> None:
    columns = {
        f"column_{number}": np.random.default_rng(number).random(3_000_000) for number in range(6)
    }
    path = str(tmp_path / "part.parquet")
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert connect() is own_client
    wait_for_plugin(own_client)
    own_client.submit(read_by_threads_of_arrow, path, pure=False).result(timeout=60)
    until = time.monotonic() + 20
    while memory_of(own_client) > 0.6 * 2**30 and time.monotonic() < until:
        time.sleep(0.1)
    assert memory_of(own_client) <= 0.6 * 2**30


def memory_of(client: Client) -> int:
    (held,) = client.run(lambda dask_worker: dask_worker.monitor.get_process_memory()).values()
    return int(held)


def test_local_workers_have_it_from_the_start() -> None:
    with connect(workers=1, threads=1, memory="1GiB") as client:
        assert all(NAME in names for names in client.run(plugins).values())


def test_giving_back_changes_nothing_else() -> None:
    values = np.arange(1000)
    give_back()
    assert values.sum() == 499_500
