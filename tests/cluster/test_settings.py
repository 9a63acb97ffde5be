"""The table ``[cluster]``: what may stand in it, and which workers it makes."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dmlkit.cluster import ClusterSettings
from dmlkit.cluster.sizes import WorkerSizes, sizes_here
from dmlkit.errors import ConfigurationError
from dmlkit.workflow import Settings, load_cluster, load_configuration

SLURM: dict[str, Any] = {"kind": "slurm", "threads": 4, "memory": "8GiB", "maximum": 20}


def test_without_a_kind_it_is_this_machine_or_the_scheduler_at_an_address() -> None:
    assert ClusterSettings().kind == "local"
    assert ClusterSettings(address="tls://host:8786").kind == "scheduler"
    assert ClusterSettings(kind="gateway", address="http://gateway").kind == "gateway"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "scheduler"}, "needs an address"),
        ({"maximum": 3}, "minimum and maximum go together"),
        ({"minimum": 1, "maximum": 3, "workers": 2}, "not all three"),
        ({"minimum": 4, "maximum": 3}, "minimum is 4, above maximum, 3"),
        ({"address": "tcp://host:1", "workers": 3}, "'scheduler' has no workers"),
        ({"options": {"queue": "short"}}, "'local' has no options"),
        ({"kind": "gateway", "memory": "1GiB"}, "'gateway' has no memory"),
        ({**SLURM, "minimum": 1, "memory": None}, "'slurm' needs memory"),
        ({**SLURM, "maximum": None}, "'slurm' needs memory, and workers"),
        ({"memory": "much"}, "no amount of memory"),
        ({"kind": "yarn"}, "'slurm'"),
        ({"wokers": 3}, "wokers"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises((ValidationError, ConfigurationError)) as refused:
        ClusterSettings(**settings)
    assert told in str(refused.value)


def test_the_plan_reckons_with_the_most_workers() -> None:
    slurm = ClusterSettings(**SLURM, minimum=0)
    assert slurm.sizes() == WorkerSizes(workers=20, threads=4, limit=8 << 30)
    local = ClusterSettings(minimum=1, maximum=2, threads=1, memory="1GiB")
    assert local.sizes() == sizes_here(2, 1, "1GiB")
    assert ClusterSettings(kind="gateway", workers=3).sizes() is None
    assert ClusterSettings(address="tls://host:8786").sizes() is None


class Split(Settings):
    days: int = 7


class Job(Settings):
    split: Split = Split()


def test_a_configuration_has_it_beside_the_settings_of_the_job(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('[split]\ndays = 3\n[cluster]\nworkers = 2\nmemory = "1GiB"\n')
    assignments = ["cluster.threads=1", "split.days=4"]
    assert load_configuration(Job, file=file, assignments=assignments) == Job(split=Split(days=4))
    found = load_cluster(file, assignments)
    assert found == ClusterSettings(workers=2, threads=1, memory="1GiB")
    assert load_cluster() is None
    with pytest.raises(ConfigurationError, match=r"'cluster.wokers' \(nearest: 'cluster.workers'"):
        load_cluster(file, ["cluster.wokers=3"])
    with pytest.raises(ConfigurationError, match=r"'cluster': minimum and maximum go together"):
        load_cluster(file, ["cluster.minimum=1"])
