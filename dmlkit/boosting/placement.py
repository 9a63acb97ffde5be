"""Which worker trains on which rows, and how rows in files get there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from distributed import Client

from dmlkit.boosting.far_rows import FarPart
from dmlkit.boosting.hosted_shard import Rows
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.shards import shards_of
from dmlkit.boosting.training_data import TrainingData, wait_for
from dmlkit.cluster.machines import least_together, machines_of

__all__ = [
    "Seat",
    "at_seats",
    "brought",
    "by_shard",
    "machines_for",
    "process_count",
    "seats",
    "team_size",
]

Shard = tuple[Rows, Mapping[str, Rows | None]]

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
    team : int
        The workers, itself among them, whose threads they have.
    beside : tuple of str
        The other workers of its machine, whose rows it passes on and does not keep.
    """

    worker: str
    ranks: tuple[int, ...]
    threads: int
    team: int = 1
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
    [Seat(worker='a', ranks=(0,), threads=8, team=2, beside=('b',))]
    """
    taken, first = [], 0
    for workers, count in zip(machines, _of_machines(shards, machines), strict=True):
        used = min(count, len(workers))
        for number in range(used):
            team = workers[number * len(workers) // used : (number + 1) * len(workers) // used]
            ranks = tuple(first + rank for rank in range(count) if rank * used // count == number)
            share = sum(threads.get(worker, 1) for worker in team) // len(ranks)
            beside = tuple(worker for worker in workers if worker != team[0])
            taken.append(Seat(team[0], ranks, max(1, share), len(team), beside))
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


def at_seats(
    shards: Sequence[Shard], placed: Sequence[Seat], plan: Plan, client: Client
) -> list[Shard]:
    """Return shards as the tasks that train on them are given them.

    Rows that a worker on the same machine holds are passed on piece by piece; others come to the
    worker before its task begins, as Dask does it.

    Parameters
    ----------
    shards : sequence of (training rows, evaluation rows by table)
        With futures of their partitions.
    placed : sequence of Seat
    plan : Plan
    client : distributed.Client
    """
    if plan.external_memory:  # they have been brought
        return list(shards)
    tables = [
        rows for training, watched in shards for rows in (training, *watched.values()) if rows
    ]
    there = client.who_has([part for rows in tables for part, *_ in rows])
    seat_of = {rank: seat for seat in placed for rank in seat.ranks}
    return [
        (
            _at_seat(training, seat_of[rank], there),
            {
                name: None if rows is None else _at_seat(rows, seat_of[rank], there)
                for name, rows in watched.items()
            },
        )
        for rank, (training, watched) in enumerate(shards)
    ]


def _at_seat(rows: Rows, seat: Seat, there: Mapping[str, Sequence[str]]) -> Rows:
    return [
        (
            FarPart(part.key, length) if _is_far(there.get(part.key, ()), seat) else part,
            length,
            start,
            stop,
        )
        for part, length, start, stop in rows
    ]


def _is_far(holders: Sequence[str], seat: Seat) -> bool:
    # One that nobody holds is computed again, and may be then by a worker beside.
    return seat.worker not in holders and (not holders or not set(seat.beside).isdisjoint(holders))


def by_shard(
    data: TrainingData, evaluations: Mapping[str, TrainingData], shards: int
) -> list[Shard]:
    """Return for each shard its training rows and those of each evaluation table."""
    training = _pieces(data, shards)
    watched = {
        name: None if table is data else _pieces(table, shards)
        for name, table in evaluations.items()
    }
    return [
        (
            training[rank],
            {name: None if rows is None else rows[rank] for name, rows in watched.items()},
        )
        for rank in range(shards)
    ]


def brought(
    data: TrainingData,
    evaluations: Mapping[str, TrainingData],
    shards: int,
    placed: Sequence[Seat],
    client: Client,
    worker_timeout: float,
) -> tuple[TrainingData, dict[str, TrainingData]]:
    """Bring the parts of all tables to the workers that train on them."""
    found = _at_shards(data, shards, placed, client, worker_timeout)
    return found, {
        name: found if table is data else _at_shards(table, shards, placed, client, worker_timeout)
        for name, table in evaluations.items()
    }


def _at_shards(
    table: TrainingData,
    shards: int,
    placed: Sequence[Seat],
    client: Client,
    worker_timeout: float,
) -> TrainingData:
    """Return a table whose parts lie where most of their rows are trained on.

    They are moved one after the other to each worker. Dask, which sees no more of them than a
    name, would ask for all at once, and they go through memory on their way.

    Parameters
    ----------
    table : TrainingData
        In files.
    shards : int
    placed : sequence of Seat
    client : distributed.Client
    worker_timeout : float
        As for `gather`.
    """
    there = client.who_has(table.parts)
    parts = list(table.parts)
    moves: dict[str, list[int]] = {}
    for number, worker in _owners(table, shards, placed).items():
        if worker not in there.get(parts[number].key, ()):
            moves.setdefault(worker, []).append(number)
    for numbers in zip_longest(*moves.values()):
        moved = {
            number: client.submit(
                _itself, parts[number], workers=[worker], allow_other_workers=True, pure=False
            )
            for worker, number in zip(moves, numbers, strict=True)
            if number is not None
        }
        wait_for(list(moved.values()), client, 2 * worker_timeout)
        for number, part in moved.items():
            parts[number] = part
    return replace(table, parts=parts)


def _owners(table: TrainingData, shards: int, placed: Sequence[Seat]) -> dict[int, str]:
    """Return for each part the worker that trains on most of its rows."""
    most: dict[int, tuple[int, str]] = {}
    workers = {rank: seat.worker for seat in placed for rank in seat.ranks}
    for rank, pieces in enumerate(shards_of(table.lengths, shards, table.queries)):
        for piece in pieces:
            rows = piece.stop - piece.start
            if rows > most.get(piece.part, (0, ""))[0]:
                most[piece.part] = rows, workers[rank]
    return {part: worker for part, (_, worker) in most.items()}


def _itself(part: Any) -> Any:
    return part


def _pieces(table: TrainingData, shards: int) -> list[Rows]:
    """Return for each shard its pieces, with the futures of their partitions."""
    return [
        [
            (table.parts[piece.part], table.lengths[piece.part], piece.start, piece.stop)
            for piece in pieces
        ]
        for pieces in shards_of(table.lengths, shards, table.queries)
    ]
