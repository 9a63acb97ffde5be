"""Which workers share a machine: its cores, and the memory that is there for all of them."""

import math
import socket
from collections.abc import Sequence
from pathlib import Path

from distributed import Client

from dmlkit.cluster.workers import answers_of_workers

__all__ = ["least_together", "machine_here", "machines_of"]

#: What tells the machine from others, and a container or a batch job on it from the rest of it.
BOOT = Path("/proc/sys/kernel/random/boot_id")
GROUPS = Path("/proc/self/cgroup")
NAMESPACES = ("cgroup", "net")


def machine_here() -> str:
    """Return what is the same for two processes that share cores, memory limits and network.

    Containers, jobs of a batch system and network namespaces count as machines of their own.

    Examples
    --------
    >>> machine_here() == machine_here()
    True
    """
    parts = [socket.gethostname()]
    for file in (BOOT, GROUPS):
        try:
            parts.append(file.read_text(encoding="utf-8").strip())
        except OSError:  # no Linux
            continue
    for name in NAMESPACES:
        try:
            parts.append(str(Path(f"/proc/self/ns/{name}").readlink()))
        except OSError:
            continue
    return "\n".join(parts)


def machines_of(client: Client, workers: Sequence[str]) -> list[list[str]]:
    """Return the workers of each machine, in their order; those that do not answer stay alone.

    Parameters
    ----------
    client : distributed.Client
    workers : sequence of str
        Their addresses.
    """
    told = answers_of_workers(client, machine_here)
    machines: dict[str, list[str]] = {}
    for worker in workers:
        machines.setdefault(told.get(worker, worker), []).append(worker)
    return list(machines.values())


def least_together(counts: Sequence[int]) -> int:
    """Return into groups of how many workers each machine's can be divided.

    Examples
    --------
    >>> least_together([4, 4, 2]), least_together([3, 1]), least_together([])
    (2, 1, 1)
    """
    return math.gcd(*counts) or 1
