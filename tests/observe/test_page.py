"""The page in a browser: it tells the story, stays in its frame, and axe-core finds nothing bad."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from dmlkit.observe import install
from dmlkit.observe.plugin import NAME
from dmlkit.observe.story import Story
from tests.observe.page import CHROMIUM, served_with_probe, visit
from tests.observe.test_story import rounds, tell

pytest.importorskip("axe_core_python")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

NASTY = "<img src=x onerror=alert(1)>"


def fill(story: Story, now: float) -> None:
    """A run that trains with restarts, after losses, with warnings, beside one that failed."""
    for number in range(3):
        where = {"nanny": f"tcp://n:{number}", "name": str(number)}
        story.join(now - 90, f"tcp://10.0.0.1:{number}", threads=1, memory_limit=2**30, **where)
    tell(story, now - 95, "workflow", run="r0", state="started", workflow="broken", stages=["a"])
    tell(story, now - 92, "workflow", run="r0", state="failed", error=f"No such {NASTY}")
    stages = ["read", "features", "train", "publish"]
    facts = {"workflow": "fraud", "stages": stages, "user": "me", "host": "here", "data": NASTY}
    tell(story, now - 90, "workflow", state="started", **facts)
    tell(story, now - 90, "stage", stage="read", state="started")
    tell(
        story, now - 80, "stage", stage="read", state="done", seconds=10.0, rows=10**6, bytes=10**8
    )
    tell(story, now - 80, "stage", stage="features", state="started")
    stage = story.runs.running()[0].current
    assert stage is not None
    for number in range(5):
        stage.flow("read").add(("r", number), "r", 200_000, 10**7)
        stage.flow("read").tick(now - 80 + number, parts_total=8)
        stage.count(now - 80 + number, done=number, total=40, work_left=30.0)
    for second in range(60):
        for place in story.places:
            place.state = "spilling" if second % 20 > 15 else "busy"
        story.tick(now - 60 + second)
    story.losses.learn("tcp://10.0.0.1:1", "nanny: code -9", exit_code=-9)
    story.lose(now - 30, "tcp://10.0.0.1:1", {"x-1", "y-2"}, running=1)
    story.losses.computed(now - 20, "x-1", 0.5)
    told = {
        "attempt": "t",
        "rounds": 1000,
        "workers": {"0": 2, "2": 1},
        "early_stopping_rounds": 30,
    }
    tell(story, now - 50, "training-attempt", training="m1", **told)
    rounds(story, 1, 60)
    for shard in range(2):
        told = {"attempt": "t", "worker": f"tcp://10.0.0.1:{2 * shard}", "shard": shard}
        story.trainings.effort({**told, "rows": 500_000, "rounds": 10, "worked": 2.0 + 5 * shard})
    lost = {"time": now - 30, "worker": "tcp://10.0.0.1:1", "reason": "lost.", "round": 40}
    tell(story, now - 30, "training-restart", **lost, resumed_round=30, seconds_lost=3.0)
    story.advice.tell(now, "memory", "0", f"Worker 0 holds much {NASTY}.")


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """The dashboard of a scheduler whose story is full."""
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        install(client)
        client.run_on_scheduler(_fill)
        yield f"http://localhost:{cluster.scheduler.http_server.port}"


def _fill(dask_scheduler: Any) -> None:
    import time

    plugin = dask_scheduler.plugins[NAME]
    plugin._timer.stop()  # the story stands still
    fill(plugin.story, time.time())


@pytest.mark.parametrize(("width", "dark"), [(1300, False), (360, True)])
def test_it_tells_the_story_to_everybody(
    dashboard: str, tmp_path: Path, width: int, dark: bool
) -> None:
    with served_with_probe(dashboard) as served:
        seen = visit(served, tmp_path, width, dark=dark)
    assert seen["errors"] == []
    assert [fault for fault in seen["faults"] if fault["impact"] in ("serious", "critical")] == []
    assert (seen["width"], seen["dark"]) == (width, dark)
    assert seen["tooWide"] == []
    for part in (
        "fraud",
        "1M of about 1.6M rows read",
        "killed with SIGKILL",
        "the slowest",
        NASTY,
    ):
        assert part in seen["text"]
    assert {"Skip to the story", "How this is known"} <= set(seen["focusable"])


def test_it_says_that_it_is_old_when_the_scheduler_is_gone(dashboard: str, tmp_path: Path) -> None:
    with served_with_probe(dashboard, answers=2) as served:
        seen = visit(served, tmp_path, 800)
    assert re.search(r"The scheduler does not answer: what is shown is \d+ s old", seen["text"])
    assert "no answer" in seen["text"]
    assert "killed with SIGKILL" in seen["text"]  # and still shows it
