"""A cluster on this machine, sized by what it may use."""

import contextlib
import logging
import shutil
import warnings
from typing import Any

import dask
from dask.utils import format_bytes, parse_bytes
from distributed import Client
from distributed.deploy.utils import nprocesses_nthreads

from dmlkit.cluster.allocator import let_workers_keep_memory
from dmlkit.cluster.limits import limits
from dmlkit.cluster.open_files import allow_open_files
from dmlkit.cluster.room import check_temporary_folder
from dmlkit.errors import ClusterError, ConfigurationError

__all__ = ["bytes_of", "first_line", "local_sizes", "start_local", "uses_gpus"]

#: What a user has each scheduler load.
PRELOADED = "distributed.scheduler.preload"

#: Share of the machine's memory that workers may use; the rest is for the client and the system.
MEMORY_SHARE = 0.8

#: A worker with less than this spends its time spilling.
SMALLEST_WORKER = parse_bytes("512MiB")

#: Where all workers of a local cluster are gone, a job ends with an error after this time.
NO_WORKERS_TIMEOUT = "60s"

#: A lost worker's place is kept for so long: Dask's own 15 s are less than what a worker takes to
#: start on a machine that is busy, and then there is one less for good.
REPLACEMENT_TIMEOUT = "2 minutes"

#: A local worker that has been silent for so long is taken for frozen: it is killed and its work is
#: done again. Looked for at the same interval, so that it may take twice as long.
SILENCE = "60s"


def start_local(
    workers: int | None,
    threads: int | None,
    memory: str | int | None,
    gpus: Any,
    first: int | None = None,
) -> Client:
    """Start a cluster that only this machine reaches; its client closes it.

    With `first`, no more workers than that at the beginning: it is sized for `workers` of them.
    """
    common = {
        "dashboard_address": "127.0.0.1:8787",
        "preload": ["dmlkit.cluster.logs", "dmlkit.cluster.free_memory"],
        # By its name, as on a command line: what watches a cluster is built on what starts it.
        "scheduler_kwargs": {"preload": [*dask.config.get(PRELOADED, []), "dmlkit.observe"]},
        "silence_logs": max(logging.WARNING, logging.getLogger("distributed").level),
    }
    patience = {
        "distributed.scheduler.no-workers-timeout": NO_WORKERS_TIMEOUT,
        "distributed.scheduler.worker-ttl": SILENCE,
    }
    # Dask looks at this one when a worker is lost, not when the cluster starts.
    dask.config.set({"distributed.deploy.lost-worker-timeout": REPLACEMENT_TIMEOUT})
    on_gpus, sizes = uses_gpus(gpus), local_sizes(workers, threads, memory)
    allow_open_files(sizes["n_workers"])
    check_temporary_folder(sizes["n_workers"] * sizes["memory_limit"])
    with warnings.catch_warnings(), dask.config.set(patience):
        warnings.filterwarnings("ignore", message=".*already in use")
        try:
            if on_gpus:
                some = {} if gpus == "auto" else {"n_workers": gpus}
                return Client(_cuda_cluster()(**some, **common))
            # A client that starts its cluster itself also closes it.
            let_workers_keep_memory(sizes["memory_limit"])
            begun = sizes if first is None else sizes | {"n_workers": first}
            return Client(**begun, **common)
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"A local cluster could not be started: {first_line(error).rstrip('.')}.\n"
                "In a script, call it under `if __name__ == '__main__':`, since workers import "
                "the script; else check free memory and `ulimit -n`."
            ) from error


def local_sizes(
    workers: int | None, threads: int | None, memory: str | int | None
) -> dict[str, Any]:
    """Fit processes, threads and memory to this machine, keeping what was asked for."""
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigurationError(f"{name}={value}: a local cluster needs at least 1.")
    machine = limits()
    if workers is None:
        cores = machine.cores
        workers = nprocesses_nthreads(cores)[0] if threads is None else cores // threads
        fitting = int(machine.memory * MEMORY_SHARE // SMALLEST_WORKER)
        workers = max(1, min(workers, fitting))
    threads = threads or max(1, machine.cores // workers)
    limit = bytes_of(memory) if memory else int(machine.memory * MEMORY_SHARE / workers)
    if limit * workers > machine.memory:
        raise ConfigurationError(
            f"{workers} workers of {format_bytes(limit)} need more than the "
            f"{format_bytes(machine.memory)} that this machine may use: ask for less."
        )
    return {"n_workers": workers, "threads_per_worker": threads, "memory_limit": limit}


def bytes_of(memory: str | int) -> int:
    """Return how many bytes an amount of memory is.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    with contextlib.suppress(ValueError):
        if (size := int(parse_bytes(memory))) > 0:
            return size
    raise ConfigurationError(f"memory={memory!r} is no amount of memory; write such as '4GiB'.")


def uses_gpus(gpus: Any) -> bool:
    """Tell whether a local cluster has a worker for each GPU; raise where it must and can't."""
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


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
