"""Hosts with addresses of their own, and a cluster over them."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from distributed import Client, LocalCluster

from benchmarks.hosts import Hosts, HostsError, made_hosts

WORKERS = 3


@pytest.fixture(scope="module")
def network() -> Iterator[Hosts]:
    """A host for each worker, and this one, on a bridge."""
    with ExitStack() as made:
        try:
            hosts = made.enter_context(made_hosts(WORKERS))
        except HostsError as error:
            pytest.skip(str(error))
        yield hosts


@pytest.fixture
def over_hosts(network: Hosts) -> Iterator[Client]:
    """A client of a scheduler here and of a worker, with its nanny, on each host."""
    with ExitStack() as running:
        cluster = running.enter_context(
            LocalCluster(n_workers=0, host=network.here, dashboard_address=None)
        )
        for host in range(network.count):
            command = [
                *(sys.executable, "-m", "dask", "worker", cluster.scheduler_address),
                *("--name", f"host-{host}", "--nworkers", "1", "--nthreads", "1"),
                *("--memory-limit", "1GiB", "--no-dashboard"),
            ]
            running.enter_context(network.running(host, *command))
        client = running.enter_context(Client(cluster))
        client.wait_for_workers(network.count, timeout=60)
        yield client
