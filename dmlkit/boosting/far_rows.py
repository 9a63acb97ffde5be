"""Partitions that another worker of the machine holds: fetched one by one, and not kept.

As arguments of a task, Dask would bring all of them into the memory of one worker at once.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import distributed
from distributed.utils import sync
from distributed.utils_comm import gather_from_workers

from dmlkit.boosting.shards import Piece

__all__ = ["FarPart", "RowsChangedError", "check_length", "fetched", "fetcher"]

#: Seconds between two looks for a partition that is being computed again.
LOOK = 0.1

Fetch = Callable[["FarPart"], Any]


@dataclass(frozen=True)
class FarPart:
    """A partition by the key under which Dask has it, and its rows."""

    key: str
    length: int

    def __len__(self) -> int:
        return self.length


class RowsChangedError(ValueError):
    """A part that was computed again has other rows than the first time."""


def check_length(part: Any, length: int) -> None:
    """Raise if a part has other rows than the first time.

    Raises
    ------
    RowsChangedError
    """
    if len(part) != length:
        raise RowsChangedError(
            f"a partition had {length:,} rows and has {len(part):,} now that it was computed again"
        )


def fetched(pieces: Sequence[Piece], fetch: Fetch) -> Iterator[Piece]:
    """Give pieces with the content of their partitions, one in memory at a time.

    Parameters
    ----------
    pieces : sequence of Piece
    fetch : callable
        Returns the content of a `FarPart`.
    """
    for piece in pieces:
        part = piece.part
        if isinstance(part, FarPart):
            part = fetch(part)
            check_length(part, piece.part.length)
        yield replace(piece, part=part)


def fetcher(patience: float, over: threading.Event) -> Fetch:
    """Return what fetches partitions to this task's worker; any thread may call it.

    Where the worker that held one is lost, it waits until another one has computed it.

    Parameters
    ----------
    patience : float
        Seconds after which a worker that does not answer is asked no more.
    over : threading.Event
        Set when nobody wants them any more: what was waited for may never come.
    """
    worker = distributed.get_worker()

    async def fetch(key: str) -> Any:
        while not over.is_set():
            there = await worker.scheduler.who_has(keys=[key])
            if there[key]:
                gathering = gather_from_workers(there, rpc=worker.rpc, who=worker.address)
                try:
                    found, _, broken, _ = await asyncio.wait_for(gathering, patience)
                except TimeoutError:  # frozen; the client takes it out of the cluster
                    continue
                if broken:
                    raise OSError(f"a partition could not be read as {there[key][0]} sent it")
                if key in found:
                    return found[key]
            await asyncio.sleep(LOOK)
        raise OSError("the attempt is over")

    return lambda part: sync(worker.loop, fetch, part.key)
