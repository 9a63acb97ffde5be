"""The script of a Slurm job, with stubs for what it starts."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "slurm" / "dmlkit.sbatch"
STARTED = 'echo \'{"address": "tls://node:1"}\' >"$3"; exec sleep 60'


def run_script(folder: Path, scheduler: str) -> subprocess.CompletedProcess[str]:
    """Run it where `dask scheduler` is some other command; the file for its address is $3."""
    programs = folder / "bin"
    programs.mkdir()
    stubs = {"dask": scheduler, "srun": "exec sleep 60", "dmlkit": 'echo "dmlkit $*"'}
    for name, text in stubs.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1", "SLURM_MEM_PER_CPU": "1000"}
    environment = os.environ | slurm | {"PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(SCRIPT), "fraud-detection"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_job_runs_on_the_scheduler_that_was_started(tmp_path: Path) -> None:
    done = run_script(tmp_path, STARTED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("dmlkit run fraud-detection --scheduler tls://node:1\n")
    assert not list(tmp_path.glob(".dmlkit-*"))


@pytest.mark.parametrize("scheduler", ["exit 3", "sleep 1; echo 'no such port' >&2; exit 1"])
def test_a_scheduler_that_dies_ends_the_job_with_a_word(tmp_path: Path, scheduler: str) -> None:
    done = run_script(tmp_path, scheduler)
    assert done.returncode == 1
    assert "did not start; dmlkit-7-cluster.log says why" in done.stderr
    assert "dmlkit run" not in done.stdout
    assert not list(tmp_path.glob(".dmlkit-*"))
