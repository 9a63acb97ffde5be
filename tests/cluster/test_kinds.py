"""Clusters that settings describe: started, of the sizes asked for, and gone at the end."""

import inspect
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import LocalCluster

from dmlkit.cluster import ClusterSettings, cluster_of, current_client
from dmlkit.cluster.certificates import make_certificates
from dmlkit.cluster.kinds import EXTRAS
from dmlkit.errors import ClusterError, ConfigurationError
from tests import jobs

#: Stands for Slurm: runs the script of a job at once, and ends it when it is cancelled.
#: (The file is gone once this has returned.)
SBATCH = """#!/bin/sh
script=$(cat "$1")
setsid sh -c "$script" >"$(dirname "$0")/job.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = "#!/bin/sh\nkill -- -$1; true\n"


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.1)
    return what()


def test_a_local_cluster_grows_with_the_work_up_to_its_bound() -> None:
    settings = ClusterSettings(minimum=1, maximum=2, threads=1, memory="512MiB")
    with cluster_of(settings) as client:
        assert current_client() is client
        assert len(client.nthreads()) == 1
        limits = {each["memory_limit"] for each in client.scheduler_info()["workers"].values()}
        assert limits == {512 << 20}
        waiting = client.map(time.sleep, [1.0] * 40, pure=False)
        assert wait_for(lambda: len(client.nthreads()) == 2)
        client.cancel(waiting)
        cluster = client.cluster
    assert cluster.status.name == "closed"


def test_a_running_scheduler_is_left_as_it_is(scheduler: str) -> None:
    with cluster_of(ClusterSettings(address=scheduler)) as client:
        assert client.scheduler.address == scheduler
    with cluster_of(ClusterSettings(address=scheduler)) as client:
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_job_runs_on_the_cluster_of_its_configuration(scheduler: str, tmp_path: Path) -> None:
    config = tmp_path / "job.toml"
    config.write_text(f'[cluster]\naddress = "{scheduler}"\n')
    described = jobs.dmlkit("clusters", "describe", "--config", config)
    assert f"Scheduler {scheduler}" in described.stdout
    listed = jobs.dmlkit("clusters", "list", "--config", config)
    assert f"the scheduler at {scheduler}" in listed.stdout
    planned = jobs.dmlkit("plan", "fraud-detection", "--config", config, "--json")
    assert '"workers": 2' in planned.stdout
    gateway = ("--set", "cluster.kind=gateway", "--set", "cluster.address=http://gateway")
    unknown = jobs.dmlkit("plan", "fraud-detection", *gateway)
    assert unknown.code == 2
    assert "say --workers and --memory" in unknown.stderr


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "gateway", ("dask-gateway", "no_such_module"))
    settings = ClusterSettings(kind="gateway", address="http://gateway")
    with (
        pytest.raises(ClusterError, match=r"pip install 'dmlkit\[gateway\]'"),
        cluster_of(settings),
    ):
        pass


def test_plain_tcp_is_for_those_who_allow_it() -> None:
    settings = ClusterSettings(kind="slurm", workers=1, memory="1GiB")
    with pytest.raises(ConfigurationError, match="insecure = true"), cluster_of(settings):
        pass


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    pytest.importorskip("dask_jobqueue")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    certificates = make_certificates(tmp_path / "certs").folder
    options = {
        "python": sys.executable,
        "interface": "lo",
        "local_directory": str(tmp_path),
        "log_directory": str(tmp_path),
        "queue": "short",
        "death_timeout": 30,
    }
    return {
        "kind": "slurm",
        "threads": 1,
        "memory": "1GiB",
        "certificates": str(certificates),
        "options": options,
    }


def test_slurm_starts_workers_that_speak_tls_and_keep_memory(slurm: dict[str, Any]) -> None:
    with cluster_of(ClusterSettings(**slurm, workers=1, wait=60)) as client:
        assert client.scheduler.address.startswith("tls://")
        script = client.cluster.job_script()
        assert "#SBATCH -p short" in script
        assert "#SBATCH --cpus-per-task=1" in script
        kept = client.submit(lambda: __import__("os").environ["MALLOC_TRIM_THRESHOLD_"]).result()
        assert kept == str(64 << 20)
        assert client.dashboard_link.startswith("http://127.0.0.1:")
        assert "--dashboard-address 127.0.0.1:0" in script


def test_workers_that_never_come_are_told_of(slurm: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "bin" / "sbatch").write_text('#!/bin/sh\necho "Submitted batch job 1"\n')
    (tmp_path / "bin" / "scancel").write_text("#!/bin/sh\n")
    settings = ClusterSettings(**slurm, workers=2, wait=0.5)
    with (
        pytest.raises(ClusterError, match=r"Of 2 workers 0 came within 0.5 seconds \(slurm, 2"),
        cluster_of(settings),
    ):
        pass


def test_an_option_that_the_library_does_not_have_is_named(slurm: dict[str, Any]) -> None:
    slurm["options"] |= {"quueue": "short"}
    with (
        pytest.raises(ConfigurationError, match=r"cluster.options has 'quueue'.*dask-jobqueue"),
        cluster_of(ClusterSettings(**slurm, workers=1)),
    ):
        pass


def stand_in(monkeypatch: pytest.MonkeyPatch, kind: str, name: str) -> dict[str, Any]:
    """Let a local cluster stand for a library's, and hold what it is given against the library."""
    package, module = EXTRAS[kind]
    signature = inspect.signature(getattr(pytest.importorskip(module), name))
    given: dict[str, Any] = {}

    def make(**arguments: Any) -> LocalCluster:
        signature.bind(**arguments)
        given.update(arguments)
        return LocalCluster(n_workers=0, dashboard_address=None, processes=False)

    monkeypatch.setitem(sys.modules, "stand_in", SimpleNamespace(**{name: make}))
    monkeypatch.setitem(EXTRAS, kind, (package, "stand_in"))
    return given


def test_a_gateway_is_asked_for_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    given = stand_in(monkeypatch, "gateway", "GatewayCluster")
    settings = ClusterSettings(
        kind="gateway", address="http://gateway", workers=1, options={"worker_memory": 4}
    )
    with cluster_of(settings) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    assert given == {"address": "http://gateway", "worker_memory": 4}


def test_kubernetes_is_given_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    given = stand_in(monkeypatch, "kubernetes", "KubeCluster")
    settings = ClusterSettings(
        kind="kubernetes",
        minimum=1,
        maximum=3,
        threads=2,
        memory="4GiB",
        insecure=True,
        options={"image": "dmlkit:1", "env": {"A": "b"}},
    )
    with cluster_of(settings) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    sizes = {"cpu": "2", "memory": str(4 << 30)}
    assert given["resources"] == {"requests": sizes, "limits": sizes}
    assert (given["n_workers"], given["image"]) == (1, "dmlkit:1")
    assert given["env"] == {"A": "b", "MALLOC_TRIM_THRESHOLD_": str(256 << 20)} | {
        name: given["env"][name] for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX")
    }
