"""The story as metrics, and a Grafana dashboard that asks for none that is not there."""

import json
import re
import urllib.request
from pathlib import Path

from distributed import Client, LocalCluster

from dmlkit.observe import install
from dmlkit.observe.earlier import EarlierRun
from dmlkit.observe.prometheus import families
from tests.observe.test_story import rounds, snapshot, story, tell

__all__ = ["story"]  # a fixture

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana-dmlkit.json"


def test_metrics_tell_the_story_and_grafana_asks_for_those_that_are_there(story) -> None:
    story.lose(9.0, "tcp://a:0", {"x-1"}, running=1)
    facts = {"attempt": "t1", "rounds": 1000, "workers": {"tcp://a:1": 1}}
    tell(story, 9.0, "training-attempt", training="m1", **facts)
    effort = {"worker": "tcp://a:1", "shard": 0, "rows": 5, "rounds": 10, "worked": 2.0}
    story.trainings.effort({"attempt": "t1", **effort})
    rounds(story, 10, 20)
    tell(story, 20.0, "notice", text="17 rows are bad")
    (run,) = story.runs.running()
    run.stages[1].flow("read").add(1, "a", 7, 9)
    run.earlier = [EarlierRun({"read": 2.0, "train": 50.0}, {})]
    told = {
        sample.name: sample.value
        for family in families(snapshot(story, 20.0))
        for sample in family.samples
    }
    assert told["dmlkit_training_round"] == 19
    assert told["dmlkit_workers_lost_total"] == told["dmlkit_warnings"] == 1
    assert (told["dmlkit_training_worker_seconds"], told["dmlkit_stage_rows"]) == (0.2, 7)
    assert told["dmlkit_workflow_seconds_left"] > 0
    assert asked("dmlkit_")
    assert asked("dmlkit_") <= set(told)


def test_a_scheduler_that_runs_exports_all_that_grafana_asks_for() -> None:
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        install(client)
        client.submit(abs, -1).result()
        link = client.dashboard_link.removesuffix("/status")
        with urllib.request.urlopen(f"{link}/metrics", timeout=10) as answer:
            exported = re.findall(r"^# TYPE (\w+) ", answer.read().decode(), re.MULTILINE)
    assert asked("dask_")
    assert asked("dmlkit_") | asked("dask_") <= set(exported)


def asked(prefix: str) -> set[str]:
    """Return the names of metrics that the dashboard for Grafana asks for."""
    return {
        name
        for panel in json.loads(GRAFANA.read_text())["panels"]
        for target in panel["targets"]
        for name in re.findall(rf"\b{prefix}\w+", target["expr"])
    }
