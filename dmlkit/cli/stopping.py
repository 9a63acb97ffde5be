"""Ctrl-C and SIGTERM: stop at the first signal, sweep up, but not for ever."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from dmlkit.cli.endings import STOPPED

__all__ = ["stopping_in_order"]

#: Seconds that a stopped job has to close its cluster and to sweep up.
GRACE = 15.0


@contextlib.contextmanager
def stopping_in_order() -> Iterator[None]:
    """Stop at the first signal, and let no further one break the sweeping up, but not for ever."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook

    def stop(_number: int, _frame: Any) -> NoReturn:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        watchdog = threading.Timer(GRACE, _leave)
        watchdog.daemon = True
        watchdog.start()
        raise KeyboardInterrupt

    def insist(unraisable: Any) -> None:
        """Interrupt again if the first time was in a callback of C, which swallows exceptions."""
        if unraisable.exc_type is not KeyboardInterrupt:
            hook(unraisable)
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()

    sys.unraisablehook = insist
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> NoReturn:
    """End the process where sweeping up hangs; the next job into the same folder goes on with it.

    Local workers end with the process, and so does its hold on the output folder.
    """
    sys.stderr.write("Error: Stopped, without waiting for the workers.\n")
    sys.stderr.flush()
    os._exit(STOPPED)
