"""The plan of a finished job beside what its manifest tells."""

import json
from pathlib import Path
from typing import Any

import pytest

from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.workflow import StagePlan, find_workflow

TWO = WorkerSizes(workers=2, threads=1, limit=2 << 30)


def planned_and_done(out: Path) -> tuple[dict[str, StagePlan], dict[str, Any]]:
    """Return what was planned of each stage, and what it did, of the job that made a folder."""
    manifest = json.loads((out / "manifest.json").read_text())
    job = find_workflow(manifest["workflow"])
    settings = job.configuration.model_validate(manifest["configuration"])
    plan = job.plan(manifest["data"], configuration=settings, workers=TWO)
    done = {stage["name"]: stage for stage in manifest["stages"]}
    return {stage.name: stage for stage in plan.stages}, done


def check_plan(out: Path, rows: dict[str, float]) -> None:
    """Check that a plan has the job's stages, the rows of its table, and about those of others.

    `rows` are, by stage, how far off they may be, as a share.
    """
    planned, done = planned_and_done(out)
    assert [*planned] == [name for name in done if name != "read"]
    for name, tolerance in rows.items():
        assert planned[name].rows == pytest.approx(done[name]["rows"], rel=tolerance), name
    written = sum(stage.written for stage in planned.values())
    there = sum(file.stat().st_size for file in out.rglob("*.parquet"))
    assert there / 4 < written < 4 * there
