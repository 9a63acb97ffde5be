"""A snapshot in a terminal of 80 columns, and what happens as lines."""

import copy
import io

import pytest
from rich.console import Console

from dmlkit.observe.schema import Snapshot
from dmlkit.observe.story import Story
from dmlkit.observe.terminal import draw, news
from tests.observe.test_story import rounds, snapshot, story, tell

__all__ = ["story"]  # a fixture


@pytest.fixture
def told(story: Story) -> Snapshot:
    """A run that trains after a worker was killed."""
    for second in range(1, 9):
        story.tick(float(second))
    story.losses.learn("tcp://a:0", "nanny: code -9", exit_code=-9)
    story.lose(9.0, "tcp://a:0", {"x-1", "x-2"}, running=1)
    for key in ("x-1", "x-2"):
        story.losses.computed(10.0, key, 0.5)
    rounds(story, 10, 60)
    tell(story, 60.0, "notice", text="17 rows are bad" + " and more" * 30)
    return snapshot(story, 60.0)


def drawn(told: Snapshot) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(draw(told))
    return console.file.getvalue()


def test_a_picture_tells_stages_rounds_workers_and_losses_in_80_columns(told: Snapshot) -> None:
    text = drawn(told)
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "fraud  running, 59 s so far",
        "✓ read  2.0 s",
        "10 rows",
        "round 59/1000, auc",
        "▁",
        "✗",
        "Worker 0: killed with SIGKILL",
        "2 results computed again in 1.0 s",
    ):
        assert part in text


def test_a_cluster_without_a_run_is_drawn_too() -> None:
    assert "No workflow has run yet" in drawn(snapshot(Story(0.0), 1.0))


def test_what_happened_between_two_looks_is_told_once(told: Snapshot) -> None:
    first = list(news(None, told))
    assert [line[0] for line in first] == ["✓", " ", "!", "!"]
    assert list(news(told, told)) == []
    later = copy.deepcopy(told)
    later["workflows"][0]["state"] = "done"
    later["losses"][0]["cause"] = "memory"
    assert [line.split()[0] for line in news(told, later)] == ["fraud", "!"]
