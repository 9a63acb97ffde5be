"""Workers that are frozen or cut off: told from busy ones, and taken out of the cluster.

Dask itself waits minutes for them. A worker whose interpreter is held by an import or by native
code gives no sign of life either, but its process gets on: its nanny, a process beside it, is
asked. Seen from the scheduler; a client calls these functions.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import psutil
from distributed import Client
from distributed.protocol.pickle import dumps

__all__ = ["evict_frozen", "evict_silent", "is_silent"]

#: Seconds between two looks of a nanny at the processor time of its worker.
PAUSE = 1.0

#: Seconds that a nanny may take to answer: at least.
PATIENCE = 5.0


def is_silent(worker: Any, silence: float) -> bool:
    """Tell whether a worker of the scheduler's gave no sign of life for so many seconds."""
    return time.time() - worker.last_seen > silence


def evict_silent(client: Client, silence: float) -> list[str]:
    """Take all workers out of the cluster that are silent for so long, and are not just busy."""
    found: list[str] = client.run_on_scheduler(_evict_silent, silence)
    return found


def evict_frozen(client: Client, workers: Sequence[str], silence: float) -> list[str]:
    """Take those of some workers out of the cluster that are frozen or cut off.

    Their nannies start new ones if they can.

    Parameters
    ----------
    client : distributed.Client
    workers : sequence of str
        Those that are silent.
    silence : float
        Seconds that a nanny may take to answer.

    Returns
    -------
    list of str
        The workers that were taken out.
    """
    found: list[str] = client.run_on_scheduler(_evict_frozen, list(workers), silence)
    return found


async def _evict_silent(silence: float, dask_scheduler: Any = None) -> list[str]:
    workers = [
        address for address, state in dask_scheduler.workers.items() if is_silent(state, silence)
    ]
    return await _evict_frozen(workers, silence, dask_scheduler)


async def _evict_frozen(
    workers: Sequence[str], silence: float, dask_scheduler: Any = None
) -> list[str]:
    if not workers:
        return []
    asked = (_is_frozen(worker, silence, dask_scheduler) for worker in workers)
    answers = await asyncio.gather(*asked)
    frozen = [worker for worker, answer in zip(workers, answers, strict=True) if answer]
    stimulus = f"dmlkit-frozen-{time.time()}"
    for worker in frozen:
        state = dask_scheduler.workers.get(worker)
        if state is None:
            continue
        nanny = state.nanny
        await dask_scheduler.remove_worker(worker, stimulus_id=stimulus)
        if nanny:
            dask_scheduler._ongoing_background_tasks.call_soon(_restart, dask_scheduler, nanny)
    return frozen


async def _is_frozen(worker: str, silence: float, scheduler: Any) -> bool:
    state = scheduler.workers.get(worker)
    if state is None:
        return False
    if not state.nanny:
        return True
    try:
        answer = await asyncio.wait_for(
            scheduler.rpc(state.nanny).run(
                function=dumps(see_it_get_on), args=dumps(()), kwargs=dumps({})
            ),
            max(silence, PATIENCE),
        )
    except (OSError, TimeoutError):
        return True  # cut off with its nanny
    # By an error, since a scheduler does not read the results that go through it.
    return answer["status"] == "error"


async def see_it_get_on(dask_worker: Any) -> None:
    """Raise unless the process of a nanny's worker does something (runs in the nanny)."""
    process = psutil.Process(dask_worker.pid)
    if process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
        raise RuntimeError("it is stopped")
    before = process.cpu_times()[:2]
    await asyncio.sleep(PAUSE)
    waits_for_disk = process.status() == psutil.STATUS_DISK_SLEEP
    if not waits_for_disk and process.cpu_times()[:2] == before:
        raise RuntimeError("it does nothing")


async def _restart(scheduler: Any, nanny: str) -> None:
    with contextlib.suppress(Exception):  # cut off with its worker: nothing can be done from here
        await scheduler.rpc(nanny).restart(timeout=30, reason="dmlkit: frozen while training")
