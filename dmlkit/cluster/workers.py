"""Workers: asking all of them, those that were lost, and the end of those left busy."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from distributed import Client, Nanny

__all__ = ["answers_of_workers", "kill_workers", "lost_workers"]

#: Workers that haven't answered by then are busy or frozen; a job doesn't wait for them.
PATIENCE = 15.0


def answers_of_workers(
    client: Client, function: Callable[..., Any], *arguments: Any
) -> dict[str, Any]:
    """Call a function in each worker, and return what it returned, by the workers' addresses.

    A function with a parameter ``dask_worker`` is given the worker. Where it fails, or a worker
    does not answer in time, there is no answer.
    """

    async def ask() -> dict[str, Any]:
        return await client._run(function, *arguments, on_error="return")

    try:
        answers: dict[str, Any] = client.sync(ask, callback_timeout=PATIENCE)
    except TimeoutError:
        return {}
    return {who: told for who, told in answers.items() if not isinstance(told, BaseException)}


def lost_workers(client: Client, since: float = 0.0) -> list[dict[str, Any]]:
    """Tell which workers the scheduler lost without having been asked to let them go.

    Parameters
    ----------
    client : distributed.Client
    since : float
        Seconds since the epoch; earlier losses are left out.

    Returns
    -------
    list of dict
        With the keys ``time``, ``worker`` and ``recomputed_tasks`` (results that died with it).
    """
    events = client.get_events("all") or ()
    return [
        {
            "time": float(when),
            "worker": str(event["worker"]),
            "recomputed_tasks": len(event["lost-computed-tasks"]),
        }
        for when, event in events
        if event.get("action") == "remove-worker" and not event["expected"] and when >= since
    ]


def kill_workers(client: Client) -> None:
    """End the workers of the client's own local cluster, if it has one, busy or not.

    For a job that was stopped: closing a cluster waits for running tasks.
    """
    nannies = getattr(client.cluster, "workers", {}).values()

    async def kill() -> None:
        kills = [nanny.kill(timeout=0) for nanny in nannies if isinstance(nanny, Nanny)]
        await asyncio.gather(*kills, return_exceptions=True)

    with contextlib.suppress(Exception):  # closing comes next, and tells what went wrong
        client.sync(kill, callback_timeout=5)
