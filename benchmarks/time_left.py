"""How near the time left that is told of a run comes to the truth.

``python -m benchmarks.time_left [--rows N] [--repeat 3] [--json FILE]``: the fraud job runs on a
table that it generates, each time on a cluster of its own, which is looked at twice a second. What
was told at each look is held against what the run then took. A look is good where the middle of the
range is within 30% of the truth; looks count from a fifth of the run on.

Three ways of knowing are told apart: a first run, of which nothing is known; the same run again;
and a run of twice the rows into another folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich
from distributed import Client, LocalCluster
from rich.table import Table

from benchmarks.measure import versions_of, write_results
from dmlkit.observe import install, take_snapshot
from dmlkit.observe.schema import Training, Workflow

PACKAGES = ("dask", "distributed", "xgboost")

#: Seconds between two looks.
INTERVAL = 0.5

#: From which share of a run looks count, and how far from the truth a good one is.
FROM, NEAR = 0.2, 0.3

#: Days that the generated table has, and its rows for each customer.
DAYS, ROWS_OF_CUSTOMER = 90, 175

#: A run and the trainings as they were told.
Look = tuple[Workflow, list[Training]]


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=260_000, help="of the table, about")
    parser.add_argument("--repeat", type=int, default=3, help="runs on the same table again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", help="a file for the results")
    options = parser.parse_args()
    results = measure(options.rows, options.repeat, options.workers)
    table = Table("run", "seconds", "told of", "good of what was told", "good of all looks")
    for each in results:
        table.add_row(
            each["task"],
            f"{each['seconds']:.1f}",
            f"{each['told']:.0%}",
            "" if each["good_of_told"] is None else f"{each['good_of_told']:.0%}",
            f"{each['good']:.0%}",
        )
    rich.print(table)
    if options.json:
        write_results(options.json, results)


def measure(rows: int, repeat: int, workers: int) -> list[dict[str, Any]]:
    """Run the job as often as asked, and judge what was told of each run."""
    customers = max(1, rows // ROWS_OF_CUSTOMER)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DMLKIT_CACHE"] = str(Path(folder) / "cache")  # of runs before this, nothing
        known, new = Path(folder) / "known", Path(folder) / "new"
        runs = [("the first", customers, known)]
        runs += [(f"again, {number + 1}", customers, known) for number in range(repeat)]
        runs += [("twice the rows, elsewhere", 2 * customers, new)]
        return [judged(name, looks_at(out, size, workers)) for name, size, out in runs]


def looks_at(out: Path, customers: int, workers: int) -> list[Look]:
    """Run the job on a cluster of its own; return it as it was told at each look."""
    settings = {"customers": customers, "terminals": 2 * customers, "days": DAYS}
    command = [str(Path(sys.executable).with_name("dmlkit")), "run", "fraud-detection"]
    command += ["--out", str(out)]
    for name, value in settings.items():
        command += ["--set", f"generate.{name}={value}"]
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        install(client)
        command += ["--scheduler", client.scheduler.address]
        looks: list[Look] = []
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as job:
            while job.poll() is None:
                time.sleep(INTERVAL)
                told = take_snapshot(client)
                looks += [(run, told["trainings"]) for run in told["workflows"]]
            if job.returncode:
                raise SystemExit(job.stderr and job.stderr.read().decode())
    return looks


def judged(name: str, looks: Sequence[Look]) -> dict[str, Any]:
    """Return how many of the looks at a run were near the truth, as all benchmarks write it."""
    runs = [run for run, _ in looks]
    took = runs[-1]["seconds"]
    counted = [
        look for look in runs if look["state"] == "running" and look["seconds"] >= FROM * took
    ]
    told = [(took - look["seconds"], look["left"]) for look in counted if look["left"] is not None]
    middles = [(truth, (left["low"] + left["high"]) / 2) for truth, left in told]
    good = [abs(middle - truth) <= NEAR * truth for truth, middle in middles]
    inside = [left["low"] <= truth <= left["high"] for truth, left in told]
    return {
        "system": "dmlkit",
        "task": name,
        "rows": len(counted),
        "seconds": took,
        "told": len(told) / max(len(counted), 1),
        "good": sum(good) / max(len(counted), 1),
        "good_of_told": sum(good) / len(good) if good else None,
        "in_range": sum(inside) / len(inside) if inside else None,
        "looks": looks,
        "versions": versions_of(PACKAGES),
        "agrees": None,
    }


if __name__ == "__main__":
    main()
