"""Faults as a training meets them, each done to real processes."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil
from distributed import Client

__all__ = ["FAULTS", "strike", "trainer_of"]

#: Seconds that a fault waits for its moment.
PATIENCE = 30.0


def trainer_of(worker: int) -> psutil.Process:
    """Return a process below a worker that trains, a child of the one that launches them."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for launcher in psutil.Process(worker).children():
            for process in launcher.children():
                return process
        time.sleep(0.02)
    raise TimeoutError(f"worker {worker} has no process that trains")


def kill_worker(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Kill the process of a worker, as the kernel does for want of memory."""
    os.kill(process, signal.SIGKILL)


def freeze_worker(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Stop the process of a worker without ending it."""
    os.kill(process, signal.SIGSTOP)


def kill_trainer(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Kill one process that trains."""
    trainer_of(process).kill()


def crash_trainer(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Let one process that trains crash in native code."""
    trainer_of(process).send_signal(signal.SIGSEGV)


def freeze_trainer(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Stop one process that trains without ending it."""
    trainer_of(process).suspend()


def retire_worker(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Let a worker go, as a cluster that shrinks does."""
    client.retire_workers([worker])


def restart_worker(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Have a worker start anew, at another address."""
    with contextlib.suppress(OSError):  # the test ended, and closed the client
        client.restart_workers([worker], timeout=30)


def exhaust_worker(client: Client, worker: str, process: int) -> None:  # noqa: ARG001
    """Let a worker take more memory than it may have: its nanny kills it."""
    client.run(_take_all_memory, workers=[worker])


def _take_all_memory(dask_worker: Any) -> None:
    """Fill memory beside the tasks, as a leak in native code does."""
    limit = dask_worker.memory_manager.memory_limit

    def fill() -> None:
        taken = []
        while sum(map(len, taken)) < limit:
            taken.append(b"x" * 2**26)
        time.sleep(PATIENCE)

    threading.Thread(target=fill, daemon=True).start()


FAULTS: dict[str, Callable[[Client, str, int], None]] = {
    "kill a worker": kill_worker,
    "freeze a worker": freeze_worker,
    "kill a trainer": kill_trainer,
    "crash a trainer": crash_trainer,
    "freeze a trainer": freeze_trainer,
    "exhaust a worker's memory": exhaust_worker,
    "retire a worker": retire_worker,
    "restart a worker": restart_worker,
}


def strike(
    client: Client,
    faults: Sequence[tuple[int, Callable[[Client, str, int], None]]],
    *,
    beside: bool = False,
) -> threading.Thread:
    """Do faults to the last of the workers that train, each once its round of a training is told.

    Parameters
    ----------
    client : distributed.Client
    faults : sequence of (int, callable)
        By rounds, ascending.
    beside : bool
        Do them to the last of the others instead, whose threads one that trains has.
    """
    # One that was frozen before, and not noticed yet, does not answer.
    workers = client.run(os.getpid, on_error="ignore")
    told = threading.Condition()
    rounds = -1
    train: set[str] = set()

    def hear(event: Any) -> None:
        nonlocal rounds, train
        with told:
            if event[1].get("kind") == "training-attempt":
                train, rounds = set(event[1]["workers"]), max(rounds, 0)
            if event[1].get("kind") == "training-round":
                rounds = event[1]["round"]
            told.notify_all()

    def act() -> None:
        for number, fault in faults:
            with told:
                reached = told.wait_for(lambda number=number: rounds >= number, timeout=60)
            if reached:
                worker = max(set(workers) - train if beside else train)
                fault(client, worker, workers[worker])

    client.subscribe_topic("dmlkit", hear)
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread
