"""A training on hosts with addresses of their own, of which one is cut off the network."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from distributed import Client, LocalCluster

from benchmarks.cluster_faults import strike
from tests.cluster.test_elastic import fitted, raw

pytestmark = pytest.mark.engine

HOSTS = (1, 2, 3)
NETWORK = "10.209.0"


#: A container engine lets nothing through between hosts that it does not know.
LET_THROUGH = "FORWARD -i dmlkit-bridge -o dmlkit-bridge -j ACCEPT"


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True, text=True)


def ip(command: str) -> None:
    run(f"ip {command}")


@contextmanager
def undone(doing: str, undoing: str) -> Iterator[None]:
    run(doing)
    try:
        yield
    finally:
        run(undoing)


def link(host: int) -> str:
    return f"dmlkit-link-{host}"


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """Three hosts (network namespaces) and this one on a bridge."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("making hosts with addresses of their own needs root and iproute2")
    with ExitStack() as made:
        try:
            made.enter_context(
                undone("ip link add dmlkit-bridge type bridge", "ip link del dmlkit-bridge")
            )
            if shutil.which("iptables"):
                made.enter_context(
                    undone(f"iptables -I {LET_THROUGH}", f"iptables -D {LET_THROUGH}")
                )
            ip(f"addr add {NETWORK}.1/24 dev dmlkit-bridge")
            ip("link set dmlkit-bridge up")
            for host in HOSTS:
                space = f"dmlkit-{host}"
                made.enter_context(undone(f"ip netns add {space}", f"ip netns del {space}"))
                # By itself it would stay as long as sockets of the host linger.
                add = f"ip link add {link(host)} type veth peer name eth0 netns {space}"
                made.enter_context(undone(add, f"ip link del {link(host)}"))
                ip(f"link set {link(host)} master dmlkit-bridge up")
                ip(f"-n {space} addr add {NETWORK}.{10 + host}/24 dev eth0")
                ip(f"-n {space} link set eth0 up")
                ip(f"-n {space} link set lo up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no hosts can be made here: {error.stderr.strip()}")
        yield


@pytest.fixture
def hosts(network: None) -> Iterator[Client]:
    """A client of a scheduler here and of a worker, with its nanny, on each host."""
    with ExitStack() as running:
        cluster = running.enter_context(
            LocalCluster(n_workers=0, host=f"{NETWORK}.1", dashboard_address=None)
        )
        for host in HOSTS:
            command = [
                *("ip", "netns", "exec", f"dmlkit-{host}"),
                *(sys.executable, "-m", "dask", "worker", cluster.scheduler_address),
                *("--name", f"host-{host}", "--nworkers", "1", "--nthreads", "1"),
                *("--memory-limit", "1GiB", "--no-dashboard"),
            ]
            worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            running.callback(worker.wait, 30)
            running.callback(worker.terminate)
        client = running.enter_context(Client(cluster))
        client.wait_for_workers(3, timeout=60)
        yield client


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None):
        return raw(fitted(shards=3))


def cut(seconds: float) -> Any:
    """Return a fault that cuts the last host off, for so long."""

    def act(client: Client, worker: str, process: int) -> None:
        host = int(worker.rpartition(".")[2].partition(":")[0]) - 10
        ip(f"link set {link(host)} down")
        threading.Timer(seconds, ip, [f"link set {link(host)} up"]).start()

    return act


def test_a_host_that_is_cut_off_is_given_up(hosts: Client, undisturbed: bytes) -> None:
    struck = strike(hosts, [(60, cut(30))])
    began = time.monotonic()
    model = fitted(shards=3, worker_timeout=5.0)
    assert time.monotonic() - began < 60
    struck.join()
    assert raw(model) == undisturbed
    (restart,) = model.restarts_
    assert restart.worker.startswith(f"tcp://{NETWORK}.1")
    assert raw(fitted(shards=3, worker_timeout=5.0)) == undisturbed


def part_from(host: int, other: int) -> None:
    """Send what two hosts tell each other nowhere; both still reach the scheduler."""
    for near, far in ((host, other), (other, host)):
        to = f"{NETWORK}.{10 + far} lladdr 02:00:00:00:00:99 dev eth0 nud permanent"
        ip(f"-n dmlkit-{near} neigh replace {to}")


@pytest.fixture
def parted(hosts: Client) -> Iterator[None]:
    """Let hosts that were parted find each other again."""
    yield
    for near, far in ((2, 3), (3, 2)):
        ip(f"-n dmlkit-{near} neigh del {NETWORK}.{10 + far} dev eth0")


@pytest.mark.parametrize("when", ["in training", "before"])
def test_two_hosts_that_lose_each_other_cost_one_of_them(
    when: str, hosts: Client, parted: None, undisturbed: bytes
) -> None:
    if when == "before":
        part_from(2, 3)
    else:
        strike(hosts, [(60, lambda *_: part_from(2, 3))])
    began = time.monotonic()
    model = fitted(shards=3, worker_timeout=5.0)
    assert time.monotonic() - began < 60
    assert raw(model) == undisturbed
    (restart,) = model.restarts_
    assert f"tcp://{NETWORK}.1" in restart.worker
    assert "link to" in restart.reason
    assert len(hosts.scheduler_info()["workers"]) == 2


def test_a_short_cut_costs_seconds_and_no_restart(hosts: Client, undisturbed: bytes) -> None:
    struck = strike(hosts, [(60, cut(2))])
    model = fitted(shards=3)
    struck.join()
    assert raw(model) == undisturbed
    assert model.restarts_ == ()
