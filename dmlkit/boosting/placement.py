"""Which worker trains on which rows, and how rows in files get there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from distributed import Client

from dmlkit.boosting.hosted_shard import Rows
from dmlkit.boosting.shards import shards_of
from dmlkit.boosting.training_data import TrainingData, wait_for

__all__ = ["brought", "by_shard", "spread"]


def spread(shards: int, workers: Sequence[str]) -> dict[str, list[int]]:
    """Spread shards over workers, neighbours together.

    Examples
    --------
    >>> spread(3, ["a", "b"]), spread(1, ["a", "b"])
    ({'a': [0, 1], 'b': [2]}, {'a': [0]})
    """
    used = min(shards, len(workers))
    placed: dict[str, list[int]] = {worker: [] for worker in workers[:used]}
    for rank in range(shards):
        placed[workers[rank * used // shards]].append(rank)
    return placed


def by_shard(
    data: TrainingData, evaluations: Mapping[str, TrainingData], shards: int
) -> list[tuple[Rows, dict[str, Rows | None]]]:
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
    placed: Mapping[str, Sequence[int]],
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
    placed: Mapping[str, Sequence[int]],
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
    placed : mapping of str to sequence of int
        The shards of each worker.
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


def _owners(
    table: TrainingData, shards: int, placed: Mapping[str, Sequence[int]]
) -> dict[int, str]:
    """Return for each part the worker that trains on most of its rows."""
    most: dict[int, tuple[int, str]] = {}
    workers = {rank: worker for worker, ranks in placed.items() for rank in ranks}
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
