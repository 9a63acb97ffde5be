"""A snapshot as HTML of its own for a notebook, in which nothing foreign is markup."""

import xml.etree.ElementTree as ElementTree

from dmlkit.observe.notebook import Story as Shown
from dmlkit.observe.story import Story
from tests.observe.test_story import rounds, snapshot, story, tell

__all__ = ["story"]  # a fixture

NASTY = "<script>alert('x')</script>&\"'"


def test_it_shows_stages_curve_lanes_and_losses(story: Story) -> None:
    for second in range(1, 9):
        story.tick(float(second))
    story.losses.learn("tcp://a:0", "nanny: code -9", exit_code=-9)
    story.lose(9.0, "tcp://a:0", {"x-1"}, running=1)
    rounds(story, 10, 20)
    shown = Shown(snapshot(story, 20.0))
    html = shown._repr_html_()
    for part in ("fraud", "train", "polyline", "<rect", "stroke-width", "killed with SIGKILL"):
        assert part in html
    ElementTree.fromstring(html)  # whole
    assert repr(shown) == "<Story: fraud, running, 19 s so far, 2 workers>"


def test_names_and_texts_from_elsewhere_are_escaped(story: Story) -> None:
    tell(story, 5.0, "workflow", run="r2", state="started", workflow=NASTY, stages=[NASTY])
    tell(story, 5.0, "notice", text=NASTY)
    story.join(5.0, "tcp://b:1", nanny="", name=NASTY, threads=1, memory_limit=1)
    story.lose(6.0, "tcp://b:1", {NASTY}, running=0)
    tell(story, 6.0, "training-round", round=1, total=2, metrics={f"v-{NASTY}": 0.5})
    html = Shown(snapshot(story, 7.0))._repr_html_()
    assert "<script" not in html
    ElementTree.fromstring(html)
