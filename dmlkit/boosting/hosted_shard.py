"""The process of a shard, seen from its worker, which starts it, feeds it and may kill it."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import distributed
from dask.utils import format_bytes
from distributed.comm import get_address_host

from dmlkit.boosting.checkpoint import Checkpoint
from dmlkit.boosting.far_rows import Fetch, fetched
from dmlkit.boosting.launcher import start_process
from dmlkit.boosting.matrices import KEPT_VALUES, batch_rows, batches
from dmlkit.boosting.memory import bytes_of_bins
from dmlkit.boosting.memory_kills import count_memory_kills
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.shard_process import Orders
from dmlkit.boosting.shards import Piece
from dmlkit.boosting.wire import receive, send

__all__ = ["HostOrders", "HostedShard", "Rows", "start_shard"]

#: (part or `FarPart`, its rows, start, stop)
Rows = Sequence[tuple[Any, int, int, int]]


@dataclass(frozen=True)
class HostOrders:
    """What every worker of an attempt is told.

    Attributes
    ----------
    token : str
        By which the scheduler knows the attempt.
    plan : Plan
    checkpoint : bytes or None
        Where to go on.
    shards : int
        How many there are on all workers.
    silence : float
        Seconds without a sign of life after which a process is taken for frozen.
    threads : int
        Of each process.
    team : int
        Workers whose threads the processes of this one have.
    """

    token: str
    plan: Plan
    checkpoint: bytes | None
    shards: int
    silence: float
    threads: int = 1
    team: int = 1


@dataclass
class HostedShard:
    """The process of one shard, seen from its worker."""

    rank: int
    connection: Connection
    process: int
    tables: Mapping[str | None, Rows]
    total: int
    batch_rows: int
    wake: threading.Event
    cache: Path | None
    fetch: Fetch
    rows: int = 0
    ended: bool = False
    failed: bool = False
    _news: deque[tuple[str, int, Any]] = field(default_factory=deque)
    _heard: float = field(default_factory=time.monotonic)
    _worked: float = field(default_factory=time.monotonic)
    _passes: dict[str | None, Iterator[Any]] = field(default_factory=dict)
    _gone: bool = False
    _giving: bool = False
    _memory_kills: int = field(default_factory=count_memory_kills)

    def say(self, what: str, content: Any = None) -> None:
        """Tell the process something."""
        with contextlib.suppress(OSError):  # it ended; the listening thread tells
            send(self.connection, (what, content))

    def take_news(self) -> list[tuple[str, int, Any]]:
        """Return what happened since the last call."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def waits(self) -> float:
        """Return for how many seconds the process has been waiting for others."""
        return 0.0 if self._giving else time.monotonic() - self._worked

    def check(self, silence: float) -> None:
        """Kill the process if it gave no sign of life for so many seconds."""
        quiet = time.monotonic() - self._heard
        if not (self.ended or self._giving) and quiet > silence:
            self.fail("froze", f"its training process gave no sign of life for {quiet:.0f} s")
            self.kill()

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        if not self._gone:  # else another process may have its number by now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
        if self.cache is not None:
            shutil.rmtree(self.cache, ignore_errors=True)

    def listen(self) -> None:
        """Act on what the process tells, until it ends (a thread of its own)."""
        try:
            while True:
                what, content = receive(self.connection)
                self._heard = time.monotonic()
                if what != "beat" or not content:
                    self._worked = self._heard
                if what == "rows":
                    pieces = [
                        Piece(part, start, stop) for part, _, start, stop in self._of(content)
                    ]
                    self._passes[content] = self._pass(pieces)
                if what in ("rows", "next"):
                    self._give(content)
                elif what != "beat":
                    self._note(what, content)
        except (EOFError, OSError):
            self._gone = True
            if not self.ended:
                self._fail_of_itself()

    def _fail_of_itself(self) -> None:
        if count_memory_kills() > self._memory_kills:
            of = "the system, which had no memory left for it beside its worker"
            self.fail("memory", f"its training process was killed by {of}")
        else:
            why = "by a signal" if self.cache is None else _left_on_disk(self.cache.parent)
            self.fail("died", f"its training process was killed ({why}) or crashed")

    def _give(self, table: str | None) -> None:
        """Give the next batch of a table, or None after the last one.

        Rows of a lost worker may have to be computed again first, and nobody listens meanwhile.
        """
        self._giving = True
        try:
            batch = next(self._passes[table], None)
        except Exception as error:
            self.fail("task", str(error))
            self.kill()
            return
        finally:
            self._heard = self._worked = time.monotonic()
            self._giving = False
        self.say("batch", batch)

    def _pass(self, pieces: list[Piece]) -> Iterator[Any]:
        """Give the rows in batches; of those in files, say where they are, for all at once."""
        if self.cache is None:
            return batches(fetched(pieces, self.fetch), self.batch_rows)
        return iter([[replace(piece, part=piece.part.place) for piece in pieces]])

    def _of(self, table: str | None) -> Rows:
        return self.tables[table]

    def _note(self, what: str, content: Any) -> None:
        if what == "round":
            rounds, metrics, before = content
            content = {"round": rounds, "total": self.total, "metrics": metrics, "before": before}
            content["time"] = time.time()  # several go on their way together
        if what == "effort":
            content = {"rows": self.rows, **content}
        if what == "built":
            self.tables, self._passes = {}, {}
        self.ended = self.ended or what in ("done", "failed", "peer-lost")
        self.failed = self.failed or what in ("failed", "peer-lost")
        self._news.append((what, self.rank, content))
        if what not in ("round", "effort"):
            self.wake.set()

    def fail(self, kind: str, reason: str) -> None:
        """End it with a reason."""
        self.failed = self.ended = True
        self._news.append((kind, self.rank, reason))
        self.wake.set()


