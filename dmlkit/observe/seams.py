"""Every place where this package leans on something of Dask's that is not promised to stay.

Each is guarded: where Dask has moved, what hangs on it is left out and a warning says so.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle
from tornado.ioloop import IOLoop

from dmlkit.observe import nanny_exits

__all__ = [
    "add_pages",
    "add_pane",
    "link_page",
    "look_often_for_silent",
    "watch_exits",
    "watch_failures",
]

logger = logging.getLogger("dmlkit.observe")

#: How often a scheduler looks for silent workers in the time that it gives them.
LOOKS = 12


def add_pages(scheduler: Any, handlers: Sequence[tuple[str, type, dict[str, Any]]]) -> bool:
    """Serve handlers on the scheduler's own HTTP server, under its prefix.

    Returns
    -------
    bool
        False where it has no HTTP server that takes any.
    """
    try:
        application = scheduler.http_application
        prefix = _prefix(application)
        application.add_handlers(r".*", [(prefix + path, *rest) for path, *rest in handlers])
    except Exception:
        logger.warning("Dask's HTTP server takes no pages: /dmlkit is not there.", exc_info=True)
        return False
    return True


def link_page(scheduler: Any, page: str) -> bool:
    """Add a page to the navigation of Dask's dashboard.

    Returns
    -------
    bool
        False where there is none: no Bokeh, or no dashboard.
    """
    try:
        from distributed.dashboard.scheduler import template_variables

        pages = template_variables(scheduler)["pages"]
        if page not in pages:
            pages.insert(1, page)
    except Exception:
        return False
    return True


def add_pane(scheduler: Any, path: str, draw: Callable[[Any], None]) -> bool:
    """Serve a Bokeh document beside those of Dask's dashboard, and list it among them.

    Dask builds its documents when a scheduler starts; this one is an application of its own, whose
    name is put among those of the first one, where ``individual-plots.json`` looks.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    path : str
        Such as ``/individual-name``.
    draw : callable
        Fills a document that somebody opens.

    Returns
    -------
    bool
        False where there is no dashboard, or it takes none.
    """
    try:
        from bokeh.server.tornado import BokehTornado
        from distributed.dashboard.core import BokehApplication
    except ImportError:
        return False
    application = scheduler.http_application
    dashboards = [app for app in application.applications if isinstance(app, BokehTornado)]
    if not dashboards or path in dashboards[0].app_paths:
        return bool(dashboards)
    try:
        documents = {path: lambda server, extra, document: draw(document)}  # noqa: ARG005
        own = BokehApplication(documents, scheduler, prefix=_prefix(application))
        own.initialize(IOLoop.current())
        application.add_application(own)
        own.start()
        dashboards[0]._applications.update(own._applications)
    except Exception:
        logger.warning("Dask's dashboard takes no pane for JupyterLab.", exc_info=True)
        return False
    return True


async def watch_exits(scheduler: Any) -> bool:
    """Have nannies, now and later, tell how the processes of their workers end.

    Returns
    -------
    bool
        False where none can.
    """
    cloudpickle.register_pickle_by_value(nanny_exits)
    try:
        plugin = cloudpickle.dumps(nanny_exits.NannyExits())
        answers = await scheduler.register_nanny_plugin(
            comm=None, plugin=plugin, name=nanny_exits.NannyExits.name, idempotent=True
        )
    except Exception:
        logger.warning("Nannies tell no exit codes.", exc_info=True)
        return False
    finally:
        cloudpickle.unregister_pickle_by_value(nanny_exits)
    return all(answer.get("status") == "OK" for answer in answers.values())


def look_often_for_silent(scheduler: Any) -> bool:
    """Have a scheduler look several times for workers that are silent for too long.

    By itself it looks once in the time that it gives them: one that falls silent after a look is
    given up after twice as long.

    Returns
    -------
    bool
        False where it never looks, or can't be told to.
    """
    try:
        looking = scheduler.periodic_callbacks["worker-ttl"]
        looking.callback_time = scheduler.worker_ttl * 1000 / LOOKS
        if looking.is_running():  # the time of the next look was set by the old interval
            looking.stop()
            looking.start()
    except (AttributeError, KeyError, TypeError):
        return False
    return True


def watch_failures(scheduler: Any, heard: Callable[..., None]) -> bool:
    """Have a scheduler tell each time that a task fails on a worker.

    Plugins hear of the last failure only: that a task is tried again has no hook.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    heard : callable
        Called with ``key``, ``worker`` and ``exception_text`` before the scheduler acts on it.

    Returns
    -------
    bool
        False where it cannot.
    """
    handlers = getattr(scheduler, "stream_handlers", {})
    handler = handlers.get("task-erred")
    if handler is None:
        logger.warning("Dask's scheduler has no handler of failed tasks: retries are not told.")
        return False

    def hear(key: Any = None, worker: str = "", exception_text: str = "", **facts: Any) -> Any:
        try:
            heard(key=key, worker=worker, exception_text=exception_text)
        except Exception:  # what is shown must never harm what it shows
            logger.debug("A failed task was not understood.", exc_info=True)
        return handler(key=key, worker=worker, exception_text=exception_text, **facts)

    handlers["task-erred"] = hear
    return True


def _prefix(application: Any) -> str:
    """Return what the addresses of Dask's own pages begin with (``--dashboard-prefix``)."""
    for router in (application.wildcard_router, application.default_router):
        for rule in router.rules:
            nested = getattr(rule.target, "rules", None) or [rule]
            for each in nested:
                pattern = getattr(getattr(each.matcher, "regex", None), "pattern", "")
                if pattern.endswith("/health$"):
                    return pattern.removesuffix("/health$")
    return ""
