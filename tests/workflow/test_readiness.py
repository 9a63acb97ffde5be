"""What would stop a job in the middle is told before it begins, with what to do."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client, LocalCluster

from dmlkit.cluster.place import Place
from dmlkit.cluster.room import room_of
from dmlkit.errors import ClusterError, OutputError
from dmlkit.workflow import TABLE, Run, Settings, Workflow, readiness, run_workflow
from dmlkit.workflow.output import check_output
from dmlkit.workflow.readiness import Needs, check_readiness
from tests import jobs

MIB = 1 << 20


class Nothing(Settings):
    pass


def copying_job() -> Workflow:
    job = Workflow("copying", Nothing, "Copies a table.")

    @job.stage(keep=TABLE)
    def copy(run: Run) -> pd.DataFrame:
        raise AssertionError("the job has begun")

    return job


def test_a_disk_that_is_too_small_for_the_results_is_told_before_the_job(
    client: Client, tiny_disk: Path, tmp_path: Path
) -> None:
    data = tmp_path / "table.csv"
    data.write_bytes(b"a\n" + b"1\n" * (5 * MIB))
    message = r"output folder '.*tiny/out' .*8.00 MiB free.*writes about 10.00 MiB.*larger disk"
    with pytest.raises(OutputError, match=message):
        run_workflow(copying_job(), data=str(data), out=tiny_disk / "out")
    assert not (tiny_disk / "out").exists()


def test_a_folder_that_workers_do_not_share_is_told_before_the_job(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(room_of("/"), can_write=False, open_files=math.inf)
    monkeypatch.setattr(readiness, "look_around", lambda _: place)
    with pytest.raises(OutputError, match=r"\(and 1 more\) can't write to .* all workers share"):
        check_readiness(client, tmp_path, Needs(), shared=True)
    assert check_readiness(client, tmp_path, Needs(), shared=False) == []


def test_disks_that_workers_share_must_hold_what_all_of_them_move_there(
    client: Client, tmp_path: Path
) -> None:
    free = room_of("/").free
    workers = client.run(lambda dask_worker: room_of(dask_worker.local_directory).free)
    assert check_readiness(client, tmp_path, Needs(spilled=MIB), shared=True) == []
    message = r"2 workers will move about .* Give workers more memory.*--local-directory"
    with pytest.raises(ClusterError, match=message):
        check_readiness(
            client, tmp_path, Needs(spilled=int(0.7 * max(*workers.values(), free))), shared=True
        )


def test_results_and_what_workers_move_to_the_same_disk_must_go_there_together(
    tmp_path: Path,
) -> None:
    together = room_of(tmp_path)
    needs = Needs(output=int(0.7 * together.free), spilled=int(0.2 * together.free))
    readiness._check_spill_disks([together], needs, None)
    elsewhere = replace(together, device=together.device + 1)
    readiness._check_spill_disks([together], needs, elsewhere)
    with pytest.raises(ClusterError, match=r"move about .* there, .*, beside .* of results"):
        readiness._check_spill_disks([together] * 2, needs, together)
    # What is written is held against its own disk where nothing is moved there.
    readiness._check_spill_disks([together], replace(needs, spilled=0), together)


def test_workers_that_move_results_to_memory_are_warned_of(tiny_disk: Path, tmp_path: Path) -> None:
    with (
        LocalCluster(
            n_workers=1,
            processes=False,
            threads_per_worker=1,
            local_directory=str(tiny_disk),
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        (caution,) = check_readiness(client, tmp_path, Needs(spilled=MIB), shared=True)
        assert re.search("tmpfs.*stays in memory.*DASK_TEMPORARY_DIRECTORY", caution)
        with pytest.raises(ClusterError, match=r"8.00 MiB free, and a worker will move about 16"):
            check_readiness(client, tmp_path, Needs(spilled=16 * MIB), shared=True)


def test_few_open_files_of_a_worker_are_warned_of(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "open_files_needed", lambda _: 10**9)
    (caution,) = check_readiness(client, tmp_path, Needs(), shared=True)
    assert re.search(r"`ulimit -n`\), and one of 2 workers may need 1,000,000,000", caution)


def test_an_output_folder_that_cannot_be_is_told_without_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    outcome = jobs.dmlkit("run", "fraud-detection", "--out", tmp_path / "file" / "out")
    assert outcome.code == 1
    assert "is a file" in outcome.stderr
    assert "Dashboard" not in outcome.stderr
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OutputError, match="read-only, or not of this user"):
        check_output(tmp_path / "new" / "out")


def test_workers_load_nothing_large_to_answer() -> None:
    asked = (
        "import sys, dmlkit.cluster.place; print({'xgboost', 'pandas', 'numba'} & {*sys.modules})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "set()"
    assert readiness.look_around.__module__ == "dmlkit.cluster.place"
