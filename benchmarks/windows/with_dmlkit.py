"""The job with dmlkit, on a local cluster, and what its workers' time went into."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, get_task_stream, get_worker

from benchmarks.windows.job import JOBS, WORKERS, Windows
from dmlkit import connect, read_table, write_table
from dmlkit.features import FeatureSet, TimeWindows
from dmlkit.features.computation import Computation

__all__ = ["started"]

MEMORY = "4GiB"

#: What tasks do, by a part of their names; the first that is found counts. Windows are computed
#: within other tasks, too, and measured there.
KINDS = {
    "SortedTable": "windows",
    "in_order": "windows",
    "SendHome": "windows",
    "PartWriter": "writing",
    "read": "reading",
    "opened": "reading",
    "sample": "cutting",
    "ranges_of": "cutting",
    "cut": "cutting",
    "join": "cutting",
    "piece": "cutting",
}

#: On a worker: the seconds that windows took in each task, by its key.
window_seconds: dict[str, float] = {}

#: What workers do besides computing, by Dask's names for it.
ACTIONS = {"transfer": "transfers", "disk-read": "spilling", "disk-write": "spilling"}


@contextmanager
def started(order: str = "entity") -> Iterator[Callable[[Path, Path], dict[str, float]]]:
    """Start a cluster; yield what does the job and returns the seconds of each kind of task."""
    with connect(workers=WORKERS, threads=1, memory=MEMORY) as client:
        client.run(measure_windows)
        yield partial(_run, client, order)


def measure_windows() -> None:
    """Have this worker keep the seconds that windows take in each of its tasks."""
    compute = Computation.features

    def measured(computation: Computation, *rows: Any) -> Any:
        began = time.perf_counter()
        found = compute(computation, *rows)
        key = str(get_worker().get_current_task())
        window_seconds[key] = window_seconds.get(key, 0.0) + time.perf_counter() - began
        return found

    Computation.features = measured  # type: ignore[method-assign,assignment]


def told_window_seconds() -> dict[str, float]:
    """Return, on a worker, the seconds of windows by task."""
    return dict(window_seconds)


def _run(client: Client, order: str, source: Path, target: Path) -> dict[str, float]:
    features = FeatureSet([_step(windows) for windows in JOBS])
    with get_task_stream() as stream:
        write_table(features.transform(read_table(source), order=order), target)
    windows: dict[str, float] = {}
    for told in client.run(told_window_seconds).values():
        windows |= told
    return seconds_by_kind(stream.data, windows)


def _step(windows: Windows) -> TimeWindows:
    return TimeWindows(
        windows.entity,
        "ts",
        list(windows.lengths),
        {windows.value: windows.aggregates},
        delay=windows.delay_name or None,
        dtype="float32",
    )


def seconds_by_kind(tasks: list[dict[str, Any]], windows: Mapping[str, float]) -> dict[str, float]:
    """Add up the seconds of tasks, of all workers, by what they do; windows by task are known.

    Transfers may go on while something else is computed, so that all together may be more than
    the workers' time.
    """
    seconds: dict[str, float] = {}
    for task in tasks:
        for each in task["startstops"]:
            kind = ACTIONS.get(each["action"]) or _kind_of(str(task["key"]))
            seconds[kind] = seconds.get(kind, 0.0) + each["stop"] - each["start"]
        within = windows.get(str(task["key"]), 0.0)
        kind = _kind_of(str(task["key"]))
        if within and kind != "windows":
            seconds[kind] -= within
            seconds["windows"] = seconds.get("windows", 0.0) + within
    return seconds


def _kind_of(key: str) -> str:
    name = key.lower()
    return next((kind for part, kind in KINDS.items() if part.lower() in name), "other")
