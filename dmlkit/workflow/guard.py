"""A process that clears up after a job whose client was killed: nobody else is left to do it.

Of SIGKILL, or for want of memory, a process learns nothing. This one waits beside it for nothing
but its end.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["clear_up_after", "guarded"]

#: What is run in that process, with the output folder; little is imported while all is well.
WAITING = """
import sys
if sys.stdin.buffer.read() != b"over":
    from dmlkit.workflow.guard import clear_up_after
    clear_up_after(sys.argv[1])
"""
#: Seconds in which local workers end whose client has ended, with what they are writing.
WORKERS_END = 3.0


@contextlib.contextmanager
def guarded(out: Path | str) -> Iterator[None]:
    """Have cleared up after this process should it be killed within the block."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no more processes: the next job clears up
            stack.enter_context(_waiting(out))
        yield


@contextlib.contextmanager
def _waiting(out: Path | str) -> Iterator[None]:
    waiting = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the job
    )
    try:
        yield
    finally:
        waiting.communicate(b"over")


def clear_up_after(out: Path | str) -> None:
    """Remove what a job left that was killed, unless another one writes to `out` by now.

    Where it had begun to publish, that is brought to its end.
    """
    from dmlkit.cluster.scratch import remove_scratch
    from dmlkit.errors import OutputError
    from dmlkit.workflow.destination import find_destination

    time.sleep(WORKERS_END)
    with contextlib.suppress(OutputError):
        find_destination(out).clear_up()
    remove_scratch()
