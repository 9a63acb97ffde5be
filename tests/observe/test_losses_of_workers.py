"""Workers of a real cluster are lost in every way; the story tells why, and what it cost."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client, LocalCluster, fire_and_forget, wait

from dmlkit.cluster import connect
from dmlkit.observe import Event, WorkerLost, install, take_snapshot
from dmlkit.observe.schema import Loss, Snapshot
from dmlkit.workflow import Result, Run, Settings, Workflow, run_workflow
from tests.browser.test_report import CHROMIUM, FLAGS
from tests.observe.tasks import grow, slowly, tell_rounds

pytestmark = pytest.mark.cluster

#: Whom what befalls, by the names that `dask worker` gives to workers of one process.
KILLED, TOO_LARGE, FROZEN, RETIRED, RESTARTED = (f"v-{number}" for number in range(5))
WITHOUT_NANNY_LEFT = "lonely"


class Nothing(Settings):
    pass


job = Workflow("watched-job", Nothing, "Computes a little, and trains a little.", makes_data=True)


#: Set when all has befallen the workers.
survived = threading.Event()


@job.stage
def compute(run: Run) -> int:
    run.note(rows=50)
    numbers = connect().gather(connect().map(slowly, range(50), pure=False))
    assert survived.wait(150)
    return sum(numbers)


@job.stage
def train(run: Run, compute: int) -> None:
    assert compute == 1225
    connect().submit(tell_rounds, 40).result()


@dataclass(frozen=True)
class Told:
    """What is told after all that befell six workers."""

    snapshot: Snapshot
    result: Result
    page: str
    console: str
    metrics: str
    heard: list[Event]


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


def until(look: Callable[[], Any], seconds: float = 90.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What is told of a job that goes on while six workers are lost."""
    many = ("--nworkers", "5", "--name", "v", "--memory-limit", "400MiB")
    one = ("--name", WITHOUT_NANNY_LEFT, "--memory-limit", "400MiB")
    folder = tmp_path_factory.mktemp("watched")
    with LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        with Client(cluster) as client, workers(address, *many), workers(address, *one) as nanny:
            install(client)
            client.wait_for_workers(6, timeout=120)
            until(lambda: take_snapshot(client)["cluster"]["exit_codes"])
            results: list[Result] = []
            heard: list[Event] = []
            running = threading.Thread(
                target=lambda: results.append(
                    run_workflow(job, out=folder / "out", listeners=[heard.append])
                ),
                daemon=True,
            )
            running.start()
            until(lambda: progress(client) > 0)
            held = strike(client, nanny)
            assert until(lambda: told(client)), causes(client)
            survived.set()
            wait(held, timeout=90)
            running.join(timeout=90)
            link = client.dashboard_link.removesuffix("/status")
            page, console = visit(f"{link}/dmlkit", folder) if CHROMIUM else ("", "")
            with urllib.request.urlopen(f"{link}/metrics") as answer:
                metrics = answer.read().decode()
            return Told(take_snapshot(client), results[0], page, console, metrics, heard)


@pytest.fixture
def story(seen: Told) -> Snapshot:
    return seen.snapshot


def progress(client: Client) -> int:
    runs = take_snapshot(client)["workflows"]
    return runs[0]["stages"][0]["tasks_done"] if runs else 0


