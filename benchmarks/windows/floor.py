"""The floor: the steps of the job on plain processes, with nothing in between.

Each process reads its share of the files, in the order of time. Rows of a terminal are brought
together, then those of a customer: each process leaves in a folder in memory what the other one
needs. What is held there is in no process's memory, and so not in the figure for it.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from benchmarks.windows.floor_kernels import (
    delayed_windows,
    order_by_entity,
    trailing_maxima,
    trailing_moments,
)
from benchmarks.windows.job import CUSTOMER, INPUT, TERMINAL, WORKERS, Windows, feature_types
from dmlkit.tables.encodings import encodings_of

__all__ = ["started"]

#: Each block becomes a file, as large as those of dmlkit: its features fit into memory at once.
ROWS_PER_BLOCK = 262_144

#: A folder in memory, where there is one.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

#: Where the processes wait for each other; set when each is started.
meeting: Any = None

Columns = dict[str, np.ndarray]


class Steps:
    """The seconds that each step took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count what is done in the context as part of a step."""
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


@contextmanager
def started() -> Iterator[Callable[[Path, Path], dict[str, float]]]:
    """Start the processes; yield what does the job and returns the seconds of each step."""
    context = get_context("spawn")
    pool = ProcessPoolExecutor(
        WORKERS, context, initializer=_join_meeting, initargs=(context.Barrier(WORKERS),)
    )
    with pool:
        yield partial(_on_all, pool)


def _join_meeting(barrier: Any) -> None:
    global meeting
    meeting = barrier


def _on_all(pool: ProcessPoolExecutor, source: Path, target: Path) -> dict[str, float]:
    target.mkdir()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as exchange:
        folders = (source, target, Path(exchange))
        futures = [pool.submit(_share_of_job, number, *folders) for number in range(WORKERS)]
        shares = [future.result() for future in futures]
    return {step: sum(share[step] for share in shares) for step in shares[0]}


def _share_of_job(number: int, source: Path, target: Path, exchange: Path) -> dict[str, float]:
    """Do one process's share of the job; return the seconds of each step."""
    steps = Steps()
    try:
        with steps.of("reading"):
            rows = _read(source, number)
        rows = _gathered(rows, "terminal_id", number, exchange, steps)
        rows |= _terminal_features(rows, steps)
        rows = _gathered(rows, "customer_id", number, exchange, steps)
        with steps.of("ordering"):
            # Stable sorting merges what came in order from each process.
            order = order_by_entity(rows["customer_id"], np.argsort(rows["ts"], kind="stable"))
        for block, numbers in enumerate(_blocks(rows["customer_id"], order)):
            columns = _customer_features(rows, numbers, steps)
            with steps.of("writing"):
                _write(columns, target / f"part-{number}-{block:05d}.parquet")
    except BaseException:
        meeting.abort()  # or the other process would wait for this one
        raise
    return steps.seconds


def _read(source: Path, number: int) -> Columns:
    """Return the rows of a share of the files; times as microseconds."""
    files = sorted(source.glob("*.parquet"))
    mine = files[len(files) * number // WORKERS : len(files) * (number + 1) // WORKERS]
    tables = [pyarrow.parquet.read_table(file, use_threads=False) for file in mine]
    table = pa.concat_tables(tables)
    columns = {name: table[name].to_numpy() for name in INPUT}
    return columns | {"ts": columns["ts"].view(np.int64)}


def _gathered(rows: Columns, entity: str, number: int, exchange: Path, steps: Steps) -> Columns:
    """Return all rows of this process's entities, and leave the others to the others."""
    with steps.of("exchange"):
        owner = rows[entity] % WORKERS
        for other in set(range(WORKERS)) - {number}:
            theirs = np.flatnonzero(owner == other)
            for name, values in rows.items():
                np.save(exchange / f"{entity}-{number}-{other}-{name}.npy", values[theirs])
        mine = np.flatnonzero(owner == number)
        parts = {number: {name: values[mine] for name, values in rows.items()}}
    with steps.of("waiting"):
        meeting.wait()
    with steps.of("exchange"):
        for other in set(range(WORKERS)) - {number}:
            parts[other] = {name: _taken(exchange, entity, other, number, name) for name in rows}
        in_order = [parts[sender] for sender in range(WORKERS)]
        return {name: np.concatenate([part[name] for part in in_order]) for name in rows}


def _taken(exchange: Path, entity: str, sender: int, number: int, name: str) -> np.ndarray:
    path = exchange / f"{entity}-{sender}-{number}-{name}.npy"
    values = np.load(path)
    path.unlink()
    return np.asarray(values)


def _terminal_features(rows: Columns, steps: Steps) -> Columns:
    """Return the features of terminals in the order of the rows, which is that of time."""
    terminals = rows["terminal_id"]
    with steps.of("ordering"):
        order = order_by_entity(terminals, np.arange(len(terminals)))
    with steps.of("gathering"):
        columns = [rows[name][order] for name in ("terminal_id", "ts", "fraud")]
    with steps.of("windows"):
        counts, means = delayed_windows(*columns, _lengths(TERMINAL), TERMINAL.delay)
    with steps.of("gathering"):
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return {
            TERMINAL.name(aggregate, length): values[window][places]
            for aggregate, values in (("count", counts), ("mean", means))
            for window, length in enumerate(TERMINAL.lengths)
        }


def _customer_features(rows: Columns, numbers: np.ndarray, steps: Steps) -> Columns:
    """Return all columns of some rows, which are whole customers in the order of time."""
    with steps.of("gathering"):
        columns = {name: values[numbers] for name, values in rows.items()}
    with steps.of("windows"):
        by_time = columns["customer_id"], columns["ts"]
        amounts = columns["amount"].astype(np.float64)
        counts, (sums, means, deviations) = trailing_moments(*by_time, amounts, _lengths(CUSTOMER))
        maxima = trailing_maxima(*by_time, columns["amount"], _lengths(CUSTOMER))
    features = zip(CUSTOMER.aggregates, (counts, sums, means, maxima, deviations), strict=True)
    return columns | {
        CUSTOMER.name(aggregate, length): values[window]
        for aggregate, values in features
        for window, length in enumerate(CUSTOMER.lengths)
    }


def _blocks(entities: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """Cut ordered rows into blocks of whole entities."""
    starts = np.flatnonzero(np.diff(entities[order])) + 1
    near = np.searchsorted(starts, np.arange(ROWS_PER_BLOCK, len(order), ROWS_PER_BLOCK))
    cuts = np.unique(starts[near[near < len(starts)]])
    return np.split(order, cuts)


def _lengths(windows: Windows) -> np.ndarray:
    return np.array(list(windows.lengths.values()))


def _write(columns: Columns, path: Path) -> None:
    """Write a block as dmlkit does: NaN is missing, the same encodings and compression."""
    columns["ts"] = columns["ts"].view("datetime64[us]")
    arrays = {name: _as_arrow(columns[name]) for name in (*INPUT, *feature_types())}
    table = pa.table(arrays)
    pyarrow.parquet.write_table(table, path, store_schema=False, **encodings_of(table))


def _as_arrow(values: np.ndarray) -> pa.Array:
    missing = np.isnan(values) if values.dtype.kind == "f" else None
    return pa.array(values, mask=missing if missing is not None and missing.any() else None)
