"""What a cluster consists of, and what `connect` would use here: facts for people to look at."""

import importlib.util
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client

from dmlkit.cluster.kinds import EXTRAS
from dmlkit.cluster.limits import limits
from dmlkit.cluster.local import local_sizes, uses_gpus

__all__ = ["ClusterFacts", "WorkerFacts", "describe", "kinds_here", "what_connect_would_use"]


@dataclass(frozen=True)
class WorkerFacts:
    """A worker: where it is, what it may use, and what it uses now; memory in bytes."""

    address: str
    threads: int
    memory: int
    memory_used: int
    tasks: int


@dataclass(frozen=True)
class ClusterFacts:
    """A scheduler and its workers."""

    scheduler: str
    dashboard: str
    encrypted: bool
    workers: tuple[WorkerFacts, ...]


def describe(client: Client) -> ClusterFacts:
    """Ask the scheduler of a client for its workers.

    Examples
    --------
    >>> from dmlkit import connect
    >>> from dmlkit.cluster.describe import describe
    >>> with connect(workers=1, threads=1, memory="1GiB") as client:
    ...     [worker.threads for worker in describe(client).workers]
    [1]
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return ClusterFacts(
        scheduler=client.scheduler.address,
        dashboard=client.dashboard_link or "",
        encrypted=client.scheduler.address.startswith(("tls://", "wss://")),
        workers=tuple(_worker(address, facts) for address, facts in workers.items()),
    )


def what_connect_would_use() -> dict[str, str]:
    """Tell which cluster `connect()` would use here, and what there is for a local one."""
    address = dask.config.get("scheduler-address", None)
    machine, sizes = limits(), local_sizes(None, None, None)
    memory = dask.utils.format_bytes
    local = (
        f"{sizes['n_workers']} workers of {sizes['threads_per_worker']} threads and "
        f"{memory(sizes['memory_limit'])}"
    )
    return {
        "connect()": f"the scheduler at {address}" if address else "a local cluster",
        "a local cluster": "a worker for each GPU" if uses_gpus("auto") else local,
        "this machine": f"{machine.cores} cores and {memory(machine.memory)} for this process",
        "certificates": dask.config.get("distributed.comm.tls.ca-file") or "none",
    }


def kinds_here() -> str:
    """Tell which kinds of clusters ``[cluster]`` may name here, and what the others need."""
    missing = {
        kind: package
        for kind, (package, module) in EXTRAS.items()
        if importlib.util.find_spec(module.partition(".")[0]) is None
    }
    there = ["local", "scheduler", *(kind for kind in EXTRAS if kind not in missing)]
    needed = [f"{kind} (pip install 'dmlkit[{kind}]')" for kind in missing]
    return ", ".join(there) + (f"; not installed: {', '.join(needed)}" if needed else "")


def _worker(address: str, facts: dict[str, Any]) -> WorkerFacts:
    metrics = facts["metrics"]
    return WorkerFacts(
        address=address,
        threads=facts["nthreads"],
        memory=facts["memory_limit"],
        memory_used=metrics.get("memory", 0),
        tasks=metrics.get("executing", 0) + metrics.get("ready", 0),
    )
