"""Telling the scheduler what a job does: from a queue, so that the job never waits for it."""

import contextlib
import getpass
import platform
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from distributed import Client

from dmlkit.observe.events import Event, Listener, Notice, StageEvent, WorkflowEvent
from dmlkit.observe.masking import masked
from dmlkit.observe.watch import TOPIC

__all__ = ["tell_scheduler"]

#: Events that wait, at most: where the scheduler is gone, more of them help nobody.
WAITING = 1000

#: Seconds to wait at the end for what has not been sent.
AT_THE_END = 2.0


@contextlib.contextmanager
def tell_scheduler(client: Client, run: str) -> Iterator[Listener]:
    """Give a listener that sends a run's events to the scheduler until the block ends.

    `Client.log_event` can block for half a minute where the scheduler is gone: it is called in a
    thread of its own, and what does not fit its queue is dropped.

    Parameters
    ----------
    client : distributed.Client
    run : str
        By which the run is known.
    """
    waiting: queue.Queue[Mapping[str, Any] | None] = queue.Queue(WAITING)

    def send() -> None:
        while (message := waiting.get()) is not None:
            with contextlib.suppress(Exception):  # a job goes on though nobody can look on
                client.log_event(TOPIC, message)

    def hear(event: Event) -> None:
        message = _message(event)
        if message is not None:
            with contextlib.suppress(queue.Full):
                waiting.put_nowait({**message, "run": run, "client": client.id})

    thread = threading.Thread(target=send, name="dmlkit-tell", daemon=True)
    thread.start()
    try:
        yield hear
    finally:
        with contextlib.suppress(queue.Full):
            waiting.put_nowait(None)
        thread.join(timeout=AT_THE_END)


def _message(event: Event) -> dict[str, Any] | None:
    """Return an event as a message; those that the scheduler knows better itself are left out."""
    if isinstance(event, WorkflowEvent):
        facts = {**asdict(event), "stages": list(event.stages), "earlier": list(event.earlier)}
        told = {name: masked(facts[name] or "") for name in ("data", "out", "error")}
        return {"kind": "workflow", **facts, **told, "user": _user(), "host": platform.node()}
    if isinstance(event, StageEvent) and event.state != "running":
        return {"kind": "stage", **asdict(event)}
    if isinstance(event, Notice):
        return {"kind": "notice", "text": masked(event.text)}
    return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return ""
