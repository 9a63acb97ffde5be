"""How much of its time a process of a training works, and how much it waits for the others.

Rounds take all processes equally long, since they wait for each other in each: who holds the others
up shows only in who waits least. And when all wait, something is wrong between them.
"""

import sys
import threading
import time
from pathlib import Path

__all__ = ["Waiting", "worked"]

#: Seconds of processor time between two looks that are no work: waking up to look.
NO_WORK = 0.0005

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


class Waiting:
    """Tells, look by look, whether the main thread waits in XGBoost and nothing else works.

    What a user's function or the reading of rows waits for is something else.
    """

    def __init__(self) -> None:
        self._worked = 0.0

    def look(self) -> bool:
        """Tell whether nothing but the thread that calls this worked since the last look."""
        worked = time.process_time() - time.thread_time()
        before, self._worked = self._worked, worked
        return worked - before < NO_WORK and _in_xgboost()


def _in_xgboost() -> bool:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("xgboost.")
