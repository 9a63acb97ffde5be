"""What is amiss, as state of a scheduler in, and sentences that a person can act on out."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client

from dmlkit.observe import install, take_snapshot
from dmlkit.observe.cautions import Limits, cautions, skew, versions_amiss
from dmlkit.observe.sampling import look_at_workers
from dmlkit.observe.story import Story
from tests.observe.tasks import divide
from tests.observe.test_losses_of_workers import until
from tests.observe.test_story import story, tell

__all__ = ["story"]  # a fixture


def worker(memory: int = 0, disk: int = 0, status: str = "running", **facts: Any) -> Any:
    """What a scheduler knows of a worker."""
    metrics = {"memory": memory, "cpu": 50.0, "spilled_bytes": {"memory": 0, "disk": disk}}
    known: dict[str, Any] = {
        "metrics": metrics, "processing": {}, "has_what": {}, "nbytes": 0, "versions": {},
        "last_seen": time.time(), "time_delay": 0.0, "status": SimpleNamespace(name=status),
    }  # fmt: skip
    return SimpleNamespace(**(known | facts))


def scheduler(**workers: Any) -> Any:
    """A scheduler with the workers of the story by their numbers, ``a0`` and ``a1``."""
    by_address = {f"tcp://a:{name[1:]}": state for name, state in workers.items()}
    return SimpleNamespace(workers=by_address, clients={}, unrunnable=(), address="tcp://s:1")


def amiss(story: Story, limits: Limits | None = None, **workers: Any) -> dict[str, str]:
    """What is told after a look at workers, by kind."""
    there = scheduler(**workers)
    look_at_workers(story, there, interval=1.0)
    return {kind: text for (kind, _), text in cautions(story, there, limits).items()}


@pytest.mark.parametrize(
    ("facts", "kind", "words"),
    [
        ({"memory": 96}, "memory", ["Worker 0 holds 96 B of 100 B", "more memory, or make part"]),
        ({"time_delay": -90.0}, "clock", ["The clock of Worker 0 is 90 s off", "Run NTP"]),
    ],
)
def test_a_worker_in_trouble_is_told_with_what_to_do(
    story: Story, facts: dict[str, Any], kind: str, words: list[str]
) -> None:
    told = amiss(story, a0=worker(**facts), a1=worker())
    assert list(told) == [kind]
    assert all(each in told[kind] for each in words)


def test_a_worker_within_its_limits_is_not_told_of(story: Story) -> None:
    assert amiss(story, a0=worker(memory=95, time_delay=4.9), a1=worker(disk=10)) == {}


def test_spilling_is_told_when_it_lasts(story: Story) -> None:
    at_once = Limits(spilling=0.0)
    assert amiss(story, at_once, a0=worker(), a1=worker()) == {}
    assert amiss(story, a0=worker(disk=2**30), a1=worker()) == {}  # not for a minute yet
    told = amiss(story, at_once, a0=worker(disk=2**31), a1=worker())
    assert "Worker 0 has been spilling to disk for 0 s (2.00 GiB there)" in told["spilling"]
    assert amiss(story, at_once, a0=worker(disk=0), a1=worker()) == {}


def test_a_cluster_that_cannot_go_on_is_told(story: Story) -> None:
    paused = {name: worker(status="paused") for name in ("a0", "a1")}
    assert "All workers have paused" in amiss(story, **paused)["all-paused"]
    empty = scheduler()
    empty.unrunnable = {"x", "y"}
    told = cautions(story, empty)["no-workers", ""]
    assert "2 tasks wait" in told
    assert "dask worker tcp://s:1" in told


def test_a_partition_with_most_of_the_rows_is_told(story: Story) -> None:
    stage = story.runs.running()[0].current
    assert stage is not None
    for number, rows in enumerate([70_000, 20_000, 20_000, 20_000, 20_000]):
        stage.flow("read").add(("read", number), "read", rows, rows)
        stage.flow("read").tick(float(number), parts_total=5)
    told = amiss(story, a0=worker(), a1=worker())
    assert (
        "One of 5 partitions that stage train has read has 47% of the rows (70,000)"
        in (told["skew-rows"])
    )


@pytest.mark.parametrize(("largest", "told_of"), [(60 * 2**20, True), (20 * 2**20, False)])
def test_a_result_with_most_of_the_bytes_is_told(largest: int, told_of: bool) -> None:
    group = SimpleNamespace(name="join-1f3b")
    sizes = [largest] + [15 * 2**20] * 5
    held = {f"join-{at}": SimpleNamespace(group=group, nbytes=n) for at, n in enumerate(sizes)}
    found = skew(scheduler(a0=worker(has_what=held.values())))
    assert bool(found) == told_of
    assert all("One of 6 parts of join has 44% of its bytes" in text for text in found.values())


def test_other_versions_are_told_by_package_with_where_they_are() -> None:
    own = {"python": "3.11.2", "numpy": "2.4.1"}
    older = {"packages": {"python": "3.11.2", "numpy": "2.3.0"}}
    there = scheduler(a0=worker(versions={"packages": own}), a1=worker(versions=older))
    there.clients = {"Client-1": SimpleNamespace(versions={"packages": {"python": "3.12.1"}})}
    found = {about: text for (_, about), text in versions_amiss(there, own).items()}
    assert set(found) == {"numpy", "python"}
    assert (
        "numpy is 2.4.1 at the scheduler and 2.3.0 at 1 other place (tcp://a:1)" in found["numpy"]
    )
    assert "Client-1" in found["python"]
    assert "Install the same version everywhere" in found["python"]


def test_a_warning_belongs_to_the_run_that_goes_on(story: Story) -> None:
    story.advice.now(9.0, cautions(story, scheduler(a0=worker(time_delay=60.0))), "r1")
    tell(story, 10.0, "workflow", state="done")
    assert [each["workflow"] for each in story.advice.views()] == ["r1"]


def test_a_task_that_fails_three_times_is_told_with_its_exception(client: Client) -> None:
    install(client)
    failing = client.submit(divide, 0, retries=2, pure=False, key="hopeless-1")
    assert isinstance(failing.exception(), ZeroDivisionError)

    def told() -> dict[str, str]:
        return {each["kind"]: each["text"] for each in take_snapshot(client)["warnings"]}

    assert until(lambda: "failing" in told())
    assert "A task of hopeless failed 3 times, the last time on tcp://" in told()["failing"]
    assert "ZeroDivisionError" in told()["failing"]
