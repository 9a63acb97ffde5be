"""Workers of a real cluster are lost in every way; the story tells why, and what it cost."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask
import psutil
import pytest
from distributed import Client, LocalCluster, wait

from dmlkit.observe import install, take_snapshot
from dmlkit.observe.schema import Loss, Snapshot

pytestmark = pytest.mark.cluster

#: Whom what befalls, by the names that `dask worker` gives to workers of one process.
KILLED, TOO_LARGE, FROZEN, RETIRED, RESTARTED = (f"v-{number}" for number in range(5))
WITHOUT_NANNY_LEFT = "lonely"


def grow() -> None:
    held = []
    while True:
        held.append(bytearray(b"x") * 20_000_000)
        time.sleep(0.02)


@contextlib.contextmanager
def workers(address: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dask", "worker", address, "--nthreads", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen([*command, "--no-dashboard", *arguments], **quiet)
    try:
        yield started
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            below = psutil.Process(started.pid).children(recursive=True)
            for process in (*below, started):
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    process.kill()
        started.wait()


def until(look: Callable[[], Any], seconds: float = 40.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def story() -> Iterator[Snapshot]:
    """What is told after all that befell six workers."""
    settings = {"distributed.scheduler.worker-ttl": "3s"}
    many = ("--nworkers", "5", "--name", "v", "--memory-limit", "400MiB")
    one = ("--name", WITHOUT_NANNY_LEFT, "--memory-limit", "400MiB")
    with dask.config.set(settings), LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        with Client(cluster) as client, workers(address, *many), workers(address, *one) as nanny:
            cluster.scheduler.worker_ttl = 300.0  # while workers start, on a machine that is busy
            install(client)
            client.wait_for_workers(6, timeout=60)
            until(lambda: take_snapshot(client)["cluster"]["exit_codes"])
            cluster.scheduler.worker_ttl = 3.0
            held = strike(client, nanny)
            causes = until(lambda: told(client))
            assert causes, take_snapshot(client)["losses"]
            wait(held, timeout=30)
            yield take_snapshot(client)
            with contextlib.suppress(Exception):
                client.cancel(held)


def strike(client: Client, nanny: subprocess.Popen[bytes]) -> list[Any]:
    info = client.scheduler_info(n_workers=-1)["workers"]
    addresses = {str(worker["name"]): address for address, worker in info.items()}
    processes = {name: client.run(os.getpid, workers=[at])[at] for name, at in addresses.items()}
    to_kill = {"workers": [addresses[KILLED]], "allow_other_workers": True, "pure": False}
    held = client.map(pow, range(3), [2] * 3, **to_kill)
    wait(held)
    client.retire_workers([addresses[RETIRED]])
    os.kill(processes[FROZEN], signal.SIGSTOP)
    os.kill(processes[KILLED], signal.SIGKILL)
    client.submit(grow, workers=[addresses[TOO_LARGE]], key="grow", retries=0)
    nanny.kill()
    with contextlib.suppress(Exception):  # it may take longer than is waited for
        client.restart_workers([addresses[RESTARTED]], timeout=5, raise_for_error=False)
    return held


def told(client: Client) -> bool:
    """Tell whether each worker's loss has a cause."""
    losses = take_snapshot(client)["losses"]
    known = {loss["name"] for loss in losses if loss["cause"] not in ("connection-lost", "unknown")}
    wanted = {KILLED, TOO_LARGE, FROZEN, RETIRED, RESTARTED, WITHOUT_NANNY_LEFT}
    return known >= wanted


def loss_of(story: Snapshot, name: str) -> Loss:
    return next(loss for loss in reversed(story["losses"]) if loss["name"] == name)


@pytest.mark.parametrize(
    ("name", "cause", "text"),
    [
        (KILLED, "killed", "killed with SIGKILL"),
        (TOO_LARGE, "memory", "killed by its nanny for memory"),
        (FROZEN, "heartbeat", "gave no sign of life for 5 s"),
        (RETIRED, "retired", "its results were moved"),
        (RESTARTED, "restarted", "restarted by a client"),
        (WITHOUT_NANNY_LEFT, "nanny-lost", "its nanny is gone too"),
    ],
)
def test_a_loss_is_told_with_its_cause(story: Snapshot, name: str, cause: str, text: str) -> None:
    loss = loss_of(story, name)
    assert (loss["cause"], loss["expected"]) == (cause, cause in ("retired", "restarted"))
    assert text in loss["text"]
    assert loss["evidence"]


def test_it_tells_what_was_lost_and_that_it_was_computed_again(story: Snapshot) -> None:
    loss = loss_of(story, KILLED)
    assert (loss["lost_tasks"], loss["recomputed"], loss["outcome"]) == (3, 3, "went on")
    assert loss["prefixes"] == [("pow", 3)]
    assert loss["seconds"] is not None


def test_a_worker_in_its_place_is_told_on_the_same_line(story: Snapshot) -> None:
    loss = loss_of(story, RESTARTED)
    (worker,) = [worker for worker in story["workers"] if worker["id"] == loss["place"]]
    assert worker["losses"] >= 1
    assert worker["restarts"] >= 1
    assert worker["address"] != loss["worker"]


def test_a_task_that_its_workers_died_of_is_warned_of(story: Snapshot) -> None:
    assert loss_of(story, TOO_LARGE)["running_tasks"] == 1


def test_causes_are_counted(story: Snapshot) -> None:
    counts = story["loss_counts"]
    assert counts["killed"] == counts["nanny-lost"] == 1
