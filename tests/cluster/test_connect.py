"""`connect`: which cluster a client is of, and what is told when there is none."""

import asyncio
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

import dmlkit.cluster.local
from dmlkit import connect
from dmlkit.cluster import current_client, kill_workers, lost_workers
from dmlkit.cluster.allocator import (
    PRE_SPAWN,
    environment_of_workers,
    let_workers_keep_memory,
)
from dmlkit.cluster.workers import await_a_worker
from dmlkit.errors import ClusterError, ConfigurationError


@pytest.fixture
def local() -> Iterator[Client]:
    with connect(workers=2, threads=1, memory="512MiB") as client:
        yield client


def test_the_current_client_is_reused(client: Client) -> None:
    assert connect() is client
    assert current_client() is client


def test_local_workers_keep_some_memory(local: Client) -> None:
    found = local.run(lambda: {name: os.environ[name] for name in environment_of_workers(0)})
    for environment in found.values():
        assert environment == environment_of_workers(512 << 20)
        assert environment["MALLOC_TRIM_THRESHOLD_"] == str(32 << 20)


def test_a_local_cluster_tells_its_story_from_the_start(local: Client) -> None:
    page = local.dashboard_link.replace("/status", "")
    with urllib.request.urlopen(f"{page}/metrics") as metrics:
        assert b"\ndmlkit_" in metrics.read()
    with urllib.request.urlopen(f"{page}/dmlkit") as shown:
        assert shown.status == 200


def test_the_user_decides_what_workers_keep() -> None:
    with dask.config.set({PRE_SPAWN: {"MALLOC_TRIM_THRESHOLD_": 1}}):
        let_workers_keep_memory(1 << 30)
        assert dask.config.get(PRE_SPAWN) == {"MALLOC_TRIM_THRESHOLD_": 1}


def test_an_address_is_connected_to(scheduler: str) -> None:
    with connect(scheduler) as client:
        assert client.scheduler.address == scheduler


def test_the_scheduler_of_dasks_configuration_is_connected_to(scheduler: str) -> None:
    with dask.config.set({"scheduler-address": scheduler}), connect() as client:
        assert client.scheduler.address == scheduler


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with pytest.raises(ClusterError, match=r"No Dask scheduler answers at 'tcp://127.0.0.1:9'"):
        connect("tcp://127.0.0.1:9", timeout=1)


@pytest.mark.parametrize("address", ["nonsense://here", "tcp://127.0.0.1:notaport"])
def test_a_wrong_address_is_named(address: str) -> None:
    with pytest.raises(ClusterError, match=address):
        connect(address, timeout=1)
    assert current_client() is None


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"workers": 0}, "workers=0.*at least 1"),
        ({"threads": -1}, "threads=-1.*at least 1"),
        ({"workers": 2, "memory": "1PiB"}, "2 workers of 1.00 PiB need more than"),
    ],
)
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        connect(**sizes)  # type: ignore[arg-type]


@pytest.mark.cluster
def test_a_local_cluster_has_the_sizes_asked_for(local: Client) -> None:
    workers = local.scheduler_info(n_workers=-1)["workers"].values()
    assert [(w["nthreads"], w["memory_limit"]) for w in workers] == [(1, 512 * 2**20)] * 2
    assert all(w["host"] == "127.0.0.1" for w in workers)


@pytest.mark.cluster
def test_a_worker_that_is_killed_is_counted_as_lost(local: Client) -> None:
    began = time.time()
    future = local.submit(lambda: 1, workers=[next(iter(local.scheduler_info()["workers"]))])
    assert future.result() == 1
    pids = local.run(lambda: __import__("os").getpid())
    victim = next(iter(local.who_has(future).values()))[0]
    local.submit(__import__("os").kill, pids[victim], 9, workers=[victim], retries=0)
    until = time.time() + 30
    while not lost_workers(local, began) and time.time() < until:
        time.sleep(0.1)
    (loss,) = lost_workers(local, began)[:1]
    assert loss["worker"] == victim
    assert lost_workers(local, time.time()) == []


@pytest.mark.cluster
@pytest.mark.cluster
def test_the_work_of_a_frozen_worker_is_done_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        dmlkit.cluster.local, "SILENCE", "5s"
    )  # Dask waits for ten heartbeats at least
    with connect(workers=2, threads=1, memory="512MiB") as client:
        futures = client.map(_slowly, range(12), pure=False)
        processes = client.run(os.getpid)
        os.kill(processes[max(processes)], signal.SIGSTOP)
        assert client.submit(sum, futures).result(timeout=120) == sum(range(12))
        assert [loss["worker"] for loss in lost_workers(client)] == [max(processes)]


def _slowly(number: int) -> int:
    time.sleep(0.5)
    return number


def test_busy_workers_are_killed_at_once_when_a_job_is_stopped(local: Client) -> None:
    local.submit(time.sleep, 60)
    pids = local.run(lambda: __import__("os").getpid()).values()
    began = time.monotonic()
    kill_workers(local)
    while any(_is_running(pid) for pid in pids) and time.monotonic() < began + 10:
        time.sleep(0.05)
    assert time.monotonic() - began < 5


def test_workers_of_a_cluster_that_is_not_ours_are_left_alone(
    process_cluster: LocalCluster, scheduler: str
) -> None:
    with Client(scheduler) as client:
        kill_workers(client)
        assert client.submit(sum, [1, 2]).result() == 3


def _is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except OSError:
        return False


def test_an_asynchronous_client_is_told_before_anything_waits_for_it() -> None:
    async def ask() -> None:
        async with Client(processes=False, asynchronous=True, dashboard_address=None):
            with pytest.raises(ConfigurationError, match=r"asynchronous.*asyncio\.to_thread"):
                connect()

    asyncio.run(ask())


def test_a_cluster_without_workers_is_waited_for_and_told() -> None:
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, Client(cluster) as client:
        with pytest.raises(ClusterError, match=r"no worker, and none came in 0\.5 s"):
            await_a_worker(client, patience=0.5)
        cluster.adapt(minimum=0, maximum=1)
        await_a_worker(client)
        assert len(client.scheduler_info()["workers"]) == 1
