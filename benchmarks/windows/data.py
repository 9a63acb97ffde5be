"""Made-up card transactions in Parquet files, in the order of time, one file after the other.

Each file holds a slice of the span and is drawn by itself, so that any number of rows takes the
memory of one file, and the tables of how often entities come.
"""

import shutil
from math import ceil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

__all__ = ["make_transactions"]

SEED = 1
ROWS_PER_FILE = 312_500
ROWS_PER_CUSTOMER, ROWS_PER_TERMINAL = 100, 50

BEGIN = int(np.datetime64("2025-01-01", "us").astype(np.int64))
SPAN = 183 * 86_400 * 1_000_000


def make_transactions(folder: Path, rows: int, files: int | None = None) -> Path:
    """Write transactions into a folder of that name, unless it is there; return the folder.

    Parameters
    ----------
    folder : Path
        It is there only when it is whole.
    rows : int
    files : int, optional
        Without it: one for each 312,500 rows, and two at least, since one can't be shared.
    """
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    files = files or max(2, ceil(rows / ROWS_PER_FILE))
    customers = _customers(max(1, rows // ROWS_PER_CUSTOMER))
    terminals = _terminals(max(1, rows // ROWS_PER_TERMINAL))
    for number in range(files):
        first, end = rows * number // files, rows * (number + 1) // files
        instants = BEGIN + SPAN * number // files, BEGIN + SPAN * (number + 1) // files
        table = _file_of(number, (first, end), instants, customers, terminals)
        path = unfinished / f"part-{number:05d}.parquet"
        pyarrow.parquet.write_table(table, path, compression="zstd")
    return unfinished.rename(folder)


def _file_of(
    number: int,
    rows: tuple[int, int],
    instants: tuple[int, int],
    customers: np.ndarray,
    terminals: np.ndarray,
) -> pa.Table:
    """Return the rows of one file; `customers` and `terminals` hold the shares, added up."""
    random = np.random.default_rng([SEED, number])
    count = rows[1] - rows[0]
    times = np.sort(random.integers(*instants, count))
    columns = {
        "tx_id": np.arange(*rows),
        "ts": pa.array(times).cast(pa.timestamp("us")),
        "customer_id": _drawn(random, customers, count),
        "terminal_id": _drawn(random, terminals, count),
        "amount": random.gamma(2.0, 25.0, count).astype(np.float32),
        "fraud": (random.random(count) < 0.008).astype(np.int8),
    }
    return pa.table(columns)


def _customers(count: int) -> np.ndarray:
    """Return how often customers come, added up: most of them more or less alike."""
    shares = np.random.default_rng(SEED).gamma(0.8, size=count)
    return np.cumsum(shares / shares.sum())


def _terminals(count: int) -> np.ndarray:
    """Return how often terminals come, added up: a few of them very often."""
    shares = 1 / np.arange(1, count + 1) ** 0.6
    return np.cumsum(shares / shares.sum())


def _drawn(random: np.random.Generator, shares: np.ndarray, count: int) -> np.ndarray:
    # The last sum may be a little below 1.
    numbers = np.searchsorted(shares, random.random(count))
    return np.minimum(numbers, len(shares) - 1).astype(np.int32)
