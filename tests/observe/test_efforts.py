"""Who does how much of a training, and whom the others wait for: as data, and of a real one."""

import numpy as np
import pandas as pd
import pytest
from dask import dataframe as dd
from distributed import Client

from dmlkit.boosting import XGBClassifier
from dmlkit.boosting.effort import worked
from dmlkit.observe import install, take_snapshot
from dmlkit.observe.cautions import cautions
from dmlkit.observe.efforts import ShardEffort, efforts_by_worker, held_up_by
from dmlkit.observe.sampling import look_at_workers
from dmlkit.observe.story import Story
from dmlkit.observe.wording import efforts_in_words
from tests.observe.test_cautions import scheduler, worker
from tests.observe.test_losses_of_workers import until
from tests.observe.test_story import rounds, snapshot, story, tell

__all__ = ["story"]  # a fixture


def share(story: Story, shard: int, seconds: float, rows: int = 100) -> None:
    where = {"attempt": "t", "worker": f"tcp://a:{shard}", "shard": shard}
    story.trainings.effort({**where, "rows": rows, "rounds": 10, "worked": 10 * seconds})


@pytest.fixture
def trained(story: Story) -> Story:
    facts = {"attempt": "t", "rounds": 100, "workers": {}, "early_stopping_rounds": None}
    tell(story, 5.0, "training-attempt", training="m", **facts)
    rounds(story, 1, 10)
    return story


def test_the_slowest_worker_comes_first_with_its_share_of_the_rows(trained: Story) -> None:
    share(trained, 0, 0.2, rows=300)
    share(trained, 1, 0.5, rows=100)
    (told,) = snapshot(trained, 12.0)["trainings"]
    assert [(each["worker"], each["rows"], each["share"]) for each in told["efforts"]] == [
        ("tcp://a:1", 100, 0.25),
        ("tcp://a:0", 300, 0.75),
    ]
    assert efforts_in_words(told, {"tcp://a:1": "one"}) == [
        "worker one: 25% of the rows, works 500 ms of 1.0 s a round, the slowest",
        "worker tcp://a:0: 75% of the rows, works 200 ms of 1.0 s a round",
    ]


def test_a_new_attempt_begins_anew_and_an_unknown_one_is_left_out(trained: Story) -> None:
    share(trained, 0, 0.2)
    tell(trained, 9.0, "training-attempt", training="m", attempt="t2", rounds=100, workers={})
    assert snapshot(trained, 12.0)["trainings"][0]["efforts"] == []
    trained.trainings.effort(
        {"attempt": "x", "worker": "w", "shard": 0, "rows": 1, "rounds": 1, "worked": 1.0}
    )
    assert snapshot(trained, 12.0)["trainings"][0]["efforts"] == []


def test_the_shards_of_one_worker_work_side_by_side() -> None:
    of = [ShardEffort("a", 10, 10, 1.0), ShardEffort("a", 10, 10, 3.0), ShardEffort("b", 20, 10, 2)]
    told = efforts_by_worker(of)
    assert [(each["worker"], each["shards"], each["seconds"]) for each in told] == [
        ("a", 2, 0.3),
        ("b", 1, 0.2),
    ]


@pytest.mark.parametrize(
    ("seconds", "times"),
    [([1.0], None), ([1.0, 0.9], None), ([0.01, 0.001], None), ([3.0, 1.0, 1.0], 3.0)],
)
def test_a_worker_that_holds_the_others_up_is_told(
    seconds: list[float], times: float | None
) -> None:
    efforts = efforts_by_worker(ShardEffort(str(at), 9, 1, of) for at, of in enumerate(seconds))
    found = held_up_by(efforts)
    assert (found and found[1]) == times


def test_it_is_warned_of_while_it_trains(trained: Story) -> None:
    share(trained, 0, 0.2)
    share(trained, 1, 0.9)
    there = scheduler(a0=worker(), a1=worker())
    told = cautions(trained, there)["slowest", "m tcp://a:1"]
    assert "Worker 1 works 4.5 times as long in each round" in told
    tell(trained, 13.0, "training-end", done=True)
    assert cautions(trained, there) == {}


def test_work_counts() -> None:
    before = worked()
    while worked() == before:
        pass
    assert worked() > before


def test_each_worker_of_a_real_training_tells_its_part(client: Client) -> None:
    install(client)
    random = np.random.default_rng(0)
    columns = {f"x{number}": random.random(4000) for number in range(5)}
    table = pd.DataFrame({**columns, "y": random.integers(0, 2, 4000)})
    frame = dd.from_pandas(table, npartitions=4)
    model = XGBClassifier(n_estimators=40, shards=2, max_bin=64)
    model.fit(frame[list(columns)], frame["y"])
    workers = set(client.scheduler_info()["workers"])

    def told() -> list:
        efforts = take_snapshot(client)["trainings"][0]["efforts"]
        return [each for each in efforts if each["worker"] in workers and each["rows"] == 2000]

    assert until(lambda: len(told()) == 2)
    assert all(0 < each["seconds"] < 10 for each in told())


def test_a_worker_that_lends_its_threads_is_busy_and_not_idle(story: Story) -> None:
    facts = {"attempt": "t", "rounds": 100, "workers": {}, "early_stopping_rounds": None}
    tell(story, 10.0, "training-attempt", **facts, lend=["tcp://a:1"])
    there = scheduler(a0=worker(), a1=worker())

    def states() -> list[str]:
        look_at_workers(story, there, interval=1.0)
        return [place.state for place in story.places]

    assert states() == ["idle", "busy"]
    tell(story, 11.0, "training-end", done=True)
    assert states() == ["idle", "idle"]


def test_a_training_without_a_workflow_is_told_to_be_over(client: Client) -> None:
    install(client)
    table = pd.DataFrame({"x": np.arange(100.0), "y": np.arange(100) % 2})
    XGBClassifier(n_estimators=3).fit(table[["x"]], table["y"])

    def newest() -> str:
        return max(take_snapshot(client)["trainings"], key=lambda each: each["started"])["state"]

    assert until(lambda: newest() == "done")
