"""The job with DuckDB: one query of window functions over ranges.

On a million rows, tried twice, ranges of whole numbers took 3.0 and 3.1 s, intervals of timestamps
3.6 and 4.3 s.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.windows.job import INPUT, JOBS, WORKERS, Windows

__all__ = ["started"]

SETTINGS: dict[str, Any] = {
    "threads": WORKERS,
    "memory_limit": "8GB",
    "preserve_insertion_order": False,
}

#: Of a value, over a window.
AGGREGATES = {
    "count": "count({value}) OVER {window}::INTEGER",
    "sum": "sum({value}) OVER {window}::FLOAT",
    "mean": "avg({value}) OVER {window}::FLOAT",
    "max": "max({value}) OVER {window}::FLOAT",
    "std": "stddev_samp({value}) OVER {window}::FLOAT",
}


@contextmanager
def started() -> Iterator[Callable[[Path, Path], dict[str, float]]]:
    """Open a database in memory; yield what does the job. There are no steps to tell apart."""
    import duckdb

    with duckdb.connect(config=SETTINGS) as connection:
        yield partial(_run, connection)


def _run(connection: Any, source: Path, target: Path) -> dict[str, float]:
    connection.execute(
        f"COPY ({query(source)}) TO '{target}' "
        "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PER_THREAD_OUTPUT true)"
    )
    return {}


def query(source: Path) -> str:
    """Return the query of the job."""
    features = [
        AGGREGATES[aggregate].format(value=windows.value, window=_window(windows, length))
        + f" AS {windows.name(aggregate, length)}"
        for windows in JOBS
        for aggregate in windows.aggregates
        for length in windows.lengths
    ]
    ranges = [
        f"{_window(windows, length)} AS ({_range(windows, microseconds)})"
        for windows in JOBS
        for length, microseconds in windows.lengths.items()
    ]
    return (
        f"SELECT {', '.join([*INPUT, *features])} "
        f"FROM (SELECT *, epoch_us(ts) AS instant FROM read_parquet('{source}/*.parquet')) "
        f"WINDOW {', '.join(ranges)}"
    )


def _window(windows: Windows, length: str) -> str:
    return f"{windows.entity}_{length}"


def _range(windows: Windows, length: int) -> str:
    # Both ends of a range are in it: a microsecond less leaves out what is as old as the window
    # is long. The current row stands for all of its instant.
    end = f"{windows.delay} PRECEDING" if windows.delay else "CURRENT ROW"
    return (
        f"PARTITION BY {windows.entity} ORDER BY instant "
        f"RANGE BETWEEN {windows.delay + length - 1} PRECEDING AND {end}"
    )
