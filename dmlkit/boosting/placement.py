"""Which rows each shard has, and how they get to the worker that trains on it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from distributed import Client

from dmlkit.boosting.far_rows import FarPart
from dmlkit.boosting.hosted_shard import Rows
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.seats import Seat
from dmlkit.boosting.shards import shards_of
from dmlkit.boosting.training_data import TrainingData, wait_for

__all__ = ["at_seats", "brought", "by_shard"]

Shard = tuple[Rows, Mapping[str, Rows | None]]


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
