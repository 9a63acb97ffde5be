"""Who trains: which workers of which machines, in how many processes, on which shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distributed import Client

from dmlkit.boosting.plan import Plan
from dmlkit.cluster.machines import least_together, machines_of

__all__ = ["Seat", "machines_for", "process_count", "seats", "team_size"]

#: The most threads of one process: a machine with more trains in several. None with more than two
#: was at hand to measure; most processors have about as many cores to a memory of their own.
THREADS_OF_PROCESS = 16


@dataclass(frozen=True)
class Seat:
    """A worker that trains on some shards, with the threads of others on its machine.

    Attributes
    ----------
    worker : str
        It starts a process for each of its shards.
    ranks : tuple of int
        Its shards.
    threads : int
        Of each process.
    team : tuple of str
        The workers, itself first, whose threads they have.
    beside : tuple of str
        The other workers of its machine, whose rows it passes on and does not keep.
    """

    worker: str
    ranks: tuple[int, ...]
    threads: int
    team: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def team_size(together: int, threads: int) -> int:
    """Return for how many workers one process trains, with the threads of all of them.

    In one process nothing is sent between workers, and one histogram of each node is filled.

    Parameters
    ----------
    together : int
        Workers of a machine.
    threads : int
        Of each.

    Examples
    --------
    >>> team_size(4, 1), team_size(6, 6), team_size(8, 32)
    (4, 2, 1)
    """
    sizes = range(1, together + 1)
    fitting = (
        size for size in sizes if not together % size and size * threads <= THREADS_OF_PROCESS
    )
    return max(fitting, default=1)


def machines_for(plan: Plan, client: Client, workers: Sequence[str]) -> list[list[str]]:
    """Return the workers of each machine; on GPUs each is by itself, since a process has one."""
    if plan.parameters.get("device") == "cuda":
        return [[worker] for worker in workers]
    return machines_of(client, workers)


def process_count(machines: Sequence[Sequence[str]], threads: Mapping[str, int]) -> int:
    """Return how many processes train on all machines together, where rows are many.

    Parameters
    ----------
    machines : sequence of sequence of str
        The workers of each.
    threads : mapping of str to int
        Of each worker.

    Examples
    --------
    >>> process_count([["a", "b"], ["c", "d"]], {}), process_count([["a", "b"], ["c"]], {})
    (2, 3)
    """
    counts = [len(workers) for workers in machines]
    most = max((threads.get(worker, 1) for workers in machines for worker in workers), default=1)
    return sum(counts) // team_size(least_together(counts), most)


def seats(shards: int, machines: Sequence[Sequence[str]], threads: Mapping[str, int]) -> list[Seat]:
    """Spread shards over machines by their workers, and in each over its workers.

    Parameters
    ----------
    shards : int
    machines : sequence of sequence of str
        The workers of each.
    threads : mapping of str to int
        Of each worker.

    Examples
    --------
    >>> for seat in seats(3, [["a", "b"], ["c"]], {"a": 4, "b": 4, "c": 4}):
    ...     print(seat.worker, seat.ranks, seat.threads)
    a (0,) 4
    b (1,) 4
    c (2,) 4
    >>> seats(1, [["a", "b"]], {"a": 4, "b": 4})
    [Seat(worker='a', ranks=(0,), threads=8, team=('a', 'b'), beside=('b',))]
    """
    taken, first = [], 0
    for workers, count in zip(machines, _of_machines(shards, machines), strict=True):
        used = min(count, len(workers))
        for number in range(used):
            team = workers[number * len(workers) // used : (number + 1) * len(workers) // used]
            ranks = tuple(first + rank for rank in range(count) if rank * used // count == number)
            share = sum(threads.get(worker, 1) for worker in team) // len(ranks)
            beside = tuple(worker for worker in workers if worker != team[0])
            taken.append(Seat(team[0], ranks, max(1, share), tuple(team), beside))
        first += count
    return taken


def _of_machines(shards: int, machines: Sequence[Sequence[str]]) -> list[int]:
    """Return how many shards each machine gets, in proportion to its workers.

    Examples
    --------
    >>> _of_machines(2, ["abcd", "efg"]), _of_machines(1, ["ab", "cd"])
    ([1, 1], [1, 0])
    """
    workers = sum(map(len, machines))
    shares = [shards * len(machine) / workers for machine in machines]
    counts = [int(share) for share in shares]
    left = sorted(range(len(shares)), key=lambda place: counts[place] - shares[place])
    for place in left[: shards - sum(counts)]:
        counts[place] += 1
    return counts
