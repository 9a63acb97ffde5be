"""What a running cluster tells: tasks done, training rounds, and nothing once it is over."""

import threading
import time
from typing import Any

import pytest
from distributed import Client, Status, get_worker, wait

from dmlkit.errors import ClusterError
from dmlkit.observe import Event, Outlook, StageEvent, TrainingRound, WorkflowEvent
from dmlkit.observe.following import follow_run
from dmlkit.observe.watch import TOPIC, watch_cluster


def announce(total: int) -> None:
    message = {"kind": "training-round", "round": 1, "total": total, "metrics": {"auc": 0.5}}
    get_worker().log_event(TOPIC, message)


def until(happened: Any, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(happened())


def test_tasks_are_counted_while_they_run(client: Client) -> None:
    counts: list[tuple[int, int]] = []

    def count(done: int, total: int) -> None:
        counts.append((done, total))

    with watch_cluster(client, count, lambda _event: None, since=time.time(), interval=0.02):
        futures = client.map(pow, range(50), [2] * 50, pure=False)
        wait(futures)
        assert until(lambda: (50, 50) in counts)
    assert all(done <= total for done, total in counts)


def test_training_rounds_come_from_workers(client: Client) -> None:
    heard: list[Event] = []
    with watch_cluster(client, lambda *_: None, heard.append, since=time.time()):
        client.submit(announce, 300, pure=False).result()
        assert until(lambda: heard)
    assert heard == [TrainingRound(1, 300, {"auc": 0.5})]


def test_the_outlook_of_a_run_comes_from_the_scheduler(client: Client) -> None:
    heard: list[Event] = []
    start = WorkflowEvent("job", "started", ("read",), earlier=({"seconds": {"read": 50.0}},))
    with follow_run(client, start, []) as run:
        run.tell(StageEvent("job", "read", 1, 1, "started"))
        with watch_cluster(client, lambda *_: None, heard.append, since=time.time(), interval=0.05):
            assert until(lambda: any(isinstance(event, Outlook) and event.high for event in heard))
    last = [event for event in heard if isinstance(event, Outlook)][-1]
    assert 20 < last.low < 50 < last.high < 100


def test_nothing_is_told_when_it_is_over(client: Client) -> None:
    heard: list[Event] = []
    with watch_cluster(client, lambda *_: None, heard.append, since=time.time()):
        pass
    client.submit(announce, 300, pure=False).result()
    assert not until(lambda: heard, seconds=0.3)
    assert not [t for t in threading.enumerate() if t.name == "dmlkit-watch"]


def test_a_listener_that_fails_ends_no_job(client: Client) -> None:
    calls = []

    def fail(*_: Any) -> None:
        calls.append(1)
        raise RuntimeError

    with watch_cluster(client, fail, lambda _event: None, since=time.time(), interval=0.02):
        assert client.submit(sum, [1, 2]).result() == 3
        assert until(lambda: len(calls) > 2)


def test_a_job_whose_workers_are_all_paused_ends_with_the_reason(client: Client) -> None:
    def pause(dask_worker: Any, status: str) -> None:
        dask_worker.memory_manager.memory_pause_fraction = False
        dask_worker.status = Status[status]

    client.run(pause, status="paused")
    try:
        with (
            pytest.raises(ClusterError, match=r"All 2 workers have paused.* of 2.00 GiB.*--resume"),
            watch_cluster(
                *(client, lambda *_: None, lambda _event: None),
                since=time.time(),
                interval=0.05,
                patience=0.5,
            ),
        ):
            client.submit(sum, [1, 2], pure=False).result()
    finally:
        client.run(pause, status="running")
    assert client.submit(sum, [1, 2], pure=False).result() == 3
