"""Who trains, where workers come and go."""

import threading
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from dmlkit.boosting import elastic
from dmlkit.errors import TrainingError


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A cluster without workers."""
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as made:
        yield made


def test_workers_that_were_lost_a_moment_ago_are_waited_for(cluster: LocalCluster):
    with Client(cluster) as client:
        threading.Timer(1.0, cluster.scale, [1]).start()
        assert len(elastic._workers(client)) == 1


def test_a_cluster_without_workers_is_told(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elastic, "REPLACEMENT", 0.2)
    refused = pytest.raises(TrainingError, match=r"no workers to train on for 0.2 s")
    with Client(cluster) as client, refused:
        elastic._workers(client)
