"""The one way to a Dask client: `connect`. Deploying clusters elsewhere is not done here."""

import asyncio
import contextlib
import logging
import shutil
import signal
import sys
import warnings
from typing import Any, Literal

import dask
from dask.system import CPU_COUNT
from dask.utils import format_bytes, parse_bytes
from distributed import Client, Nanny, default_client
from distributed.deploy.utils import nprocesses_nthreads
from distributed.system import MEMORY_LIMIT

from dmlkit.errors import ClusterError, ConfigurationError

__all__ = ["connect", "current_client", "kill_workers", "lost_workers", "quiet_dask"]

#: Share of the machine's memory that workers may use; the rest is for the client and the system.
MEMORY_SHARE = 0.8

#: A worker with less than this spends its time spilling.
SMALLEST_WORKER = parse_bytes("512MiB")

#: Where all workers of a local cluster are gone, a job ends with an error after this time.
NO_WORKERS_TIMEOUT = "60s"

#: A local worker that has been silent for so long is taken for frozen: it is killed and its work is
#: done again. Looked for at the same interval, so that it may take twice as long.
SILENCE = "60s"

#: Those of Dask and below it that print, tracebacks too, though the error is raised and told.
LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado.application", "asyncio")


def connect(
    address: str | None = None,
    *,
    workers: int | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
    gpus: Literal["auto"] | int = "auto",
    security: Any = None,
    timeout: float = 10.0,
) -> Client:
    """Return a client of a Dask cluster, and make it the current one.

    Parameters
    ----------
    address : str, optional
        A running scheduler, such as ``"tcp://10.0.0.1:8786"``. Without one, the client that is
        current is returned; else the scheduler that Dask's own configuration names
        (``DASK_SCHEDULER_ADDRESS``); else a local cluster is started that fits this machine's
        cores and memory (cgroup limits included), reachable from this machine only.
    workers, threads : int, optional
        Worker processes, and threads in each, of a local cluster.
    memory : str or int, optional
        Memory of *each* local worker, such as ``"4GiB"``.
    gpus : "auto" or int
        With GPUs and the extra ``gpu`` (dask-cuda), a local cluster has one worker for each GPU;
        0 leaves the GPUs alone.
    security : distributed.Security, optional
        TLS certificates for the scheduler at `address`.
    timeout : float
        Seconds to wait for the scheduler at `address`.

    Returns
    -------
    distributed.Client

    Raises
    ------
    ClusterError
        No scheduler answers at `address`, or no worker can be started.
    ConfigurationError
        The sizes asked for cannot be.

    Examples
    --------
    >>> from dmlkit import connect
    >>> with connect(workers=1, threads=1, memory="1GiB") as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """
    if address is None and (client := current_client()) is not None:
        return client
    address = address or dask.config.get("scheduler-address", None)
    if address is not None:
        return _connect_to(address, security, timeout)
    return _start_local(workers, threads, memory, gpus)


def current_client() -> Client | None:
    """Return the client that is current, or None."""
    try:
        return default_client()
    except ValueError:
        return None


def lost_workers(client: Client, since: float = 0.0) -> list[dict[str, Any]]:
    """Tell which workers the scheduler lost without having been asked to let them go.

    Parameters
    ----------
    client : distributed.Client
    since : float
        Seconds since the epoch; earlier losses are left out.

    Returns
    -------
    list of dict
        With the keys ``time``, ``worker`` and ``recomputed_tasks`` (results that died with it).
    """
    events = client.get_events("all") or ()
    return [
        {
            "time": float(when),
            "worker": str(event["worker"]),
            "recomputed_tasks": len(event["lost-computed-tasks"]),
        }
        for when, event in events
        if event.get("action") == "remove-worker" and not event["expected"] and when >= since
    ]


def kill_workers(client: Client) -> None:
    """End the workers of the client's own local cluster, if it has one, busy or not.

    For a job that was stopped: closing a cluster waits for running tasks.
    """
    nannies = getattr(client.cluster, "workers", {}).values()

    async def kill() -> None:
        kills = [nanny.kill(timeout=0) for nanny in nannies if isinstance(nanny, Nanny)]
        await asyncio.gather(*kills, return_exceptions=True)

    with contextlib.suppress(Exception):  # closing comes next, and tells what went wrong
        client.sync(kill, callback_timeout=5)


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


def _connect_to(address: str, security: Any, timeout: float) -> Client:
    before = current_client()
    try:
        return Client(address, timeout=timeout, security=security)
    except (OSError, TimeoutError, ValueError) as error:
        _forget_client(before)
        raise ClusterError(
            f"No Dask scheduler answers at {address!r} ({_reason(error)}).\n"
            "Start one with `dask scheduler` and workers with `dask worker ADDRESS`, check the "
            "address and the firewall, or leave the address out for a local cluster."
        ) from error


def _forget_client(before: Client | None) -> None:
    """Let the client that was current be it again: Dask leaves one that failed to start."""
    left = current_client()
    if left is not None and left is not before:
        with contextlib.suppress(Exception):
            left.close(timeout=1)


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def _start_local(
    workers: int | None, threads: int | None, memory: str | int | None, gpus: Any
) -> Client:
    common = {
        "dashboard_address": "127.0.0.1:8787",
        "preload": ["dmlkit.cluster"],
        "silence_logs": max(logging.WARNING, logging.getLogger("distributed").level),
    }
    patience = {
        "distributed.scheduler.no-workers-timeout": NO_WORKERS_TIMEOUT,
        "distributed.scheduler.worker-ttl": SILENCE,
    }
    with warnings.catch_warnings(), dask.config.set(patience):
        warnings.filterwarnings("ignore", message=".*already in use")
        try:
            if _use_gpus(gpus):
                return Client(_cuda_cluster()(**common))
            # A client that starts its cluster itself also closes it.
            return Client(**_local_sizes(workers, threads, memory), **common)
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"A local cluster could not be started: {_reason(error)}.\n"
                "In a script, call it under `if __name__ == '__main__':`, since workers import "
                "the script; else check free memory and `ulimit -n`."
            ) from error


def _local_sizes(
    workers: int | None, threads: int | None, memory: str | int | None
) -> dict[str, Any]:
    """Fit processes, threads and memory to this machine, keeping what was asked for."""
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigurationError(f"{name}={value}: a local cluster needs at least 1.")
    if workers is None:
        workers = nprocesses_nthreads(CPU_COUNT)[0] if threads is None else CPU_COUNT // threads
        fitting = int(MEMORY_LIMIT * MEMORY_SHARE // SMALLEST_WORKER)
        workers = max(1, min(workers, fitting))
    threads = threads or max(1, CPU_COUNT // workers)
    limit = parse_bytes(memory) if memory else int(MEMORY_LIMIT * MEMORY_SHARE / workers)
    if limit * workers > MEMORY_LIMIT:
        raise ConfigurationError(
            f"{workers} workers of {format_bytes(limit)} need more than the "
            f"{format_bytes(MEMORY_LIMIT)} that this machine may use: ask for less."
        )
    return {"n_workers": workers, "threads_per_worker": threads, "memory_limit": limit}


def _use_gpus(gpus: Any) -> bool:
    if gpus == 0:
        return False
    found = shutil.which("nvidia-smi") is not None and _cuda_cluster() is not None
    if gpus != "auto" and not found:
        raise ClusterError(
            f"gpus={gpus}: needs the program nvidia-smi and the extra 'gpu' "
            "(pip install 'dmlkit[gpu]'); at least one is missing."
        )
    return found


def _cuda_cluster() -> Any:
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError:
        return None
    return LocalCUDACluster
