"""How many workers a job has, and what each may use: those of a cluster, or those that would be."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dask.utils import format_bytes
from distributed import Client
from distributed.comm import get_address_host

from dmlkit.cluster.limits import limits, memory_here
from dmlkit.cluster.local import bytes_of, local_sizes
from dmlkit.cluster.machines import least_together, machine_here
from dmlkit.cluster.workers import answers_of_workers

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
    room : int
        Bytes that its machine or container has for it and the processes beside it together; 0 where
        that is not known.
    together : int
        How many of them share a machine, as far as each has as many.
    """

    workers: int
    threads: int
    limit: int
    room: int = 0
    together: int = 1

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
    WorkerSizes(workers=8, threads=2, limit=17179869184, room=0, together=1)
    >>> print(sizes_here(workers=8, memory="16GiB"))
    8 workers of 1 thread and 16.00 GiB
    """
    if workers and memory:
        return WorkerSizes(workers, threads or 1, bytes_of(memory))
    sizes = local_sizes(workers, threads, memory)
    count, limit = sizes["n_workers"], int(sizes["memory_limit"])
    room = max(limits().memory // count, limit)
    return WorkerSizes(count, sizes["threads_per_worker"], limit, room, together=count)


def sizes_of(client: Client) -> WorkerSizes:
    """Return the workers of a cluster; of none that are there yet, one of one thread."""
    threads = client.nthreads()
    limit = limit_of_workers(client)
    told = answers_of_workers(client, _place_here)
    on_machine = Counter(told[worker][1] if worker in told else worker for worker in threads)
    room = max(_least_room({worker: memory for worker, (memory, _) in told.items()}), limit)
    together = least_together(list(on_machine.values()))
    return WorkerSizes(len(threads) or 1, min(threads.values(), default=1), limit, room, together)


def _place_here() -> tuple[int, str]:
    return memory_here(), machine_here()


def _least_room(told: Mapping[str, int]) -> int:
    """Return what the place of the worker that has the least has for it; 0 where none tells.

    Workers with one address share what is there, as far as anybody can see.
    """
    beside = Counter(map(get_address_host, told))
    return min((told[each] // beside[get_address_host(each)] for each in told), default=0)


def limit_of_workers(client: Client) -> int:
    """Return the memory of the worker that may take the least, 0 where none has a limit."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return min(
        (int(worker["memory_limit"]) for worker in workers if worker["memory_limit"]), default=0
    )
