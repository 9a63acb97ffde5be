"""What watching costs: the time of many small tasks with the story and without, and its size.

``python -m benchmarks.observe [--rows TASKS] [--repeat 5] [--workers 500] [--tasks 1000000]
[--json FILE]``: runs
alternate between a scheduler that keeps the story and the same one that does not, so that what else
the machine does falls on both; a story of many workers is built, to see what one look, one snapshot
and 10,000 events take; and so is one of a scheduler that holds ``--tasks`` tasks.
"""

import argparse
import gzip
import json
import statistics
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import rich
from distributed import Client, LocalCluster, wait
from rich.table import Table

from benchmarks.measure import versions_of, write_results
from dmlkit.observe import install
from dmlkit.observe.plugin import NAME
from dmlkit.observe.schema import Cluster
from dmlkit.observe.story import Story

PACKAGES = ("dask", "distributed")

CLUSTER: Cluster = {
    "address": "tcp://10.0.0.1:8786", "started": 0.0, "workers": 0, "threads": 0, "memory": 0,
    "memory_limit": 0, "clients": 1, "processing": 0, "waiting": 0, "exit_codes": True,
    "versions": {},
}  # fmt: skip


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="tasks in a run")
    parser.add_argument("--repeat", type=int, default=5, help="pairs of runs")
    parser.add_argument("--workers", type=int, default=500, help="of the simulated cluster")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="of a crowded scheduler")
    parser.add_argument("--json", help="a file for the results")
    options = parser.parse_args()
    results = [*overhead(options.rows, options.repeat), *size(options.workers)]
    results += crowded(options.tasks, options.workers)
    table = Table("what", "median", "all")
    for result in results:
        shown = [f"{value:,.4g}" for value in result["seconds_all"]]
        table.add_row(
            f"{result['system']}: {result['task']}", f"{result['seconds']:,.4g}", ", ".join(shown)
        )
    rich.print(table)
    if options.json:
        write_results(options.json, results)


def overhead(tasks: int, repeat: int) -> Iterator[dict[str, Any]]:
    """Give the seconds of runs with the story and without, and their ratios, pair by pair.

    Processor seconds are those of this process, which holds client and scheduler: what else the
    machine does changes them little.
    """
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    work: dict[str, list[float]] = {"with": [], "without": []}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        install(client)
        run(client, min(tasks, 1000))
        for number in range(repeat):
            for which in ("with", "without") if number % 2 else ("without", "with"):
                client.run_on_scheduler(switch, which == "with")
                worked = time.process_time()
                seconds[which].append(run(client, tasks))
                work[which].append(time.process_time() - worked)
    for what, taken in (("seconds", seconds), ("processor seconds", work)):
        for which in taken:
            yield result(f"{which} the story", f"{what} of no-op tasks", tasks, taken[which])
        ratios = [one / other for one, other in zip(taken["with"], taken["without"], strict=True)]
        yield result("with / without", f"{what}, ratio of pairs", tasks, ratios)


def run(client: Client, tasks: int) -> float:
    """Return the seconds of so many tasks that do nothing."""
    began = time.perf_counter()
    wait(client.map(nothing, range(tasks), pure=False, batch_size=10_000))
    return time.perf_counter() - began


def nothing(_number: int) -> None:
    """Do nothing."""


def switch(on: bool, dask_scheduler: Any) -> None:
    """Let the scheduler keep the story, or put it aside."""
    plugins, aside = dask_scheduler.plugins, dask_scheduler.extensions
    if on and NAME not in plugins:
        plugins[NAME] = aside.pop(NAME)
        plugins[NAME]._timer.start()
    elif not on and NAME in plugins:
        aside[NAME] = plugins.pop(NAME)
        aside[NAME]._timer.stop()


