"""Processes that train, ready in milliseconds: forks of one that has imported XGBoost and waits.

A training has a process of its own for each shard. So a crash in native code takes no worker with
it, and one that is stuck waiting for a lost peer can be killed and its worker lives on. Importing
XGBoost anew for each would take seconds, and a worker, which has threads, must not be forked.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

__all__ = ["start_process"]

#: Seconds in which the first process must have imported all, or one that waits must have forked.
PATIENCE = 120.0

_lock = threading.Lock()
_launcher: tuple[subprocess.Popen[bytes], socket.socket] | None = None


def start_process() -> tuple[Connection, int]:
    """Start a process that runs `shard_process.serve`; return the connection to it and its id.

    Raises
    ------
    OSError
        No process can be started.
    """
    with _lock:
        for attempt in (1, 2):
            launcher = _running()
            ours, theirs = socket.socketpair()
            try:
                socket.send_fds(launcher, [b"x"], [theirs.fileno()])
                answer = launcher.recv(8)
                if len(answer) == 8:
                    return Connection(ours.detach()), int.from_bytes(answer, "little")
            except OSError:
                if attempt == 2:
                    raise
            finally:
                theirs.close()
            ours.close()
            _forget()
    raise OSError("the process that starts others ended at once")


def _running() -> socket.socket:
    global _launcher
    if _launcher is None or _launcher[0].poll() is not None:
        _forget()
        ours, theirs = socket.socketpair()
        command = f"from dmlkit.boosting.launcher import launch; launch({theirs.fileno()})"
        process = subprocess.Popen(
            [sys.executable, "-c", command],
            pass_fds=[theirs.fileno()],
            env=_environment(),
            stdin=subprocess.DEVNULL,
        )
        ours.settimeout(PATIENCE)
        theirs.close()
        _launcher = process, ours
    return _launcher[1]


def _environment() -> dict[str, str]:
    """Return this process's environment, but for what is set for a worker and holds XGBoost up.

    Dask sets OMP_NUM_THREADS to 1, and XGBoost takes no more than that, whatever number it is asked
    for. MALLOC_... has a worker give memory back soon, and here each round would take it anew.
    """
    ours = (
        "OMP_NUM_THREADS",
        "MALLOC_TRIM_THRESHOLD_",
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_ARENA_MAX",
    )
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _forget() -> None:
    global _launcher
    if _launcher is not None:
        process, connection = _launcher
        connection.close()
        process.kill()
        process.wait()
        _launcher = None


def launch(number: int) -> None:
    """Fork a process for each connection that comes in, until the worker is gone (its own process).

    Parameters
    ----------
    number : int
        The file descriptor of the socket to the worker.
    """
    # XGBoost imports scikit-learn where it finds it, for its estimators: that is most of the time.
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    from dmlkit.boosting.shard_process import serve

    del sys.modules["sklearn"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's to act on
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended ones leave nothing behind
    with socket.socket(fileno=number) as requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
            if not message:
                return
            process = os.fork()
            if process == 0:
                requests.close()
                with contextlib.suppress(EOFError, OSError):  # the worker is gone
                    serve(Connection(descriptors[0]))
                os._exit(0)
            os.close(descriptors[0])
            try:
                requests.send(process.to_bytes(8, "little"))
            except OSError:  # the worker is gone, and with it the one that it asked for
                return
