"""The plan of the fraud job beside what the job did: rows, partitions and files."""

import json
from pathlib import Path

import dask
import pytest

from dmlkit import read_table
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.workflow import WorkflowPlan, find_workflow, load_configuration
from tests import jobs

job = find_workflow("fraud-detection")
TWO = WorkerSizes(workers=2, threads=1, limit=2 << 30)


@pytest.fixture(scope="module")
def plan(transactions_path: Path) -> WorkflowPlan:
    settings = load_configuration(job.configuration, assignments=jobs.QUICK)
    return job.plan(str(transactions_path), configuration=settings, workers=TWO)


def test_the_plan_names_what_the_job_does(plan: WorkflowPlan, finished_job: Path) -> None:
    manifest = json.loads((finished_job / "manifest.json").read_text())
    done = {stage["name"]: stage["rows"] for stage in manifest["stages"]}
    planned = {stage.name: stage for stage in plan.stages}
    assert [*planned] == [name for name in done if name != "read"]
    assert planned["validate"].rows == planned["features"].rows == done["features"]
    metrics = json.loads((finished_job / "metrics.json").read_text())
    assert planned["train"].rows == pytest.approx(metrics["train.rows"], rel=0.1)
    assert planned["score"].rows == pytest.approx(done["score"], rel=0.2)
    assert plan.exact


def test_partitions_and_files_are_about_those_of_the_job(
    plan: WorkflowPlan, finished_job: Path
) -> None:
    features = next(stage for stage in plan.stages if stage.name == "features")
    kept = finished_job / "stages" / "features"
    assert features.partitions == len(list(kept.glob("*.parquet")))
    largest = max(
        part.memory_usage(index=False).sum()
        for part in (each.compute(scheduler="synchronous") for each in read_table(kept).partitions)
    )
    split = next(stage for stage in plan.stages if stage.name == "split")
    assert split.partition_bytes == pytest.approx(largest, rel=0.05)
    size = sum(file.stat().st_size for file in kept.rglob("*") if file.is_file())
    assert size / 3 < features.written < 3 * size  # few rows pack as those of the input by chance


def test_generated_transactions_are_planned_too() -> None:
    plan = job.plan(workers=TWO)
    assert plan.stages[0].rows == pytest.approx(262_383, rel=0.02)
    assert (plan.exact, plan.fits) == (False, True)


def test_a_table_with_times_as_text_trains_on_all_rows_at_most(
    transactions_path: Path, tmp_path: Path
) -> None:
    rows = read_table(transactions_path).compute(scheduler="synchronous").head(2000)
    rows.to_csv(tmp_path / "table.csv", index=False)
    stages = {stage.name: stage for stage in job.plan(str(tmp_path), workers=TWO).stages}
    assert stages["train"].rows == stages["validate"].rows == pytest.approx(2000, rel=0.01)


def test_a_small_worker_is_refused(transactions_path: Path) -> None:
    outcome = jobs.dmlkit(
        *("plan", "fraud-detection", "--data", transactions_path),
        *("--workers", "2", "--memory", "256MiB"),
    )
    assert outcome.code == 1
    assert "does not fit" in outcome.stderr
    assert "features" in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    as_json = jobs.dmlkit(
        *("plan", "fraud-detection", "--data", transactions_path, "--json"),
        *("--workers", "2", "--memory", "256MiB"),
    )
    assert as_json.code == 1
    assert json.loads(as_json.stdout)["fits"] is False


def test_a_disk_of_this_machine_that_is_too_small_is_told(tiny_disk: Path) -> None:
    size = ["--set", "generate.customers=100000", "--set", "generate.terminals=200000"]
    here = ["--set", "cluster.workers=2", "--set", "cluster.memory=2GiB", "--json"]
    there = ["--workers", "2", "--memory", "2GiB"]
    with dask.config.set({"temporary-directory": str(tiny_disk)}):
        outcome = jobs.dmlkit("plan", "fraud-detection", *size, *here)
        thought_of = jobs.dmlkit("plan", "fraud-detection", *size, *there)
    told = json.loads(outcome.stdout)
    assert (outcome.code, told["fits"]) == (1, False)
    assert "8.00 MiB free, and 2 workers will move about" in told["advice"]
    assert thought_of.code == 0  # nobody knows its disk


@pytest.mark.parametrize(
    ("arguments", "what", "code"),
    [
        (["fraud-detect", "--data", "x"], "nearest: 'fraud-detection'", 2),
        (["fraud-detection", "--data", "x/y"], "no file or folder 'x/y'", 1),
        (["fraud-detection", "--set", "split.days=3"], "Unknown setting 'split.days'", 2),
        (["fraud-detection", "--without", "fraud"], "has its settings", 2),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(arguments: list[str], what: str, code: int) -> None:
    outcome = jobs.dmlkit("plan", *arguments)
    assert outcome.code == code
    assert what in outcome.stderr
    assert "Traceback" not in outcome.stderr
