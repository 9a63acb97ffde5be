"""What Dask prints, here and in local workers. Workers load this module when they start."""

import contextlib
import logging
import signal
import sys
from typing import Any

import dask

__all__ = ["quiet_dask"]

#: Those of Dask and below it that print, tracebacks too, though the error is raised and told.
LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado.application", "asyncio")


def quiet_dask() -> None:
    """Let Dask log nothing here, nor in the workers of a local cluster that is started later.

    For programs that tell of every error themselves, such as the command line.
    """
    dask.config.set({"dmlkit.quiet": True})  # workers of local clusters are given the settings
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def dask_setup(_worker: Any) -> None:
    """Make a local worker leave Ctrl-C to the client (called by Dask: this module is a preload).

    A terminal sends the signal to every process of the job; only the client knows how to stop it.
    A worker is as quiet as the client was when it started the cluster.
    """
    if dask.config.get("dmlkit.quiet", False):
        quiet_dask()
        sys.unraisablehook = lambda _: None  # such as of a file that could not be closed either
    with contextlib.suppress(ValueError):  # not in the main thread: nothing to do there
        signal.signal(signal.SIGINT, signal.SIG_IGN)
