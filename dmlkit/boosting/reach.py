"""Workers that the scheduler reaches and each other do not: found, and let go.

A link between two hosts may be cut, or a firewall let through only what goes to the scheduler. All
are alive then, and each waits for the other.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from distributed import Client
from distributed.comm import connect

from dmlkit.boosting.attempts import Failure

__all__ = ["cause_of_stall", "let_go_unreachable", "worst_connected"]

#: Seconds in which a worker must be reached.
PATIENCE = 5.0

#: Seconds in which all must have told whom they reach.
ANSWER = 15.0


def cause_of_stall(client: Client, waited: float | None) -> Failure | None:
    """Return why a training does not go on, as far as links between workers tell.

    Parameters
    ----------
    client : distributed.Client
    waited : float or None
        For how many seconds all its processes have been waiting for each other; None if they wait
        for something else, which may have nothing to do with links.
    """
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    for worker, other in let_go_unreachable(client, workers).items():
        return Failure("unreachable", worker, f"its link to {other} is cut; it was let go")
    if waited is None:
        return None
    reason = (
        f"all its processes waited for each other for {waited:g} s, though all are alive. They "
        "talk over ports of their own: a firewall must let all ports through between workers"
    )
    return Failure("stalled", min(workers, default=""), reason)


def let_go_unreachable(client: Client, workers: Sequence[str]) -> dict[str, str]:
    """Let go as few workers as it takes for the others to reach each other.

    Parameters
    ----------
    client : distributed.Client
    workers : sequence of str

    Returns
    -------
    dict of str to str
        For each worker that was let go, one that it cannot reach, or that cannot reach it.
    """
    unreached = _told_by(client, list(workers))
    let_go = {}
    while (worker := worst_connected(unreached)) is not None:
        cut = unreached.pop(worker) | {other for other in unreached if worker in unreached[other]}
        let_go[worker] = min(cut)
        for others in unreached.values():
            others.discard(worker)
    if let_go:
        client.run_on_scheduler(_let_go, list(let_go))
    return let_go


def worst_connected(unreached: Mapping[str, set[str]]) -> str | None:
    """Return the worker with the most cut links, the last of equals; None where none is cut.

    Examples
    --------
    >>> worst_connected({"a": {"c"}, "b": {"c"}, "c": set()})
    'c'
    >>> worst_connected({"a": set(), "b": set()}) is None
    True
    """
    cut = {
        worker: len(others | {other for other in unreached if worker in unreached[other]})
        for worker, others in unreached.items()
    }
    worst = max(cut, key=lambda worker: (cut[worker], worker), default=None)
    return worst if worst is not None and cut[worst] else None


def _told_by(client: Client, workers: list[str]) -> dict[str, set[str]]:
    """Return whom each worker does not reach; nothing where one gives no answer at all."""

    async def ask() -> Any:
        return await client._run(_unreached, workers, workers=workers, on_error="ignore")

    try:
        found = client.sync(ask, callback_timeout=ANSWER)
    except TimeoutError:  # a frozen one, which others find out
        return {}
    return {worker: set(others) for worker, others in found.items()}


async def _unreached(workers: Sequence[str], dask_worker: Any = None) -> list[str]:
    """Return the workers that this one cannot connect to."""
    others = [worker for worker in workers if worker != dask_worker.address]
    reached = await asyncio.gather(*(_reaches(other, dask_worker) for other in others))
    return [other for other, yes in zip(others, reached, strict=True) if not yes]


async def _reaches(address: str, worker: Any) -> bool:
    try:
        comm = await connect(address, timeout=PATIENCE, **worker.connection_args)
    except OSError:
        return False
    await comm.close()
    return True


async def _let_go(workers: Sequence[str], dask_scheduler: Any = None) -> None:
    for worker in workers:
        stimulus = f"dmlkit-unreachable-{time.time()}"
        await dask_scheduler.remove_worker(worker, stimulus_id=stimulus)
