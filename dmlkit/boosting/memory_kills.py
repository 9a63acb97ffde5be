"""Processes that the system ends where memory runs out: which goes first, and that it was so.

A training process takes memory beside its worker, whose limit does not count it. Where both share
a container, it is the kernel that ends one of them.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["be_ended_first", "count_memory_kills"]

#: The more, the sooner a process is ended: this is the most.
OWN_SCORE, FIRST = Path("/proc/self/oom_score_adj"), "1000"

#: What counts the processes that were ended: of the whole machine, and of a control group.
MACHINE = Path("/proc/vmstat")
CGROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def be_ended_first() -> None:
    """Have the kernel end this process, and not its worker, where memory runs out.

    What the process did is made up for from a checkpoint; a worker also holds others' results.
    """
    with contextlib.suppress(OSError):  # not Linux, or not allowed
        OWN_SCORE.write_text(FIRST, encoding="ascii")


def count_memory_kills() -> int:
    """Return how many processes the kernel has ended for want of memory, as far as it tells.

    It counts up: two looks tell whether there was one between them.

    Examples
    --------
    >>> count_memory_kills() >= 0
    True
    """
    return sum(_counted(file) for file in (MACHINE, *_group_files()))


def _group_files() -> Iterator[Path]:
    """Yield the counters of this process's groups: within a container they are all there is."""
    with contextlib.suppress(OSError):
        for line in OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                yield CGROUPS / path.lstrip("/") / "memory.events"
            elif "memory" in controllers.split(","):
                yield CGROUPS / controllers / path.lstrip("/") / "memory.oom_control"
    # A container sees its own group at the top.
    yield CGROUPS / "memory.events"


def _counted(file: Path) -> int:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        pairs = [line.split() for line in lines]
        return sum(int(number) for name, number in pairs if name == "oom_kill")
    except (OSError, ValueError):  # not there, or of another form
        return 0