def size(workers: int) -> Iterator[dict[str, Any]]:
    """Give what a story of many workers and 10,000 losses takes: memory, time, bytes."""
    tracemalloc.start()
    story = simulated(workers)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    now = story.places.lanes.start + 300
    looks, made = [], []
    for number in range(20):
        began = time.perf_counter()
        story.tick(now + number)
        looks.append(time.perf_counter() - began)
        began = time.perf_counter()
        told = json.dumps(story.snapshot(now, CLUSTER)).encode()
        made.append(time.perf_counter() - began)
    name = f"{workers} workers"
    yield result(name, "seconds to paint a second", 1, looks)
    yield result(name, "seconds to make a snapshot", 1, made)
    yield result(name, "bytes of a snapshot", len(told), [len(told)])
    yield result(name, "bytes sent (gzip)", len(told), [len(gzip.compress(told, 1))])
    yield result(name, "bytes held after 10,000 losses", 10_000, [held])


def simulated(workers: int) -> Story:
    """Return a story of five minutes: a run, a training, and 10,000 losses."""
    story = Story(0.0)
    for number in range(workers):
        address, nanny = f"tcp://10.0.{number % 250}.1:{40000 + number}", f"tcp://n:{number}"
        story.join(0.0, address, nanny=nanny, name=str(number), threads=2, memory_limit=2**33)
    facts = {"run": "r", "client": "c", "state": "started"}
    story.hear(0.0, {"kind": "workflow", "workflow": "w", "stages": ["a", "b"], **facts})
    story.hear(0.0, {"kind": "stage", "stage": "a", **facts})
    for second in range(300):
        for place in story.places:
            place.state = "busy" if (second + place.id) % 7 else "idle"
        story.tick(float(second))
        metrics = {"v-auc": second / 300}
        story.hear(
            second,
            {"kind": "training-round", "round": second + 1, "total": 300, "metrics": metrics},
        )
    for number in range(10_000):
        address = f"tcp://10.1.{number % 250}.1:{number}"
        story.join(
            300.0, address, nanny=f"tcp://n:{number % workers}", name="x", threads=2, memory_limit=1
        )
        story.losses.learn(address, "nanny: code -9", exit_code=-9)
        story.lose(300.0, address, {f"part-{number}"}, running=1)
        story.losses.computed(300.0, f"part-{number}", 0.1)
    return story


def crowded(tasks: int, workers: int) -> Iterator[dict[str, Any]]:
    """Give what looks and snapshots take of a scheduler that holds many tasks, most of them queued.

    Two of its workers are there; the others are copies of what it knows of these.
    """
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        install(client)
        futures = client.map(time.sleep, [3600.0] * tasks, pure=False, batch_size=10_000)
        while client.run_on_scheduler(_held_tasks) < tasks:
            time.sleep(0.5)
        looks, made = client.run_on_scheduler(_looks, workers)
        name = f"{tasks:,} tasks, {workers} workers"
        yield result(name, "seconds of a look at the scheduler", tasks, looks)
        yield result(name, "seconds to make a snapshot", tasks, made)
        del futures


def _held_tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


def _looks(workers: int, dask_scheduler: Any) -> tuple[list[float], list[float]]:
    plugin = dask_scheduler.plugins[NAME]
    plugin._timer.stop()
    there = list(dask_scheduler.workers.values())
    many = {f"tcp://10.0.0.{number}:1": there[number % 2] for number in range(workers)}
    plugin.scheduler = _Crowded(dask_scheduler, many)
    for address in many:
        plugin.add_worker(plugin.scheduler, address)
    now, looks, made = time.time(), [], []
    for number in range(20):
        began = time.perf_counter()
        plugin._look_once(now + number)
        looks.append(time.perf_counter() - began)
        plugin._kept = (0.0, b"")
        began = time.perf_counter()
        plugin.snapshot_json()
        made.append(time.perf_counter() - began)
    return looks, made


class _Crowded:
    """A scheduler as it is, but for its workers."""

    def __init__(self, scheduler: Any, workers: dict[str, Any]) -> None:
        self._scheduler, self.workers = scheduler, workers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)


def result(system: str, task: str, rows: int, values: list[float]) -> dict[str, Any]:
    """Return a result as all benchmarks write them; what is not seconds says so in its task."""
    return {
        "system": system,
        "task": task,
        "rows": rows,
        "seconds": statistics.median(values),
        "seconds_all": values,
        "peak_rss_bytes": None,
        "versions": versions_of(PACKAGES),
        "agrees": None,
    }


if __name__ == "__main__":
    main()
