"""Workers: asking all of them, those that were lost, and the end of those left busy."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import Any

from distributed import Client, Nanny

from dmlkit.errors import ClusterError

__all__ = ["answers_of_workers", "await_a_worker", "kill_workers", "lost_workers", "was_retired"]

#: Workers that haven't answered by then are busy or frozen; a job doesn't wait for them.
PATIENCE = 15.0

#: Seconds in which a cluster that has no worker may start one.
STARTING = 60.0


def await_a_worker(client: Client, patience: float | None = None) -> None:
    """Wait for the first worker of a cluster that has none.

    An adaptive cluster starts workers when there are tasks for them, and may have none before.

    Parameters
    ----------
    client : distributed.Client
    patience : float, optional
        Seconds to wait; a minute without.

    Raises
    ------
    ClusterError
        None has come.
    """
    if client.scheduler_info(n_workers=-1)["workers"]:
        return
    patience = STARTING if patience is None else patience
    wanted = client.submit(int, key=f"a-worker-{uuid.uuid4().hex}")
    try:
        wanted.result(timeout=patience)
    except TimeoutError as error:
        raise ClusterError(
            f"The cluster has no worker, and none came in {patience:g} s. Start some (`dask worker "
            "ADDRESS`), or look at what should start them, then try again."
        ) from error
    finally:
        wanted.release()


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


def was_retired(client: Client, worker: str) -> bool:
    """Tell whether a worker that is gone was let go, as far as the scheduler remembers it."""
    removals = [
        event["expected"]
        for _, event in client.get_events("all") or ()
        if event.get("action") == "remove-worker" and event["worker"] == worker
    ]
    return bool(removals and removals[-1])


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
