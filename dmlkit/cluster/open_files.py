"""How many files and connections a process may have open (``ulimit -n``), and how many it needs."""

import contextlib
import math
from pathlib import Path
from typing import Any

from dmlkit.errors import ClusterError

__all__ = ["allow_open_files", "open_files_allowed", "open_files_needed"]

#: Measured in the fraud job on two and on six workers: the process with client, scheduler and
#: nannies had at most 34 files open and 13 more for each worker, a worker 20 and 2 for each other.
FOR_LIBRARIES, FOR_WORKER = 64, 16

OPEN_FILES = Path("/proc/self/fd")


def open_files_needed(workers: int) -> int:
    """Return how many files a process may have to open beside so many workers.

    Examples
    --------
    >>> open_files_needed(2), open_files_needed(32)
    (96, 576)
    """
    return FOR_LIBRARIES + FOR_WORKER * workers


def allow_open_files(workers: int) -> None:
    """Let this process, and those that it starts, open the files that a local cluster needs.

    The soft limit is raised as far as is needed: a user may, up to the hard limit, and Dask's own
    scheduler does. It is never lowered.

    Raises
    ------
    ClusterError
        The hard limit, which only an administrator can raise, is too low.
    """
    limits = _resource()
    needed = open_files_needed(workers) + _open_now()
    if limits is None or open_files_allowed() >= needed:
        return
    _, hard = limits.getrlimit(limits.RLIMIT_NOFILE)
    if hard != limits.RLIM_INFINITY and hard < needed:
        raise ClusterError(
            f"This process may have {hard:,} files open (`ulimit -n`), and a local cluster of "
            f"{workers:,} workers needs {needed:,}: a job would fail in the middle, with 'Too many "
            f"open files'.\nRaise it before the start (`ulimit -n {needed}`; for good in "
            "/etc/security/limits.conf, or LimitNOFILE= of a systemd unit), or start fewer workers."
        )
    with contextlib.suppress(OSError, ValueError):
        limits.setrlimit(limits.RLIMIT_NOFILE, (needed, hard))


def open_files_allowed() -> float:
    """Return how many files this process may have open; infinity where there is no limit."""
    limits = _resource()
    if limits is None:
        return math.inf
    soft, _ = limits.getrlimit(limits.RLIMIT_NOFILE)
    return math.inf if soft == limits.RLIM_INFINITY else soft


def _open_now() -> int:
    try:
        return sum(1 for _ in OPEN_FILES.iterdir())
    except OSError:
        return 16


def _resource() -> Any:
    """Return the module that knows of limits; Windows has none, and needs none."""
    try:
        import resource
    except ImportError:
        return None
    return resource
