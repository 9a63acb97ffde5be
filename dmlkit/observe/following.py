"""A run's events to all who listen: those of its caller, and the scheduler, which shows them."""

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace

from distributed import Client

from dmlkit.errors import ClusterError
from dmlkit.observe.asking import install
from dmlkit.observe.events import Event, Listener, Notice, WorkflowEvent
from dmlkit.observe.history import Following
from dmlkit.observe.sender import tell_scheduler

__all__ = ["follow_run"]


@contextlib.contextmanager
def follow_run(
    client: Client, start: WorkflowEvent, listeners: Sequence[Listener]
) -> Iterator[Following]:
    """Tell of a run from its start to its end, however it ends.

    Parameters
    ----------
    client : distributed.Client
        Its scheduler keeps the story from here on, and serves it at ``/dmlkit``.
    start : WorkflowEvent
        What is to run.
    listeners : sequence of callables
        Told of each event too.

    Yields
    ------
    Following
        What to call with each event, and the history so far.
    """
    run = uuid.uuid4().hex[:12]
    with tell_scheduler(client, run) as send:

        def tell(event: Event) -> None:
            for listener in (*listeners, send):
                listener(event)

        try:
            install(client)
        except ClusterError as error:
            tell(Notice(str(error)))
        tell(start)
        try:
            yield Following(run, tell, client)
        except BaseException as error:
            if isinstance(error, Exception):
                tell(replace(start, state="failed", error=str(error) or type(error).__name__))
            else:
                tell(replace(start, state="stopped"))
            raise
        tell(replace(start, state="done"))
