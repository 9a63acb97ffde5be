"""How long a run still takes, from earlier runs that are like it: as data."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dmlkit.observe import schema
from dmlkit.observe.left import workflow_left
from dmlkit.observe.runs import RunRecord, Runs, StageProgress

COLD = {"read": 20.0, "build": 30.0, "train": 40.0, "judge": 10.0}
WARM = {"read": 2.0, "build": 5.0, "train": 10.0, "judge": 8.0}


def run_in(
    stage: str,
    done: Mapping[str, float],
    earlier: Sequence[Mapping[str, Any]],
    rows: int | None = None,
    size: int | None = None,
    planned: Mapping[str, int] | None = None,
) -> RunRecord:
    """A run whose stages `done` took so many seconds, and which is now in another."""
    stages = list(COLD)
    told = {"run": "r", "workflow": "w", "stages": stages, "earlier": earlier, "size": size}
    told["planned"] = planned
    run = Runs().begin(0.0, told)
    for each in run.stages:
        if each.name in done:
            each.state, each.seconds, each.rows = "done", done[each.name], rows
    current = next(each for each in run.stages if each.name == stage)
    current.state, current.started = "running", sum(done.values())
    return run


def middle(run: RunRecord, now: float, training: schema.Range | None = None) -> float:
    left, _ = workflow_left(run, now, training)
    assert left is not None
    return (left["low"] + left["high"]) / 2


def test_without_an_earlier_run_nothing_is_told() -> None:
    assert workflow_left(run_in("build", {"read": 2.0}, []), 2.0) == (None, None)


def test_an_earlier_run_of_other_stages_says_nothing() -> None:
    other = [{"seconds": {"read": 2.0, "build": 5.0}}]
    assert workflow_left(run_in("build", {"read": 2.0}, other), 2.0) == (None, None)


@pytest.mark.parametrize(("read", "left"), [(20.0, 80.0), (2.0, 23.0)])
@pytest.mark.parametrize("order", [(COLD, WARM), (WARM, COLD)])
def test_the_earlier_run_counts_that_this_one_is_like(
    read: float, left: float, order: Sequence[Mapping[str, float]]
) -> None:
    run = run_in("build", {"read": read}, [{"seconds": each} for each in order])
    assert middle(run, read) == pytest.approx(left, rel=0.3)


def test_a_run_that_is_slower_than_the_only_earlier_one_is_expected_to_stay_so() -> None:
    done = {"read": 40.0, "build": 60.0}
    assert middle(run_in("train", done, [{"seconds": COLD}]), 100.0) == pytest.approx(100, rel=0.2)


@pytest.mark.parametrize(
    ("facts", "now"),
    [({"size": 40_000}, {"size": 80_000}), ({"rows": {"read": 100}}, {"rows": 200})],
)
def test_more_rows_take_longer_than_fewer(facts: dict[str, Any], now: dict[str, int]) -> None:
    run = run_in("build", {"read": 39.0}, [{"seconds": COLD, **facts}], **now)
    assert middle(run, 39.0) == pytest.approx(2 * 80.0, rel=0.1)


def test_rows_that_are_planned_tell_before_the_first_stage_is_done() -> None:
    earlier = [{"seconds": COLD, "rows": {"read": 1000}}]
    run = run_in("read", {}, earlier, planned={"read": 3000, "build": 3000})
    assert middle(run, 0.0) == pytest.approx(3 * 100.0, rel=0.1)


def test_a_training_that_takes_longer_than_expected_may_stop_late_or_early() -> None:
    run = run_in("train", {"read": 2.0, "build": 5.0}, [{"seconds": WARM}])
    assert isinstance(run.current, StageProgress)
    run.current.stir(30.0)
    assert middle(run, 30.0, {"low": 4.0, "high": 40.0}) == pytest.approx(22 + 8, rel=0.1)


def test_a_stage_that_takes_longer_than_expected_still_takes_a_while() -> None:
    run = run_in("judge", {"read": 2.0, "build": 5.0, "train": 10.0}, [{"seconds": WARM}])
    assert [middle(run, now) for now in (17.0, 21.0)] == pytest.approx([8.0, 4.0], rel=0.1)
    assert 3.0 < middle(run, 17.0 + 30.0) < 9.0


def test_rounds_of_a_training_bound_what_is_left_of_its_stage() -> None:
    run = run_in("train", {"read": 2.0, "build": 5.0}, [{"seconds": WARM}])
    assert isinstance(run.current, StageProgress)
    run.current.stir(12.0)
    judge = WARM["judge"]
    assert middle(run, 12.0) == pytest.approx(5.0 + judge, rel=0.1)
    assert middle(run, 12.0, {"low": 60.0, "high": 90.0}) == pytest.approx(60 + judge, rel=0.1)
    assert middle(run, 12.0, {"low": 0.5, "high": 1.0}) == pytest.approx(5.0 + judge, rel=0.1)


def test_a_run_elsewhere_is_a_guess_with_a_wide_range() -> None:
    there = {"seconds": COLD, "rows": {"read": 100}, "elsewhere": True}
    left, share = workflow_left(run_in("build", {"read": 4.0}, [there], rows=20), 4.0)
    assert left is not None
    assert left["low"] < 16 < left["high"]
    assert left["high"] > 3 * left["low"]
    assert 0 < (share or 0) < 0.5
