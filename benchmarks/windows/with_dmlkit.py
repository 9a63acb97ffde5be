"""The job with dmlkit, on a local cluster, and what its workers' time went into."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from distributed import get_task_stream

from benchmarks.windows.job import JOBS, WORKERS, Windows
from dmlkit import connect, read_table, write_table
from dmlkit.features import FeatureSet, TimeWindows

__all__ = ["started"]

MEMORY = "4GiB"

#: What tasks do, by a part of their names; the first that is found counts.
KINDS = {
    "SortedTable": "windows",
    "in_order": "windows",
    "SendHome": "windows",
    "partwriter": "writing",
    "read": "reading",
    "sample": "cutting",
    "ranges_of": "cutting",
    "cut": "cutting",
    "join": "cutting",
    "piece": "cutting",
    "opened": "cutting",
}

#: What workers do besides computing, by Dask's names for it.
ACTIONS = {"transfer": "transfers", "disk-read": "spilling", "disk-write": "spilling"}


@contextmanager
def started(order: str = "entity") -> Iterator[Callable[[Path, Path], dict[str, float]]]:
    """Start a cluster; yield what does the job and returns the seconds of each kind of task."""
    with connect(workers=WORKERS, threads=1, memory=MEMORY):
        yield partial(_run, order)


def _run(order: str, source: Path, target: Path) -> dict[str, float]:
    features = FeatureSet([_step(windows) for windows in JOBS])
    with get_task_stream() as stream:
        write_table(features.transform(read_table(source), order=order), target)
    return seconds_by_kind(stream.data)


def _step(windows: Windows) -> TimeWindows:
    return TimeWindows(
        windows.entity,
        "ts",
        list(windows.lengths),
        {windows.value: windows.aggregates},
        delay=windows.delay_name or None,
        dtype="float32",
    )


def seconds_by_kind(tasks: list[dict[str, Any]]) -> dict[str, float]:
    """Add up the seconds of tasks, of all workers, by what they do.

    Transfers may go on while something else is computed, so that all together may be more than
    the workers' time.
    """
    seconds: dict[str, float] = {}
    for task in tasks:
        for each in task["startstops"]:
            kind = ACTIONS.get(each["action"]) or _kind_of(str(task["key"]))
            seconds[kind] = seconds.get(kind, 0.0) + each["stop"] - each["start"]
    return seconds


def _kind_of(key: str) -> str:
    name = key.lower()
    return next((kind for part, kind in KINDS.items() if part.lower() in name), "other")
