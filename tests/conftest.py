"""Fixtures that many tests share: a cluster inside this process, and one of real processes."""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dask
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from hypothesis import settings

from tests import jobs

# How long an example takes tells of the machine, and of what is compiled in a first call.
settings.register_profile("dmlkit", deadline=None)
settings.load_profile("dmlkit")

# How long stages took is remembered for users, not for tests.
os.environ["DMLKIT_CACHE"] = tempfile.mkdtemp(prefix="dmlkit-tests-")
atexit.register(shutil.rmtree, os.environ["DMLKIT_CACHE"], ignore_errors=True)

# On a busy machine a worker takes longer to come back than Dask keeps its place.
dask.config.set({"distributed.deploy.lost-worker-timeout": "2 minutes"})


@pytest.fixture(scope="session")
def process_cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def client(process_cluster: LocalCluster) -> Iterator[Client]:
    """A current client on two worker processes of one thread each."""
    with Client(process_cluster) as client:
        yield client


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a real file system, a tmpfs, of 8 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def in_this_process() -> Iterator[None]:
    """Compute with no cluster and no threads."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def scheduler(process_cluster: LocalCluster) -> str:
    """The address of the shared cluster."""
    return process_cluster.scheduler_address


@pytest.fixture(scope="session")
def transactions() -> pd.DataFrame:
    """A small table of generated card transactions."""
    return jobs.small_table()


@pytest.fixture(scope="session")
def transactions_path(transactions: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small table in three Parquet files."""
    folder = tmp_path_factory.mktemp("tables") / "transactions"
    jobs.write_in_parts(transactions, folder, files=3)
    return folder


@pytest.fixture(scope="session")
def finished_job(
    transactions_path: Path,
    process_cluster: LocalCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The output folder of a fraud job on the small table. Tests do not change it."""
    out = tmp_path_factory.mktemp("jobs") / "out"
    outcome = jobs.dmlkit(
        *("run", "fraud-detection", "--data", transactions_path, "--out", out, "--json"),
        *("--scheduler", process_cluster.scheduler_address, *jobs.QUICK_OPTIONS),
    )
    assert outcome.code == 0, outcome.stderr
    (out.parent / "stdout.json").write_text(outcome.stdout)
    (out.parent / "stderr.txt").write_text(outcome.stderr)
    return out
