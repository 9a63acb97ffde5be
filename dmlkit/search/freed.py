"""Memory that a round frees and the next one asks for again: kept by the process in between.

Dask has its workers give free memory back at once (``MALLOC_TRIM_THRESHOLD_``). A training would be
given new pages in each round then, which the kernel has to clear: with trees of depth 8 a quarter
of a core's time.
"""

import ctypes
import os
import threading
import weakref
from typing import Any

__all__ = ["keep_freed_memory"]

#: What glibc calls the two thresholds, and what it starts with.
TRIM, MMAP, SMALL = -1, -3, 128 << 10

#: As much as its arenas of threads allow.
LARGE = 32 << 20

#: How many objects memory is kept for.
_holders = [0]
_lock = threading.Lock()


def keep_freed_memory(holder: Any) -> None:
    """Keep freed memory while `holder` lives, and give it back then.

    Nothing is done but in a process that gives back freed memory at once, on glibc.
    """
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        return
    with _lock:
        _holders[0] += 1
        libc.mallopt(MMAP, LARGE)
        libc.mallopt(TRIM, 1 << 30)
    weakref.finalize(holder, _give_back, libc)


def _give_back(libc: Any) -> None:
    with _lock:
        _holders[0] -= 1
        if not _holders[0]:
            libc.mallopt(MMAP, SMALL)
            libc.mallopt(TRIM, int(os.environ.get("MALLOC_TRIM_THRESHOLD_", SMALL)))
            libc.malloc_trim(0)
