"""The plan of a job: what fits, what goes to disk, what is refused, and how that is told."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client

from dmlkit.boosting.memory import TableSize
from dmlkit.boosting.memory_check import plan_on_workers
from dmlkit.cluster.sizes import WorkerSizes, sizes_of
from dmlkit.errors import PlanError
from dmlkit.observe import Event, Notice
from dmlkit.workflow import Run, Settings, StagePlan, Workflow, WorkflowPlan, run_workflow
from dmlkit.workflow.plan import WORKER_ITSELF
from dmlkit.workflow.planning import (
    PlannedTable,
    check_stage,
    reading_stage,
    shuffling_stage,
    training_stage,
)

MIB, GIB = 1 << 20, 1 << 30
TWO = WorkerSizes(workers=2, threads=1, limit=2 * GIB)
LARGE = PlannedTable.even(rows=10_000_000, row=100, partitions=10)


class Nothing(Settings):
    pass


def plan_of(*stages: StagePlan, there: WorkerSizes = TWO) -> WorkflowPlan:
    return WorkflowPlan("some-job", "table/", there, stages)


def test_what_waits_goes_to_disk_and_what_is_worked_on_does_not() -> None:
    stage = StagePlan("mix", 10, 2, MIB, held=2 * GIB, working=GIB, written=7)
    plan = plan_of(stage)
    assert plan.fits
    assert plan.needs.spilled == 2 * GIB
    assert plan.needs.output == 7
    assert plan.peak == max(WORKER_ITSELF + GIB, int(0.8 * 2 * GIB))
    assert "2.00 GiB on the disk of each" in plan.advice
    without_limit = plan_of(stage, there=replace(TWO, limit=0))
    assert (without_limit.fits, without_limit.needs.spilled) == (True, 0)
    assert without_limit.peak == WORKER_ITSELF + 3 * GIB


def test_a_job_that_cannot_fit_is_refused_with_advice() -> None:
    light, heavy = (StagePlan(n, 1, 1, 1, working=w) for n, w in (("a", MIB), ("b", 2 * GIB)))
    plan = plan_of(light, heavy)
    assert not plan.fits
    with pytest.raises(PlanError, match=r"'some-job' on 2 workers.*'b' takes 2.34 GiB.*3.34 GiB"):
        plan.check()
    assert issubclass(PlanError, MemoryError)
    assert "Fewer threads" in replace(plan, there=replace(TWO, threads=4)).advice


def test_kept_partitions_are_read_together() -> None:
    small = PlannedTable.even(rows=1_000_000, row=100, partitions=10)  # 9.5 MiB each
    kept = small.kept()
    assert (kept.partitions, kept.largest, kept.rows) == (1, 100_000_000, 1_000_000)
    assert LARGE.kept() == LARGE


def test_more_workers_hold_less_and_more_threads_work_on_more() -> None:
    eight, threads = replace(TWO, workers=8), replace(TWO, threads=4)
    keys = check_stage("check", TWO, LARGE, unique=True)
    assert check_stage("check", eight, LARGE, unique=True).held == keys.held // 4
    assert keys.working > check_stage("check", TWO, LARGE, unique=False).working
    one = reading_stage("read", TWO, LARGE).working
    assert one < reading_stage("read", threads, LARGE).working < 4 * one


def test_a_training_that_is_too_large_is_planned_in_files() -> None:
    size = TableSize(100_000_000, 40, 400)
    stage = training_stage("train", TWO, LARGE, plan_on_workers([size], {}, TWO))
    assert stage.in_files > 8 * GIB
    assert plan_of(stage).needs.spilled == stage.in_files
    small = training_stage(
        "train", TWO, LARGE, plan_on_workers([TableSize(1_000_000, 10, 8)], {}, TWO)
    )
    assert (small.in_files, small.held) == (0, 20_000_000)


def test_features_row_by_row_shuffle_nothing() -> None:
    stage = shuffling_stage("features", TWO, LARGE, [], LARGE)
    assert (stage.shuffled, stage.held, stage.written) == (0, 0, LARGE.written)


def test_a_plan_is_shown_as_text_and_html() -> None:
    plan = plan_of(StagePlan("<mix>", 1234, 2, 5 * MIB, shuffled=20 * GIB, working=GIB))
    assert "1,234  2 x 5 MiB   20 GiB" in str(plan)
    page = plan._repr_html_()
    assert "&lt;mix&gt;" in page
    assert "<mix>" not in page
    assert plan.to_dict()["stages"][0]["memory"] == plan.peak


def job_of(working: int, ran: list[str]) -> Workflow:
    def plans(
        _settings: Nothing, _data: str | None, there: WorkerSizes
    ) -> tuple[list[StagePlan], bool]:
        assert replace(there, room=0, together=1) == TWO
        return [StagePlan("only", 1, 1, 1, working=working)], True

    job = Workflow("some-job", Nothing, "Does it.", makes_data=True, plans=plans)

    @job.stage
    def only(run: Run) -> None:
        ran.append("only")

    return job


def test_a_job_that_cannot_fit_does_not_begin(client: Client, tmp_path: Path) -> None:
    assert replace(sizes_of(client), room=0) == replace(TWO, together=2)
    ran: list[str] = []
    with pytest.raises(PlanError, match="does not fit"):
        run_workflow(job_of(3 * GIB, ran), out=tmp_path / "out")
    assert ran == []
    assert not (tmp_path / "out").exists()


def test_a_job_begins_anyway_with_a_notice(client: Client, tmp_path: Path) -> None:
    ran: list[str] = []
    told: list[Event] = []
    run_workflow(job_of(3 * GIB, ran), out=tmp_path / "out", anyway=True, listeners=[told.append])
    assert ran == ["only"]
    (notice,) = [event.text for event in told if isinstance(event, Notice)]
    assert notice.startswith("It does not fit: the stage 'only'")


def test_of_a_workflow_without_a_plan_the_reading_is_told(tmp_path: Path) -> None:
    job = Workflow("plain", Nothing, "Nothing is known.")
    pd.DataFrame({"a": [1.0, 2.0]}).to_parquet(tmp_path / "a.parquet")
    plan = job.plan(str(tmp_path), workers=TWO)
    assert [(stage.name, stage.rows) for stage in plan.stages] == [("reading the table", 2)]
    assert "no plan of what comes then" in plan.advice
    pd.DataFrame({"b": [1.0]}).to_parquet(tmp_path / "b.parquet")  # a table of its own
    assert job.plan(str(tmp_path), workers=TWO).stages == ()
