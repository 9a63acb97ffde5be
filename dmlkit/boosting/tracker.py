"""XGBoost's tracker, by which the processes of one training find each other: kept by the scheduler.

Every worker can reach the scheduler; whether it can reach the client is not known.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from distributed import Client
from distributed.comm import get_address_host
from xgboost.tracker import RabitTracker

__all__ = ["running_tracker"]

#: Of the scheduler's process: the trackers of trainings that are running.
_running: dict[str, RabitTracker] = {}


@contextlib.contextmanager
def running_tracker(client: Client, workers: int) -> Iterator[dict[str, Any]]:
    """Start a tracker for so many processes; give what they need to find it."""
    token = uuid.uuid4().hex
    try:
        yield client.run_on_scheduler(_start, workers, token)
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone, and the tracker with it
            client.run_on_scheduler(_stop, token)


def _start(workers: int, token: str, dask_scheduler: Any = None) -> dict[str, Any]:
    address = dask_scheduler.address
    host = "127.0.0.1" if address.startswith("inproc:") else get_address_host(address)
    # Sorted by task, so that a rank stands for the same rows in each run.
    tracker = RabitTracker(n_workers=workers, host_ip=host, sortby="task")
    tracker.start()
    _running[token] = tracker
    threading.Thread(target=_wait, args=(tracker,), name="xgboost-tracker", daemon=True).start()
    arguments: dict[str, Any] = tracker.worker_args()
    return arguments


def _wait(tracker: RabitTracker) -> None:
    with contextlib.suppress(Exception):  # a training that failed: its workers say why
        tracker.wait_for()


def _stop(token: str) -> None:
    tracker = _running.pop(token, None)
    if tracker is not None:
        tracker.free()
