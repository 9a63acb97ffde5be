"""The story as metrics, and a Grafana dashboard that asks for none that is not there."""

import json
import re
from pathlib import Path

from dmlkit.observe.prometheus import families
from tests.observe.test_story import rounds, snapshot, story, tell

__all__ = ["story"]  # a fixture

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana-dmlkit.json"


def test_metrics_tell_the_story_and_grafana_asks_for_those_that_are_there(story) -> None:
    story.lose(9.0, "tcp://a:0", {"x-1"}, running=1)
    rounds(story, 10, 20)
    tell(story, 20.0, "notice", text="17 rows are bad")
    told = {
        sample.name: sample.value
        for family in families(snapshot(story, 20.0))
        for sample in family.samples
    }
    assert told["dmlkit_training_round"] == 19
    assert told["dmlkit_workers_lost_total"] == told["dmlkit_warnings"] == 1
    asked = json.loads(GRAFANA.read_text())["panels"]
    names = {
        name
        for panel in asked
        for target in panel["targets"]
        for name in re.findall(r"dmlkit_\w+", target["expr"])
    }
    assert names
    assert names <= set(told)
