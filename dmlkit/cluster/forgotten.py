"""Results that a scheduler forgot when a worker was lost are computed again.

A result may be marked to be computed again and then, in the same breath, as no longer needed: by a
task that meanwhile was put back itself. The scheduler of distributed 2026.8 never comes back to it,
and what waits for it waits for ever.
"""

import logging
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from distributed import Client, Scheduler, SchedulerPlugin

__all__ = ["ForgottenResults", "remember_results", "resume_forgotten"]

NAME = "dmlkit-forgotten-results"

#: Seconds after the loss of a worker: others are often lost with it.
SETTLED = 1.0

logger = logging.getLogger("dmlkit.cluster")

#: Clients whose schedulers were given the plugin.
_asked: WeakSet[Client] = WeakSet()


class ForgottenResults(SchedulerPlugin):
    """Looks for forgotten results each time that a worker is lost."""

    name = NAME
    idempotent = True

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:  # noqa: ARG002
        """Look soon."""
        scheduler.loop.call_later(SETTLED, resume_forgotten, scheduler)


def resume_forgotten(scheduler: Any) -> int:
    """Have a scheduler compute results that tasks wait for and nobody is about to make.

    Between two of its decisions no task may wait for a result that is released, so that whatever is
    found was forgotten.

    Parameters
    ----------
    scheduler : distributed.Scheduler

    Returns
    -------
    int
        How many results were forgotten.
    """
    try:
        forgotten = {
            needed.key: "waiting"
            for task in scheduler.tasks.values()
            if task.state == "waiting"
            for needed in task.waiting_on or ()
            if needed.state == "released"
        }
        if forgotten:
            logger.warning("%d results were forgotten: they are computed again", len(forgotten))
            scheduler.transitions(forgotten, NAME)
    except (AttributeError, KeyError, TypeError):
        logger.warning("Can't look for forgotten results with this version of distributed.")
        return 0
    return len(forgotten)


def remember_results(client: Client) -> None:
    """Have the scheduler of a client look for forgotten results; nothing is waited for."""
    if client.asynchronous or client in _asked:
        return
    _asked.add(client)
    client.loop.add_callback(_register, client)


async def _register(client: Client) -> None:
    with suppress(Exception):  # such as a scheduler without dmlkit
        await client._register_scheduler_plugin(ForgottenResults(), NAME, True)
