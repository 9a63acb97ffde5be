"""Events from a running cluster: tasks done, training rounds, lost workers. No display here."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from distributed import Client

from dmlkit.cluster import lost_workers
from dmlkit.observe.events import Listener, TrainingRound, WorkerLost

__all__ = ["TOPIC", "watch_cluster"]

#: Workers send their events under this name (`Worker.log_event`).
TOPIC = "dmlkit"


@contextlib.contextmanager
def watch_cluster(
    client: Client,
    report_tasks: Callable[[int, int], None],
    listener: Listener,
    *,
    since: float,
    interval: float = 0.5,
) -> Iterator[None]:
    """Report tasks, training rounds and lost workers of `client`'s cluster while the block runs.

    Parameters
    ----------
    client : distributed.Client
    report_tasks : callable
        Called with the tasks done and the tasks known, every `interval` seconds.
    listener : callable
        Called with a `TrainingRound` or a `WorkerLost` as it happens, from another thread.
    since : float
        Seconds since the epoch: earlier losses are not reported.
    """
    over = threading.Event()
    poll = threading.Thread(
        target=_poll,
        args=(client, over, interval, report_tasks, listener, since),
        name="dmlkit-watch",
        daemon=True,
    )
    client.subscribe_topic(TOPIC, lambda event: _hear(event, listener))
    poll.start()
    try:
        yield
    finally:
        over.set()
        poll.join(timeout=2)
        with contextlib.suppress(Exception):  # the cluster may be gone: nothing to unsubscribe
            client.unsubscribe_topic(TOPIC)


def _poll(
    client: Client,
    over: threading.Event,
    interval: float,
    report_tasks: Callable[[int, int], None],
    listener: Listener,
    since: float,
) -> None:
    seen: set[tuple[float, str]] = set()
    while not over.wait(interval):
        try:
            report_tasks(*client.run_on_scheduler(_count_tasks))
            losses = lost_workers(client, since)
        except Exception:
            # A display must never end a job; what happened to the cluster is the job's to tell.
            continue
        for loss in losses:
            if (loss["time"], loss["worker"]) not in seen:
                seen.add((loss["time"], loss["worker"]))
                listener(WorkerLost(**loss))


def _count_tasks(dask_scheduler: Any) -> tuple[int, int]:
    """Return tasks done and tasks known (runs on the scheduler)."""
    done = total = 0
    for group in dask_scheduler.task_groups.values():
        states = group.states
        done += states["memory"] + states["forgotten"] + states["released"] + states["erred"]
        total += sum(states.values())
    return done, total


def _hear(event: Any, listener: Listener) -> None:
    _, message = event
    if isinstance(message, dict) and message.get("kind") == "training-round":
        listener(TrainingRound(message["round"], message["total"], message["metrics"]))
