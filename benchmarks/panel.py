"""Panel features, and features with training and forecasts, beside mlforecast.

``python -m benchmarks.panel [--rows 1e6] [--repeat 3] [--only SYSTEM ...] [--task features]
[--threads 2] [--peer PYTHON] [--json FILE]``. mlforecast does not take pandas 3 and so needs an
environment of its own, whose Python is named with ``--peer``::

    python -m venv peer && peer/bin/pip install mlforecast xgboost==3.2.0

Each run has a process of its own; systems take turns, and their results are compared.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import write_results
from benchmarks.panel_data import DEVIATIONS

SYSTEMS = ("dmlkit", "mlforecast")
#: Features are float32 in both. mlforecast adds up rolling deviations in a running float32 total,
#: which drifts; ours are those of pandas in doubles (tests/features/test_panel.py).
SAME, SAME_DEVIATION, SAME_FORECAST = 1e-5, 1e-2, 0.15
TASKS = ("features", "forecast")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the systems in turns, print the table, write the JSON."""
    options = _parser().parse_args(arguments)
    systems = [each for each in options.only if each == "dmlkit" or options.peer]
    console = Console()
    results = []
    for task in options.task:
        runs: dict[str, list[dict[str, Any]]] = {system: [] for system in systems}
        for number in range(options.repeat):
            for system in systems:
                print(f"{task}, {system}: run {number + 1} of {options.repeat}", flush=True)
                runs[system].append(one_run(system, task, options))
        results += collect(runs, task, int(options.rows))
    console.print(as_table(results))
    if not options.peer:
        console.print("mlforecast was not measured: name its environment with --peer PYTHON.")
    if options.json:
        write_results(options.json, results)


def one_run(system: str, task: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a system once in a process of its own."""
    python = sys.executable if system == "dmlkit" else options.peer
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.npz"
        command = [python, "-m", "benchmarks.panel_run", system, task]
        threads = str(options.threads)
        subprocess.run(
            [*command, str(int(options.rows)), threads, str(file)],
            check=True,
            env=os.environ | {"NUMBA_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        )
        with np.load(file) as found:
            return {name: found[name] for name in found.files}


def collect(runs: dict[str, list[dict[str, Any]]], task: str, rows: int) -> list[dict[str, Any]]:
    """Return a result for each system; the first one is what others are compared with."""
    reference = next(iter(runs.values()))[0]["found"]
    return [
        {
            "system": system,
            "task": task,
            "rows": rows,
            "seconds": round(median(float(run["seconds"]) for run in of), 3),
            "seconds_all": [round(float(run["seconds"]), 3) for run in of],
            "cpu_seconds": round(median(float(run["cpu_seconds"]) for run in of), 3),
            "peak_rss_bytes": int(max(run["peak_bytes"] for run in of)),
            "added_rss_bytes": int(max(run["peak_bytes"] - run["input_bytes"] for run in of)),
            "versions": [str(each) for each in of[0]["versions"]],
            "agrees": all(agree(reference, run["found"]) for run in of),
            "differs": max(differs(*without_deviations(reference, run["found"])) for run in of),
        }
        for system, of in runs.items()
    ]


def agree(reference: np.ndarray, found: np.ndarray) -> bool:
    """Return whether results are the same, deviations and forecasts a little less so."""
    if reference.ndim == 1:
        return differs(reference, found) <= SAME_FORECAST
    deviations = [table[:, list(DEVIATIONS)] for table in (reference, found)]
    rest = differs(*without_deviations(reference, found))
    return rest <= SAME and differs(*deviations) <= SAME_DEVIATION


def without_deviations(*tables: np.ndarray) -> list[np.ndarray]:
    """Return tables of features without the rolling deviations; forecasts as they are."""
    return [table if table.ndim == 1 else np.delete(table, DEVIATIONS, axis=1) for table in tables]


def differs(reference: np.ndarray, found: np.ndarray) -> float:
    """Return how far apart results are: at most, relative to values above 1; infinity for shape."""
    if reference.shape != found.shape or (np.isnan(reference) != np.isnan(found)).any():
        return float("inf")
    return float(np.nanmax(np.abs(reference - found) / np.maximum(np.abs(reference), 1.0)))


def as_table(results: Sequence[dict[str, Any]]) -> Table:
    """Return the results as people read them."""
    table = Table(title=f"{results[0]['rows']:,} rows")
    for name in ("task", "system", "seconds", "ratio", "CPU s", "memory added", "differs", "all"):
        table.add_column(name, justify="left" if name in ("task", "system") else "right")
    first = {result["task"]: result for result in reversed(results)}
    for result in results:
        table.add_row(
            result["task"],
            result["system"],
            f"{result['seconds']:.2f}",
            f"{result['seconds'] / first[result['task']]['seconds']:.2f}",
            f"{result['cpu_seconds']:.2f}",
            f"{result['added_rss_bytes'] / 2**30:.2f} GiB",
            f"{result['differs']:.1e}",
            " ".join(f"{seconds:.2f}" for seconds in result["seconds_all"]),
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panel", description=__doc__)
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", help="the Python of an environment with mlforecast")
    parser.add_argument("--json", help="a file for the results")
    return parser


if __name__ == "__main__":
    main()