def visit(address: str, folder: Path) -> tuple[str, str]:
    """Return the text of a page once it has drawn itself, and what it said on the console."""
    profile = f"--user-data-dir={folder / 'profile'}"
    waits = ("--virtual-time-budget=3000", "--enable-logging=stderr", "--dump-dom")
    command = [str(CHROMIUM), *FLAGS, profile, *waits, address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    text = unescape(re.sub(r"<[^>]*>", " ", done.stdout))
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return re.sub(r"\s+", " ", text), "\n".join(console)


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
    fire_and_forget(client.submit(grow, workers=[addresses[TOO_LARGE]], priority=9))
    nanny.kill()
    with contextlib.suppress(Exception):  # it may take longer than is waited for
        client.restart_workers([addresses[RESTARTED]], timeout=5, raise_for_error=False)
    until(lambda: client.run_on_scheduler(silence, addresses[FROZEN]) > 6)
    client.run_on_scheduler(give_up_silent)
    return held


def silence(worker: str, dask_scheduler: Any) -> float:
    return time.time() - dask_scheduler.workers[worker].last_seen


async def give_up_silent(dask_scheduler: Any) -> None:
    """Let the scheduler look for silent workers, once: others may be busy with starting."""
    usual, dask_scheduler.worker_ttl = dask_scheduler.worker_ttl, 5.0
    looking = dask_scheduler.check_worker_ttl()
    dask_scheduler._ongoing_background_tasks.call_soon(lambda: looking)
    await asyncio.sleep(0.1)
    dask_scheduler.worker_ttl = usual


def told(client: Client) -> bool:
    """Tell whether each worker's loss has a cause."""
    known = {name for name, cause in causes(client) if cause not in ("connection-lost", "unknown")}
    return known >= {KILLED, TOO_LARGE, FROZEN, RETIRED, RESTARTED, WITHOUT_NANNY_LEFT}


def causes(client: Client) -> list[tuple[str, str]]:
    return [(loss["name"], loss["cause"]) for loss in take_snapshot(client)["losses"]]


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
    assert loss["lost_tasks"] >= 3
    assert (loss["recomputed"], loss["outcome"]) == (loss["lost_tasks"], "went on")
    assert ("pow", 3) in [tuple(prefix) for prefix in loss["prefixes"]]
    assert loss["seconds"] is not None
    assert loss["stage"] == "compute"


def test_a_worker_in_its_place_is_told_on_the_same_line(story: Snapshot) -> None:
    loss = loss_of(story, RESTARTED)
    (worker,) = [worker for worker in story["workers"] if worker["id"] == loss["place"]]
    assert worker["losses"] >= 1
    assert worker["restarts"] >= 1
    assert worker["address"] != loss["worker"]


def test_the_job_went_on_and_its_manifest_tells_of_the_losses(seen: Told) -> None:
    (run,) = seen.snapshot["workflows"]
    assert [stage["state"] for stage in run["stages"]] == ["done", "done"]
    assert run["stages"][0]["tasks_done"] >= 50
    causes = {loss["name"]: loss["cause"] for loss in seen.snapshot["losses"]}
    lost = seen.result.manifest["workers_lost"]
    assert {loss["cause"] for loss in lost} >= {"killed", "memory", "heartbeat", "nanny-lost"}
    assert len(lost) < len(causes)  # those that were asked for are no losses
    assert seen.result.manifest["trainings"][0]["rounds"] == 40


def test_who_runs_the_job_hears_of_losses_with_their_causes(seen: Told) -> None:
    causes = [event.cause for event in seen.heard if isinstance(event, WorkerLost)]
    for told in ("killed with SIGKILL", "killed by its nanny for memory", "no sign of life"):
        assert any(told in cause for cause in causes)


def test_prometheus_counts_losses_by_cause(seen: Told) -> None:
    assert 'dmlkit_workers_lost_total{cause="killed"} 1.0' in seen.metrics
    assert "dmlkit_stage_tasks_done{" in seen.metrics
    assert "dask_scheduler_workers" in seen.metrics


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_page_tells_the_job_the_losses_and_the_curve(seen: Told) -> None:
    for told in (
        "watched-job",
        "done",
        "50 rows",
        "killed with SIGKILL",
        "killed by its nanny for memory",
        "its nanny is gone too",
        "pow \u00d7 3",
        "computed again",
        "round 40 of 40",
        "in round",
        "s dashboard",
    ):
        assert told in seen.page
    assert "does not answer" not in seen.page
    assert seen.console == ""
