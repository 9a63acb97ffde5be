"""The fraud job on hosts with addresses of their own, of which one is cut off and comes back."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from benchmarks.hosts import Hosts
from dmlkit import connect, write_table
from dmlkit.observe import Event, StageEvent, TrainingRound
from dmlkit.tables.generate import card_transactions
from dmlkit.workflow import find_workflow, load_configuration, run_workflow

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

#: So few rows would be trained on by one worker.
SETTINGS = ["model.shards=3"]
ROUND = 20
#: Seconds. Connections live through the first; after 30 Dask gives the worker up, and the host is
#: there again while the job goes on.
SHORT, LONG = 5, 33


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("tables") / "transactions")
    with connect(workers=1, threads=1):
        write_table(card_transactions(400, 800, 120, partitions=12), path)
    return path


def outcome(data: str, out: Path, *listeners: Any) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the metrics and the manifest of a job on the current client."""
    job = find_workflow("fraud-detection")
    settings = load_configuration(job.configuration, assignments=SETTINGS)
    result = run_workflow(job, data=data, out=out, configuration=settings, listeners=listeners)
    return result.metrics(), json.loads((out / "manifest.json").read_text())


@pytest.fixture(scope="module")
def undisturbed(data: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    with connect(workers=1, threads=1):
        metrics, _ = outcome(data, tmp_path_factory.mktemp("undisturbed") / "out")
    return metrics


class Cut:
    """A listener that cuts a host off, once, at a moment of the job, for some seconds."""

    def __init__(self, network: Hosts, host: int, when: str, seconds: float) -> None:
        self.network, self.host, self.when, self.seconds = network, host, when, seconds
        self.done = False

    def __call__(self, event: Event) -> None:
        if not self.done and self._now(event):
            self.done = True
            self.network.cut(self.host)
            threading.Timer(self.seconds, self.network.heal, [self.host]).start()

    def _now(self, event: Event) -> bool:
        if isinstance(event, TrainingRound):
            return self.when == "train" and event.round >= ROUND
        in_stage = isinstance(event, StageEvent) and event.stage == self.when
        return in_stage and self.when != "train" and 0 < event.tasks_done < event.tasks_total


@pytest.fixture
def whole_again(network: Hosts) -> Iterator[None]:
    """Heal what a failed test left cut."""
    yield
    for host in range(network.count):
        network.heal(host)


@pytest.mark.parametrize("seconds", [SHORT, LONG])
@pytest.mark.parametrize("when", ["features", "train"])
def test_a_link_that_is_cut_and_heals_changes_no_figure(
    when: str,
    seconds: float,
    network: Hosts,
    over_hosts: Client,
    whole_again: None,
    data: str,
    undisturbed: dict[str, float],
    tmp_path: Path,
) -> None:
    cut = Cut(network, 1, when, seconds)
    metrics, manifest = outcome(data, tmp_path / "out", cut)
    assert cut.done, f"nothing was cut in {when}"
    assert metrics == pytest.approx(undisturbed)
    (took,) = (stage["seconds"] for stage in manifest["stages"] if stage["name"] == when)
    assert took > min(seconds, 10)  # it was waited for what was cut off
    lost = [each["worker"] for each in manifest["workers_lost"]]
    cut_off = [] if seconds == SHORT else [network.address(1)]
    assert [worker.split("/")[-1].split(":")[0] for worker in lost] == cut_off