def start_shard(
    orders: HostOrders,
    rank: int,
    training: Rows,
    evaluations: Mapping[str, Rows | None],
    wake: threading.Event,
    fetch: Fetch,
) -> HostedShard:
    """Start the process of a shard, and listen to it.

    Parameters
    ----------
    orders : HostOrders
    rank : int
        The number of the shard.
    training : Rows
    evaluations : mapping of str to Rows or None
        None stands for the training rows.
    wake : threading.Event
        Set when there is news that should not wait.
    fetch : callable
        Returns the content of a `FarPart`.
    """
    connection, process = start_process()
    own = {name: rows for name, rows in evaluations.items() if rows is not None}
    tables: dict[str | None, Rows] = {None: training}
    tables.update(own.items())
    cache = _folder_for_bins() if orders.plan.external_memory else None
    size = batch_rows(len(orders.plan.features))
    rows = sum(stop - start for _, _, start, stop in training)
    shard = HostedShard(
        rank, connection, process, tables, orders.plan.rounds, size, wake, cache, fetch, rows
    )
    threading.Thread(target=shard.listen, name=f"dmlkit-shard-{rank}", daemon=True).start()
    checkpoint = None if orders.checkpoint is None else Checkpoint.from_bytes(orders.checkpoint)
    same = frozenset(set(evaluations) - set(own))
    host = None if rank or orders.shards == 1 else _host_name()
    if cache is not None and (problem := _no_space(cache, orders.plan, tables)):
        shard.fail("failed", problem)
        return shard
    kept_values = KEPT_VALUES * orders.team
    told = Orders(
        orders.plan, rank, orders.shards, host, same, orders.threads, kept_values, checkpoint, cache
    )
    shard.say("orders", told)
    return shard


def _folder_for_bins() -> Path:
    """Make a folder in the worker's own, which Dask removes when the worker is gone."""
    return Path(tempfile.mkdtemp(prefix="bins-", dir=distributed.get_worker().local_directory))


def _no_space(folder: Path, plan: Plan, tables: Mapping[str | None, Rows]) -> str | None:
    """Say that bins will not find room in a folder: XGBoost would end without a word."""
    rows = sum(stop - start for of in tables.values() for _, _, start, stop in of)
    needed = bytes_of_bins(rows, len(plan.features), int(plan.parameters.get("max_bin", 256)))
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return None
    return (
        f"bins need about {format_bytes(needed)} in {str(folder.parent)!r}, where "
        f"{format_bytes(free)} are left. Give workers a folder with more space (Dask's "
        "temporary-directory, or --local-directory of `dask worker`)."
    )


def _left_on_disk(folder: Path) -> str:
    """Tell what may have ended a process that keeps bins in files."""
    try:
        left = f", of which {format_bytes(shutil.disk_usage(folder).free)} are left"
    except OSError:  # the worker is ending, too
        left = ""
    return f"by a signal, or out of disk{left}?"


def _host_name() -> str:
    """Return the address at which other workers reach this one's host."""
    address = distributed.get_worker().address
    return "127.0.0.1" if address.startswith("inproc:") else get_address_host(address)
