"""How many workers a job has, and what each may use: those of a cluster, or those that would be."""

from dataclasses import dataclass

from dask.utils import format_bytes
from distributed import Client

from dmlkit.cluster.local import bytes_of, local_sizes

__all__ = ["WorkerSizes", "limit_of_workers", "sizes_here", "sizes_of"]


@dataclass(frozen=True)
class WorkerSizes:
    """Workers that are alike.

    Attributes
    ----------
    workers : int
    threads : int
        Of each; of the worker that has the fewest.
    limit : int
        Bytes of memory that each may use, of the worker that may use the least; 0 without a limit.
    """

    workers: int
    threads: int
    limit: int

    def __str__(self) -> str:
        memory = format_bytes(self.limit) if self.limit else "memory without a limit"
        count = "1 worker" if self.workers == 1 else f"{self.workers:,} workers"
        threads = "1 thread" if self.threads == 1 else f"{self.threads:,} threads"
        return f"{count} of {threads} and {memory}"


def sizes_here(
    workers: int | None = None, threads: int | None = None, memory: str | int | None = None
) -> WorkerSizes:
    """Return the workers that a local cluster would have, or those that are asked for.

    With both `workers` and `memory` they need not fit this machine.

    Examples
    --------
    >>> sizes_here(workers=8, threads=2, memory="16GiB")
    WorkerSizes(workers=8, threads=2, limit=17179869184)
    >>> print(sizes_here(workers=8, memory="16GiB"))
    8 workers of 1 thread and 16.00 GiB
    """
    if workers and memory:
        return WorkerSizes(workers, threads or 1, bytes_of(memory))
    sizes = local_sizes(workers, threads, memory)
    return WorkerSizes(sizes["n_workers"], sizes["threads_per_worker"], int(sizes["memory_limit"]))


def sizes_of(client: Client) -> WorkerSizes:
    """Return the workers of a cluster; of none that are there yet, one of one thread."""
    threads = list(client.nthreads().values()) or [1]
    return WorkerSizes(len(threads), min(threads), limit_of_workers(client))


def limit_of_workers(client: Client) -> int:
    """Return the memory of the worker that may take the least, 0 where none has a limit."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return min(
        (int(worker["memory_limit"]) for worker in workers if worker["memory_limit"]), default=0
    )
