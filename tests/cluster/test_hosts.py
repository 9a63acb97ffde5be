"""A training on hosts with addresses of their own, of which one is cut off the network."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client

from benchmarks.cluster_faults import strike
from benchmarks.hosts import Hosts
from tests.cluster.test_elastic import fitted, raw

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None):
        return raw(fitted(shards=3))


def cut(network: Hosts, seconds: float) -> Any:
    """Return a fault that cuts the last host off, for so long."""

    def act(client: Client, worker: str, process: int) -> None:
        host = network.at(worker)
        network.cut(host)
        threading.Timer(seconds, network.heal, [host]).start()

    return act


def test_a_host_that_is_cut_off_is_given_up(
    network: Hosts, over_hosts: Client, undisturbed: bytes
) -> None:
    struck = strike(over_hosts, [(60, cut(network, 30))])
    began = time.monotonic()
    model = fitted(shards=3, worker_timeout=5.0)
    assert time.monotonic() - began < 60
    struck.join()
    assert raw(model) == undisturbed
    (restart,) = model.restarts_
    assert restart.worker.startswith("tcp://10.210.0.1")
    assert raw(fitted(shards=3, worker_timeout=5.0)) == undisturbed


@pytest.fixture
def part(network: Hosts, over_hosts: Client) -> Iterator[Callable[[int, int], None]]:
    """What parts two hosts, until the test ends; both still reach the scheduler."""
    with network.parting() as part:
        yield part


@pytest.mark.parametrize("when", ["in training", "before"])
def test_two_hosts_that_lose_each_other_cost_one_of_them(
    when: str, over_hosts: Client, part: Callable[[int, int], None], undisturbed: bytes
) -> None:
    if when == "before":
        part(1, 2)
    else:
        strike(over_hosts, [(60, lambda *_: part(1, 2))])
    began = time.monotonic()
    model = fitted(shards=3, worker_timeout=5.0)
    assert time.monotonic() - began < 60
    assert raw(model) == undisturbed
    (restart,) = model.restarts_
    assert "tcp://10.210.0.1" in restart.worker
    assert "link to" in restart.reason
    assert len(over_hosts.scheduler_info()["workers"]) == 2


def test_a_short_cut_costs_seconds_and_no_restart(
    network: Hosts, over_hosts: Client, undisturbed: bytes
) -> None:
    struck = strike(over_hosts, [(60, cut(network, 2))])
    model = fitted(shards=3)
    struck.join()
    assert raw(model) == undisturbed
    assert model.restarts_ == ()
