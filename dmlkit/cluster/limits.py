"""How many cores and how much memory this process may use: the machine's, or less by cgroup limits.

Dask looks at the root of the cgroup file system, which is right in a container. A job of Slurm or
systemd has its limits further down, at the group that the process is in or at one above it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dask.system import CPU_COUNT
from distributed.system import MEMORY_LIMIT

__all__ = ["Limits", "limits", "memory_here"]

CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Limits:
    """What this process may use: `cores`, and `memory` in bytes."""

    cores: int
    memory: int


def limits() -> Limits:
    """Return the least of what the machine has and what each cgroup of this process allows.

    Examples
    --------
    >>> limits().cores >= 1
    True
    """
    cores, memory = [float(CPU_COUNT)], [float(MEMORY_LIMIT)]
    for group in _groups():
        cores.append(_cores(group))
        memory += [
            _number(group / "memory.max"),  # version 2 of cgroups
            _number(group / "memory.limit_in_bytes"),  # version 1
        ]
    return Limits(max(1, math.ceil(min(cores))), int(min(memory)))


def memory_here() -> int:
    """Return the memory that this process may use, with all others of its container or machine."""
    return limits().memory


def _groups() -> Iterator[Path]:
    """Yield the folders of the groups that this process is in, and of those above them."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for top in [CGROUPS / controllers] if controllers else [CGROUPS, CGROUPS / "unified"]:
            group = top / path.lstrip("/")
            yield from [each for each in (group, *group.parents) if each.is_relative_to(top)]


def _cores(group: Path) -> float:
    try:
        allowed, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        return float(allowed) / float(period)
    except (OSError, ValueError):  # not there, or "max"
        # Version 1; the period is there when the quota is.
        quota = _number(group / "cpu.cfs_quota_us")
        return quota / _number(group / "cpu.cfs_period_us") if quota < math.inf else math.inf


def _number(file: Path) -> float:
    """Return the limit in a file; infinity where there is none."""
    try:
        number = float(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or "max"
        return math.inf
    return number if number > 0 else math.inf
