"""How much of its time a process of a training works, and how much it waits for the others.

Rounds take all processes equally long, since they wait for each other in each: who holds the others
up shows only in who waits least.
"""

import time
from pathlib import Path

__all__ = ["worked"]

#: Nanoseconds on a core, and those in which it was ready and had none, of the thread that reads it.
SCHEDULED = Path("/proc/thread-self/schedstat")


def worked() -> float:
    """Return for how many seconds this thread has worked so far, or wanted to.

    That no core was free for it counts too, where the system tells (Linux): a worker whose machine
    is busy with something else is slow as well.

    Examples
    --------
    >>> before = worked()
    >>> worked() >= before
    True
    """
    try:
        running, ready, _ = SCHEDULED.read_text().split()
        return (int(running) + int(ready)) / 1e9
    except (OSError, ValueError):
        return time.thread_time()
