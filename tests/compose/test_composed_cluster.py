"""docker-compose.yml as it runs: built, started, used, and a worker killed, with a real engine."""

import json
import os
import signal
import time
from typing import Any

import pytest

from tests.compose import engine
from tests.compose.conftest import TOKEN, Composed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

SMALL = ("--set", "generate.customers=300", "--set", "generate.terminals=600")
#: Debian's own, since nothing can be pulled here; it is asked the same as the image of the file.
PROMETHEUS = """
FROM {base}
RUN apt-get update -q && apt-get install -y -q --no-install-recommends prometheus \
    && mkdir -p /prometheus && chown 65534:65534 /prometheus
ENTRYPOINT ["prometheus"]
"""


def test_all_services_are_healthy(composed: Composed) -> None:
    composed.await_health("scheduler")
    composed.await_health("worker", containers=2)
    composed.await_health("jupyter")
    (certificates,) = composed.containers("certificates")
    assert certificates["State"]["ExitCode"] == 0


def test_a_service_runs_as_a_user_that_can_change_nothing_of_the_image(composed: Composed) -> None:
    tried = "id -u; touch /opt/dmlkit/x 2>&1; ls /certificates/authority"
    told = composed.compose("exec", "-T", "worker", "sh", "-c", tried).split("\n", 1)
    assert told[0] == "1000"
    assert "Read-only file system" in told[1]
    assert "ca-key.pem" not in told[1]


def test_the_fraud_job_runs_through_the_cluster_over_tls(composed: Composed) -> None:
    composed.await_health("worker", containers=2)
    told = composed.compose("run", "--rm", "-T", "job", "fraud-detection", *SMALL)
    assert "roc_auc" in told
    written = composed.compose("exec", "-T", "worker", "ls", "/shared/out/fraud-detection")
    assert {"metrics.json", "report.html", "model", "scores"} <= set(written.split())
    logs = composed.compose("logs", "scheduler", "worker")
    assert "tls://" in logs
    assert "tcp://" not in logs


def test_a_client_without_certificates_gets_nothing(composed: Composed) -> None:
    ask = (
        "import os; os.environ.pop('DASK_CONFIG');"
        "import distributed; distributed.Client('tcp://scheduler:8786', timeout=5)"
    )
    asked = composed.start("exec", "-T", "jupyter", "python", "-c", ask)
    told, _ = asked.communicate(timeout=60)
    assert asked.returncode != 0
    assert "Error" in told
    composed.await_health("scheduler")


def test_a_job_outlives_a_worker_that_is_killed_in_training(composed: Composed) -> None:
    composed.await_health("worker", containers=2)
    options = ("--set", "model.n_estimators=600", "--set", "model.early_stopping_rounds=600")
    shards = ("--set", "model.shards=2")
    job = composed.start(
        *("run", "--rm", "-T", "job", "fraud-detection", "--out", "/shared/killed"),
        *(*SMALL, *options, *shards),
    )
    assert job.stdout is not None
    lines = []
    for line in job.stdout:
        lines.append(line)
        if "split" in line:
            break
    time.sleep(6)  # by now the training has begun; both workers have a part in it
    victim = composed.containers("worker")[0]["State"]["Pid"]
    os.kill(victim, signal.SIGKILL)
    told = "".join(lines) + job.communicate(timeout=600)[0]
    assert job.returncode == 0, told
    manifest = _manifest(composed, "/shared/killed")
    assert manifest["workers_lost"], manifest
    composed.await_health("worker", containers=2)  # the engine has started it again


def test_the_dashboard_and_jupyterlab_open(composed: Composed) -> None:
    composed.await_health("jupyter")
    status, page = composed.get("DASHBOARD_PORT", "/status")
    assert (status, "Dask" in page) == (200, True)
    assert composed.get("DASHBOARD_PORT", "/dmlkit")[0] == 200
    assert composed.get("JUPYTER_PORT", "/api/contents")[0] == 403
    status, found = composed.get(
        "JUPYTER_PORT", "/api/contents/notebooks", Authorization=f"token {TOKEN}"
    )
    assert status == 200
    assert "fraud_detection.ipynb" in found
    connect = "import dmlkit; print(dmlkit.connect().scheduler.address)"
    told = composed.compose("exec", "-T", "jupyter", "python", "-c", connect)
    assert told.strip() == "tls://scheduler:8786"


def test_prometheus_finds_scheduler_and_workers(composed: Composed) -> None:
    file = PROMETHEUS.format(base=composed.environment["BASE_IMAGE"])
    build = ["docker", "build", "--tag", composed.environment["PROMETHEUS_IMAGE"], "-"]
    engine.run(build, composed.environment, input=file)
    composed.compose("--profile", "monitoring", "up", "--detach", "--no-deps", "prometheus")
    composed.await_health("prometheus")
    until = time.monotonic() + 90
    while (up := _targets(composed)) != {"scheduler": ["up"], "workers": ["up", "up"]}:
        assert time.monotonic() < until, up
        time.sleep(2)


def _targets(composed: Composed) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for target in json.loads(composed.get("PROMETHEUS_PORT", "/api/v1/targets")[1])["data"][
        "activeTargets"
    ]:
        found.setdefault(target["labels"]["job"], []).append(target["health"])
    return found


def _manifest(composed: Composed, out: str) -> Any:
    return json.loads(composed.compose("exec", "-T", "jupyter", "cat", f"{out}/manifest.json"))
