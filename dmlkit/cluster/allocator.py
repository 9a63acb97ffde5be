"""How workers hold on to memory: what is let go by one task is taken by the next.

Dask has glibc give memory back as soon as 64 KiB are free, so that a worker never holds more than
its data. Each array that a task makes is then new memory, which the kernel must find and fill with
zeros first, 4 KiB at a time: of a job of plain array work that was a third of its time.
"""

import os

import dask
from dask.utils import parse_bytes

__all__ = ["environment_of_workers", "kept_by_workers", "let_workers_keep_memory"]

#: Where Dask keeps what is set for a worker's process before it starts.
PRE_SPAWN = "distributed.nanny.pre-spawn-environ"
DASKS_TRIM_THRESHOLD = 65_536

#: Of a worker's limit, what it may keep although it is free; and at most and at least.
SHARE_KEPT = 1 / 16
MOST_KEPT, LEAST_KEPT = parse_bytes("256MiB"), parse_bytes("16MiB")

#: What is larger is taken from the kernel by itself and given back at once. The most that glibc
#: takes: from there on, the work on an array outweighs what its memory costs.
LARGE = parse_bytes("32MiB")

#: What the user has set for this process and all below it. Dask leaves what it sets for its workers
#: in this process, too, and would take that for the user's from then on.
SET_BY_USER = frozenset(name for name in os.environ if name.startswith("MALLOC_"))


def kept_by_workers(memory_limit: int) -> int:
    """Return how much a worker may keep although it is free.

    Examples
    --------
    >>> kept_by_workers(2 << 30) >> 20, kept_by_workers(64 << 30) >> 20
    (128, 256)
    """
    return int(min(max(memory_limit * SHARE_KEPT, LEAST_KEPT), MOST_KEPT))


def environment_of_workers(memory_limit: int) -> dict[str, str]:
    """Return the settings of glibc for a worker; other systems don't look at them.

    With one heap for all threads, what one has let go another can take. Of several, those besides
    the first give each 64 MiB back when they are free, whatever is set.

    Examples
    --------
    >>> environment_of_workers(4 * 2**30)["MALLOC_TRIM_THRESHOLD_"]
    '268435456'
    """
    return {
        "MALLOC_TRIM_THRESHOLD_": str(kept_by_workers(memory_limit)),
        "MALLOC_MMAP_THRESHOLD_": str(LARGE),
        "MALLOC_ARENA_MAX": "1",
    }


def let_workers_keep_memory(memory_limit: int) -> None:
    """Set this for all local workers to come, unless the user has set it otherwise.

    Dask looks at its configuration whenever it starts a worker, also in the place of a lost one,
    and goes by the client's own variables first.
    """
    there = dask.config.get(PRE_SPAWN, {})
    chosen = environment_of_workers(memory_limit)
    of_earlier_cluster = there.get("MALLOC_MMAP_THRESHOLD_") == chosen["MALLOC_MMAP_THRESHOLD_"]
    if of_earlier_cluster or there.get("MALLOC_TRIM_THRESHOLD_") == DASKS_TRIM_THRESHOLD:
        dask.config.set({PRE_SPAWN: {**there, **chosen}})
        for name in chosen.keys() - SET_BY_USER:
            os.environ.pop(name, None)
