"""The story as data: runs, trainings, losses and warnings in, one snapshot out."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from dmlkit.observe import schema
from dmlkit.observe.history import history_of
from dmlkit.observe.lanes import Lanes
from dmlkit.observe.losses import KEPT, SHOWN
from dmlkit.observe.story import Story

CLUSTER: schema.Cluster = {
    "address": "tcp://s:1", "started": 0.0, "workers": 2, "threads": 2, "memory": 1,
    "memory_limit": 2, "clients": 1, "processing": 0, "waiting": 0, "exit_codes": True,
    "versions": {"python": "3.11"},
}  # fmt: skip

RUN = {"run": "r1", "client": "c1"}


def tell(story: Story, now: float, kind: str, **facts: Any) -> None:
    story.hear(now, {"kind": kind, **RUN, **facts})


def snapshot(story: Story, now: float) -> schema.Snapshot:
    """Return a snapshot that is JSON, and as the schema says."""
    return TypeAdapter(schema.Snapshot).validate_json(
        json.dumps(story.snapshot(now, CLUSTER)), strict=False
    )


@pytest.fixture
def story() -> Story:
    """A run in its second stage, on two workers."""
    story = Story(0.0)
    for number in range(2):
        where = {"nanny": f"tcp://n:{number}", "name": str(number)}
        story.join(0.0, f"tcp://a:{number}", threads=1, memory_limit=100, **where)
    tell(story, 1.0, "workflow", state="started", workflow="fraud", stages=["read", "train"])
    tell(story, 2.0, "stage", stage="read", state="started")
    tell(story, 4.0, "stage", stage="read", state="done", seconds=2.0, rows=10, bytes=5)
    tell(story, 4.0, "stage", stage="train", state="started")
    return story


def the_run(story: Story, now: float) -> schema.Workflow:
    return snapshot(story, now)["workflows"][0]


def test_a_run_is_told_with_its_stages(story: Story) -> None:
    run = the_run(story, 10.0)
    assert (run["name"], run["state"], run["seconds"]) == ("fraud", "running", 9.0)
    assert [stage["state"] for stage in run["stages"]] == ["done", "running"]
    assert (run["stages"][0]["rows"], run["stages"][1]["seconds"]) == (10, 6.0)


def test_a_stage_counts_its_tasks_and_how_fast_they_end(story: Story) -> None:
    stage = story.runs.running()[0].current
    assert stage is not None
    for second in range(5, 15):
        stage.count(second, done=2 * second, total=100, work_left=35.0)
    told = the_run(story, 14.0)["stages"][1]
    assert (told["tasks_done"], told["tasks_total"]) == (28, 100)
    assert told["tasks_per_second"] == 2.0
    assert told["left"] is not None
    assert told["left"]["low"] < 36 < told["left"]["high"]


def test_a_stage_in_which_nothing_ends_is_stalled_and_goes_on_when_something_does(
    story: Story,
) -> None:
    stage = story.runs.running()[0].current
    assert stage is not None
    stage.count(5.0, done=1, total=10, work_left=9.0)
    story.tick(100.0)
    told = the_run(story, 100.0)["stages"][1]
    assert (told["state"], told["quiet"]) == ("stalled", 95.0)
    assert told["left"] is not None
    assert told["left"]["high"] > 90
    stage.count(101.0, done=2, total=10, work_left=8.0)
    story.tick(101.0)
    assert the_run(story, 101.0)["stages"][1]["state"] == "running"


def test_rounds_of_a_training_keep_its_stage_from_being_stalled(story: Story) -> None:
    stage = story.runs.running()[0].current
    assert stage is not None
    stage.count(5.0, done=1, total=10, work_left=9.0)
    tell(story, 95.0, "training-round", round=3, total=10, metrics={"validation_0-auc": 0.5})
    story.tick(100.0)
    assert the_run(story, 100.0)["stages"][1]["state"] == "running"


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_a_run_that_ends_early_ends_its_stage(story: Story, state: str) -> None:
    tell(story, 9.0, "workflow", state=state, error="no://user:secret@host")
    run = the_run(story, 20.0)
    assert (run["state"], run["seconds"], run["stages"][1]["state"]) == (state, 8.0, "failed")
    assert run["error"] == "no://***@host"


def test_a_run_whose_client_is_gone_does_not_go_on_for_ever(story: Story) -> None:
    story.part_client(9.0, "c2")
    assert the_run(story, 10.0)["state"] == "running"
    story.part_client(9.0, "c1")
    assert the_run(story, 20.0)["state"] == "abandoned"


def test_what_is_left_follows_from_an_earlier_run_and_this_ones_pace() -> None:
    story = Story(0.0)
    earlier = [{"seconds": {"read": 10.0, "train": 100.0}}]
    stages = ["read", "train"]
    tell(story, 0.0, "workflow", state="started", workflow="w", stages=stages, earlier=earlier)
    tell(story, 0.0, "stage", stage="read", state="started")
    tell(story, 20.0, "stage", stage="read", state="done", seconds=20.0)
    tell(story, 20.0, "stage", stage="train", state="started")
    run = the_run(story, 70.0)
    assert run["left"] is not None
    assert run["left"]["low"] > 50  # twice as slow as before, as far as can be told
    assert 0.3 < (run["share"] or 0) < 0.6


def test_without_an_earlier_run_nothing_is_promised(story: Story) -> None:
    run = the_run(story, 10.0)
    assert run["left"] is run["share"] is None


def rounds(story: Story, start: int, stop: int) -> None:
    for number in range(start, stop):
        better = 0.5 + 0.001 * min(number, 40)
        metrics = {"train-auc": better + 0.1, "validation_0-auc": better}
        tell(story, float(number), "training-round", round=number, total=1000, metrics=metrics)


def test_a_training_is_told_with_curves_and_when_it_stops_early(story: Story) -> None:
    facts = {"attempt": "t1", "rounds": 1000, "workers": {"0": 1}, "early_stopping_rounds": 30}
    tell(story, 5.0, "training-attempt", training="m1", **facts)
    rounds(story, 1, 60)
    (training,) = snapshot(story, 60.0)["trainings"]
    assert (training["round"], training["total"], training["workflow"]) == (59, 1000, "r1")
    validation = training["curves"][1]
    assert (validation["table"], validation["metric"]) == ("validation_0", "auc")
    assert (validation["best"], validation["best_round"]) == (0.54, 40)
    assert training["early_stop"] is not None
    assert training["early_stop"]["at"] == 70
    assert training["left"] == {"low": 11.0, "high": 941.0}


def test_a_curve_has_rounds_that_went_by_between_two_messages(story: Story) -> None:
    for told, first in ((4, 1), (8, 5)):
        before = [[number, {"v-auc": 0.5 + number / 100}] for number in range(first, told)]
        facts = {"round": told, "total": 8, "metrics": {"v-auc": 0.5 + told / 100}}
        tell(story, float(told), "training-round", before=before, **facts)
    (training,) = snapshot(story, 9.0)["trainings"]
    assert [number for number, _ in training["curves"][0]["points"]] == [*range(1, 9)]
    assert training["seconds_per_round"] == 1.0


def test_rounds_that_arrive_together_took_as_long_as_their_worker_says(story: Story) -> None:
    for number in range(1, 31):
        arrived, metrics = float(number // 10), {"v-auc": 0.5}
        facts = {"round": number, "total": 99, "metrics": metrics, "time": 700.0 + 0.02 * number}
        tell(story, arrived, "training-round", **facts)
    assert snapshot(story, 4.0)["trainings"][0]["seconds_per_round"] == 0.02


def test_a_restart_goes_back_in_the_curve_and_is_made_up_for(story: Story) -> None:
    rounds(story, 1, 20)
    lost = {"time": 20.0, "worker": "tcp://a:1", "reason": "Worker x was lost.", "round": 19}
    tell(story, 20.0, "training-restart", **lost, resumed_round=10, seconds_lost=None)
    assert snapshot(story, 20.0)["trainings"][0]["state"] == "restarting"
    rounds(story, 11, 25)
    tell(story, 25.0, "training-restart", **lost, resumed_round=10, seconds_lost=3.0)
    (training,) = snapshot(story, 25.0)["trainings"]
    assert [restart["seconds_lost"] for restart in training["restarts"]] == [3.0]
    assert [number for number, _ in training["curves"][0]["points"]] == list(range(1, 25))


def test_a_long_curve_is_thinned_and_keeps_its_best_and_last_round(story: Story) -> None:
    for number in range(1, 5001):
        metrics = {"v-auc": 0.9 if number == 777 else 0.5}
        tell(story, float(number), "training-round", round=number, total=9000, metrics=metrics)
    curve = snapshot(story, 5001.0)["trainings"][0]["curves"][0]
    assert len(curve["points"]) < 310
    assert {777: 0.9, 5000: 0.5}.items() <= dict(curve["points"]).items()


def test_metrics_of_which_less_is_better_have_their_best_below(story: Story) -> None:
    for number, loss in enumerate([3.0, 1.0, 2.0], start=1):
        tell(story, 5.0, "training-round", round=number, total=9, metrics={"v-logloss": loss})
    curve = snapshot(story, 6.0)["trainings"][0]["curves"][0]
    assert (curve["best"], curve["best_round"], curve["higher_is_better"]) == (1.0, 2, False)


def test_a_loss_tells_what_it_cost(story: Story) -> None:
    loss = story.lose(10.0, "tcp://a:0", {("read-x", 0), ("read-x", 1), "sum-1"}, running=2)
    assert loss is not None
    story.losses.computed(12.0, ("read-x", 0), 0.5)
    assert loss.view()["outcome"] == "computing again"
    story.losses.computed(13.0, ("read-x", 1), 0.5)
    story.losses.unwanted(14.0, "sum-1")
    told = snapshot(story, 20.0)["losses"][0]
    assert (told["lost_tasks"], told["recomputed"], told["recompute_seconds"]) == (3, 2, 1.0)
    assert (told["seconds"], told["outcome"]) == (4.0, "went on")
    assert (told["workflow"], told["stage"], told["prefixes"][0]) == ("r1", "train", ("read-x", 2))


def test_the_time_that_a_silent_worker_was_waited_for_is_lost_too(story: Story) -> None:
    story.losses.learn("tcp://a:0", "scheduler: no heartbeat for 60 s", silence=60.0)
    loss = story.lose(100.0, "tcp://a:0", {"sum-1"}, running=1)
    assert loss is not None
    story.losses.computed(102.0, "sum-1", 0.5)
    assert loss.view()["seconds"] == 62.0
    story.losses.learn("tcp://b:0", "scheduler: no heartbeat for 60 s", silence=60.0)
    nothing_held = story.losses.add(100.0, "tcp://b:0", "b", 1, (), running=1)
    assert nothing_held.view()["seconds"] == 60.0


def test_a_worker_that_comes_back_keeps_its_lane(story: Story) -> None:
    story.lose(10.0, "tcp://a:0", (), running=0)
    story.tick(11.0)
    assert snapshot(story, 11.0)["workers"][0]["state"] == "away"
    story.join(13.0, "tcp://a:9", nanny="tcp://n:0", name="0", threads=1, memory_limit=100)
    told = snapshot(story, 14.0)
    assert len(told["workers"]) == 2
    assert (told["workers"][0]["address"], told["workers"][0]["restarts"]) == ("tcp://a:9", 1)
    assert told["losses"][0]["back_after"] == 3.0


def test_what_is_kept_is_bounded_and_all_is_counted(story: Story) -> None:
    for number in range(KEPT + 50):
        worker = f"tcp://b:{number}"
        story.join(5.0, worker, nanny="", name=worker, threads=1, memory_limit=1)
        story.lose(6.0, worker, {f"x-{number}"}, running=0)
    for number in range(500):
        tell(story, 7.0, "notice", text=f"notice {number}")
        tell(story, 7.0, "workflow", run=f"n{number}", state="started", workflow="w", stages=["a"])
        tell(story, 7.0, "workflow", run=f"n{number}", state="done")
    told = snapshot(story, 8.0)
    assert len(told["losses"]) == SHOWN
    assert sum(told["loss_counts"].values()) == KEPT + 50
    assert len(told["warnings"]) == 200
    assert len(told["workflows"]) <= 22
    assert len(json.dumps(told)) < 800_000


def test_warnings_that_come_again_are_counted(story: Story) -> None:
    for now in (5.0, 6.0, 9.0):
        story.advice.tell(now, "failed", "read", "A task of read failed: token=abc")
    (warning,) = snapshot(story, 9.0)["warnings"]
    assert (warning["count"], warning["first"], warning["last"]) == (3, 5.0, 9.0)
    assert warning["text"] == "A task of read failed: token=***"


def test_a_warning_that_lasts_is_told_once(story: Story) -> None:
    found = {("memory", "0"): "Worker 0 holds much."}
    for now in (5.0, 6.0):
        story.advice.now(now, found)
    story.advice.now(7.0, {})
    story.advice.now(8.0, found)
    (warning,) = snapshot(story, 9.0)["warnings"]
    assert (warning["count"], warning["last"]) == (2, 8.0)


def test_lanes_get_coarser_and_keep_what_is_worth_seeing() -> None:
    lanes = Lanes(0.0)
    for second in range(1000):
        lanes.paint(float(second), {0: "p" if second == 500 else "b"})
    assert lanes.step == 8.0
    assert lanes.count == len(lanes.text(0)) == 125
    assert set(lanes.text(0)) == {"b", "p"}


def test_the_history_of_a_run_goes_to_its_manifest(story: Story) -> None:
    story.losses.learn("tcp://a:0", "nanny: code -9", exit_code=-9)
    story.lose(10.0, "tcp://a:0", {"x-1"}, running=1)
    story.advice.tell(11.0, "failed", "read", "A task failed.", workflow="r1")
    rounds(story, 1, 5)
    history = history_of(snapshot(story, 20.0), "r1")
    assert history["workers_lost"][0]["cause"] == "killed"
    assert history["trainings"][0]["rounds"] == 4
    assert history["cluster_warnings"] == ["A task failed."]
    assert history_of(snapshot(story, 20.0), "r2")["workers_lost"] == []


def test_a_search_tells_trials_done_of_all_pruned_ones_and_the_best_so_far() -> None:
    story = Story(now=0.0)
    told = {"kind": "search", "search": "a", "state": "running", "total": 10, "metric": "auc"}
    story.hear(1.0, {**told, "done": 0, "pruned": 0, "failed": 0, "running": 2, "best": None})
    story.hear(3.0, {**told, "done": 4, "pruned": 1, "failed": 1, "running": 2, "best": 0.8})
    (search,) = snapshot(story, 5.0)["searches"]
    assert (search["done"], search["total"], search["pruned"], search["failed"]) == (4, 10, 1, 1)
    assert (search["best"], search["metric"], search["seconds"]) == (0.8, "auc", 4.0)
    ended = {"state": "ended", "done": 10, "pruned": 6, "failed": 1, "running": 0, "best": 0.9}
    story.hear(6.0, {**told, **ended})
    (search,) = snapshot(story, 99.0)["searches"]
    assert (search["state"], search["seconds"], search["best"]) == ("done", 5.0, 0.9)
