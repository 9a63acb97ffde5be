"""What a scheduler forgot when a worker was lost is computed again."""

from typing import Any

import pytest
from distributed import Client, Event, LocalCluster, wait

from dmlkit import connect
from dmlkit.cluster.forgotten import NAME, resume_forgotten
from tests.observe.test_losses_of_workers import until


def wait_for(event: str) -> int:
    Event(event).wait()
    return 1


def forget(key: str, dask_scheduler: Any) -> None:
    """Leave a result that is waited for as the scheduler leaves it that lost it with a worker."""
    task = dask_scheduler.tasks[key]
    (waiting,) = task.dependents
    assert waiting.state == "waiting"
    dask_scheduler.remove_all_replicas(task)
    waiting.waiting_on.add(task)
    task.state, task.waiters, task.who_wants = "released", None, None


def resume(dask_scheduler: Any) -> int:
    return resume_forgotten(dask_scheduler)


def test_a_result_that_the_scheduler_forgot_is_computed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        LocalCluster(1, processes=False, threads_per_worker=2, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        held = client.submit(wait_for, "held", pure=False)
        given = client.submit(int, 41, pure=False)
        total = client.submit(lambda *values: sum(values), given, held)
        key = given.key
        wait(given)
        del given
        client.run_on_scheduler(forget, key)
        Event("held").set()
        wait(held)
        with pytest.raises(TimeoutError):
            total.result(timeout=1)
        assert client.run_on_scheduler(resume) == 1
        assert total.result(timeout=20) == 42
        assert client.run_on_scheduler(resume) == 0
        assert "1 results were forgotten" in caplog.text


def test_whoever_connects_has_it_looked_for_when_a_worker_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[Any] = []
    monkeypatch.setattr("dmlkit.cluster.forgotten.resume_forgotten", looks.append)
    with (
        LocalCluster(1, processes=False, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        connect()
        until(lambda: NAME in cluster.scheduler.plugins)
        cluster.scale(0)
        assert until(lambda: looks) == [cluster.scheduler]


def test_a_cluster_of_our_own_has_it_looked_for():
    with connect(workers=1, threads=1, memory="1GiB") as client:
        until(lambda: NAME in client.cluster.scheduler.plugins)
