"""Memory that a worker has let go is given back before Dask counts it against the worker.

What lies free between other things in the heap is not given back by itself. Dask sees only what the
process holds: it moves results to disk for it, pauses the worker, and resumes it when the process
has become smaller, which it never does while it is paused.

Workers load this module when they start (a preload), or are given it by a client.
"""

import asyncio
import ctypes
import sys
import time
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from distributed import Client, Worker, WorkerPlugin
from distributed.core import Status
from tornado.ioloop import PeriodicCallback

__all__ = ["FreeMemory", "dask_setup", "free_memory_of_workers", "give_back"]

NAME = "dmlkit-free-memory"

#: Of its limit: a worker that holds more than this is looked at, as long as what it holds besides
#: results is this much. Dask moves results to disk from .7 on, and pauses workers at .8.
HELD, BESIDES_RESULTS = 0.6, 0.2

#: Seconds between two looks; after memory was given back; and after little of it was.
LOOK, AGAIN, IN_VAIN = 0.5, 2.0, 10.0

#: Of the limit: less than this is little.
LITTLE = 0.02

#: Clients whose workers were given the plugin.
_asked: WeakSet[Client] = WeakSet()


class FreeMemory(WorkerPlugin):
    """Gives memory back that is free, where a worker holds much."""

    name = NAME
    idempotent = True

    def setup(self, worker: Worker) -> None:
        """Begin to look at a worker."""
        self._next = 0.0
        self._worker = worker
        self._timer = PeriodicCallback(self._look, LOOK * 1000)
        self._timer.start()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        """Look no more."""
        self._timer.stop()

    async def _look(self) -> None:
        limit = self._worker.memory_manager.memory_limit
        if not limit or time.monotonic() < self._next or self._worker.status == Status.closed:
            return
        held = self._worker.monitor.get_process_memory()
        results = getattr(getattr(self._worker.data, "fast", None), "total_weight", 0)
        if held < HELD * limit or held - results < BESIDES_RESULTS * limit:
            return
        self._next = float("inf")  # not again while it goes on
        gained = 0
        try:
            give_back_of_arrow()
            await asyncio.to_thread(give_back_of_heap)
            gained = held - self._worker.monitor.get_process_memory()
        finally:
            self._next = time.monotonic() + (AGAIN if gained > LITTLE * limit else IN_VAIN)


def give_back() -> None:
    """Give memory of this process back that is free: Arrow's if that is loaded, and glibc's."""
    give_back_of_arrow()
    give_back_of_heap()


def give_back_of_arrow() -> None:
    """Give back what Arrow holds of files that were read.

    In the main thread, which is the one of a worker's loop: of what threads left that have let go
    of it, or ended, mimalloc gives nothing back in any other. Two workers of 2 GiB held a gigabyte
    each for that, moved all results to disk, and in the end were restarted or paused for ever.
    """
    with suppress(AttributeError, KeyError):  # not loaded, or just being
        sys.modules["pyarrow"].default_memory_pool().release_unused()


def give_back_of_heap() -> None:
    """Give back what is free in the heap; it takes a while where that is large."""
    with suppress(OSError, AttributeError):  # another system's library has no such function
        ctypes.CDLL(None).malloc_trim(0)


def free_memory_of_workers(client: Client) -> None:
    """Have the workers of a client give back what is free; those that come later, too.

    Nothing is waited for: a worker may be frozen.
    """
    if client.asynchronous or client in _asked:
        return
    _asked.add(client)
    client.loop.add_callback(_register, client)


async def _register(client: Client) -> None:
    with suppress(Exception):  # such as workers without dmlkit, which do nothing of ours anyway
        await client._register_worker_plugin(FreeMemory(), NAME, True)


async def dask_setup(worker: Any) -> None:
    """Begin to look at a worker that starts (called by Dask: this module is a preload)."""
    if isinstance(worker, Worker):
        await worker.plugin_add(FreeMemory(), NAME)
