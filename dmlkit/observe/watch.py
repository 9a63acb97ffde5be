"""What goes on in a running cluster: tasks, training rounds, losses, standstill. No display."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from distributed import Client, Future
from distributed.scheduler import NoWorkerError

from dmlkit.cluster import lost_workers
from dmlkit.errors import ClusterError
from dmlkit.observe.asking import cause_of, outlook_of
from dmlkit.observe.events import Listener, TrainingRestart, TrainingRound, WorkerLost
from dmlkit.observe.standstill import why_paused

__all__ = ["TOPIC", "Watch", "watch_cluster"]

#: Workers send their events under this name (`Worker.log_event`).
TOPIC = "dmlkit"

#: Seconds to wait for the cause of a loss before it is told without one.
CAUSE_AFTER = 4.0

#: Seconds that all workers may be paused: they spill to disk meanwhile, and may go on.
PATIENCE = 90.0


@dataclass
class Watch:
    """What the watching thread found out.

    Attributes
    ----------
    obstacle : str or None
        Why nothing goes on.
    paused : sequence of (int, int)
        Memory in use and its limit of each worker, where all have paused at the last look.
    """

    obstacle: str | None = None
    paused: Sequence[tuple[int, int]] = ()


@contextlib.contextmanager
def watch_cluster(
    client: Client,
    report_tasks: Callable[[int, int], None],
    listener: Listener,
    *,
    since: float,
    interval: float = 0.5,
    patience: float = PATIENCE,
) -> Iterator[Watch]:
    """Report tasks, training rounds and lost workers of `client`'s cluster while the block runs.

    Where all workers have paused for want of memory, Dask waits for ever. Here what the client
    waits for is cancelled after a while, and the error then is a `ClusterError` with the reason.

    Parameters
    ----------
    client : distributed.Client
    report_tasks : callable
        Called with the tasks done and the tasks known, every `interval` seconds.
    listener : callable
        Called with a `TrainingRound`, `TrainingRestart` or `WorkerLost` as it happens, and with
        an `Outlook` at each look where the scheduler keeps the story of the client's run, from
        another thread.
    since : float
        Seconds since the epoch: earlier losses are not reported.
    interval : float
        Seconds between two looks.
    patience : float
        Seconds that all workers may be paused.

    Raises
    ------
    ClusterError
        All workers were paused for too long.
    """
    over = threading.Event()
    watch = Watch()
    held_before = set(client.futures)  # tables of a notebook's user, say: not the job's to cancel

    def look_on() -> None:
        seen: set[tuple[float, str]] = set()
        paused = _Paused(patience)
        while not over.wait(interval):
            try:
                done, total, memory = client.run_on_scheduler(_look)
                if outlook := outlook_of(client):
                    listener(outlook)
                watch.paused = memory
                if paused.too_long(memory):
                    watch.obstacle = why_paused(client, memory)
                    ours = [key for key in list(client.futures) if key not in held_before]
                    client.cancel([Future(key, client) for key in ours], force=True)
                    return
                report_tasks(done, total)
                _report_losses(client, since, seen, listener, CAUSE_AFTER)
            except Exception:
                # A display must never end a job; what happened to the cluster is the job's to tell.
                continue
        with contextlib.suppress(Exception):
            _report_losses(client, since, seen, listener, 0.0)

    poll = threading.Thread(target=look_on, name="dmlkit-watch", daemon=True)
    client.subscribe_topic(TOPIC, lambda event: _hear(event, listener))
    poll.start()
    try:
        yield watch
    except Exception as error:
        if watch.obstacle is None and isinstance(error, NoWorkerError) and watch.paused:
            watch.obstacle = why_paused(client, watch.paused)
        if watch.obstacle is not None:
            raise ClusterError(watch.obstacle) from error
        raise
    finally:
        over.set()
        poll.join(timeout=2)
        with contextlib.suppress(Exception):  # the cluster may be gone: nothing to unsubscribe
            client.unsubscribe_topic(TOPIC)


@dataclass
class _Paused:
    """Since when all workers have been paused."""

    patience: float
    since: float | None = None

    def too_long(self, memory: Sequence[tuple[int, int]]) -> bool:
        """Tell it from the memory of paused workers, which is empty where any still works."""
        if not memory:
            self.since = None
            return False
        self.since = self.since or time.monotonic()
        return time.monotonic() - self.since > self.patience


def _report_losses(
    client: Client,
    since: float,
    seen: set[tuple[float, str]],
    listener: Listener,
    patience: float,
) -> None:
    """Tell of new losses: with their causes, or without once `patience` seconds went by."""
    for loss in lost_workers(client, since):
        if (loss["time"], loss["worker"]) not in seen:
            cause = cause_of(client, loss["worker"])
            if cause or time.time() - loss["time"] >= patience:
                seen.add((loss["time"], loss["worker"]))
                listener(WorkerLost(**loss, cause=cause))


def _look(dask_scheduler: Any) -> tuple[int, int, list[tuple[int, int]]]:
    """Return tasks done and known, and the memory of workers if all are paused (on the scheduler).

    Memory is that in use, and the limit.
    """
    done = total = 0
    for group in dask_scheduler.task_groups.values():
        states = group.states
        done += states["memory"] + states["forgotten"] + states["released"] + states["erred"]
        total += sum(states.values())
    workers = dask_scheduler.workers.values()
    all_paused = bool(workers) and all(worker.status.name == "paused" for worker in workers)
    memory = [(worker.memory.process, worker.memory_limit) for worker in workers]
    return done, total, memory if all_paused else []


def _hear(event: Any, listener: Listener) -> None:
    _, message = event
    kind = message.get("kind") if isinstance(message, dict) else None
    if kind == "training-round":
        listener(TrainingRound(message["round"], message["total"], message["metrics"]))
    elif kind == "training-restart":
        names = [field.name for field in fields(TrainingRestart)]
        listener(TrainingRestart(**{name: message[name] for name in names}))
