"""Fixtures that many tests share: a cluster inside this process, and one of real processes."""

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster


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
