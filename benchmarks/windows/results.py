"""The runs of all systems as JSON-able results, and as people read them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.measure import versions_of
from benchmarks.windows.job import WORKERS

__all__ = ["Run", "as_lines", "as_table", "collect"]

TASK = "26 window features by customer and terminal"

#: What each system is made of.
DMLKIT = ["dmlkit", "dask", "distributed", "numba", "numpy", "pandas", "pyarrow"]
PACKAGES = {
    "dmlkit": DMLKIT,
    "dmlkit-in-place": DMLKIT,
    "polars": ["polars"],
    "duckdb": ["duckdb"],
    "spark": ["pyspark"],
    "floor": ["numba", "numpy", "pyarrow"],
}


@dataclass
class Run:
    """One run of a system: what was measured, or why nothing was.

    Attributes
    ----------
    steps : dict of str to float
        Seconds of each step, of all workers together.
    differences : list of str
        What is otherwise than in the result that all are compared with.
    """

    seconds: float = 0.0
    start_seconds: float = 0.0
    peak_rss_bytes: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    failed: str = ""
    differences: list[str] = field(default_factory=list)


def collect(runs: Mapping[str, Sequence[Run]], rows: int) -> list[dict[str, Any]]:
    """Return one object for each system; a system with a failed run has no figures."""
    return [_result(system, of_system, rows) for system, of_system in runs.items()]


def _result(system: str, runs: Sequence[Run], rows: int) -> dict[str, Any]:
    result = {"system": system, "task": TASK, "rows": rows, "versions": _versions(system)}
    if failed := next((run.failed for run in runs if run.failed), None):
        nothing = dict.fromkeys(("seconds", "start_seconds", "peak_rss_bytes", "agrees"))
        return result | nothing | {"seconds_all": [], "steps": {}, "failed": failed}
    seconds = [run.seconds for run in runs]
    told = [sentence for run in runs for sentence in run.differences]
    return result | {
        "seconds": round(median(seconds), 3),
        "seconds_all": [round(each, 3) for each in seconds],
        "start_seconds": round(median(run.start_seconds for run in runs), 3),
        "peak_rss_bytes": max(run.peak_rss_bytes for run in runs),
        "agrees": not told,
        "differences": list(dict.fromkeys(told)),
        "steps": _steps(runs),
    }


def _steps(runs: Sequence[Run]) -> dict[str, float]:
    """Return the median seconds of each step, and those in which the workers did none of them."""
    names = dict.fromkeys(name for run in runs for name in run.steps)
    if not names:
        return {}
    steps = {name: median(run.steps.get(name, 0.0) for run in runs) for name in names}
    idle = median(WORKERS * run.seconds - sum(run.steps.values()) for run in runs)
    return {name: round(each, 3) for name, each in (steps | {"idle": max(0.0, idle)}).items()}


def _versions(system: str) -> dict[str, str]:
    try:
        return versions_of(PACKAGES[system])
    except PackageNotFoundError:  # the result says that it is not installed
        return versions_of([])


def as_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Return the figures of all systems as a table."""
    ours = next((each["seconds"] for each in results if each["system"] == "dmlkit"), None)
    table = Table(title=f"{results[0]['rows']:,} rows, {TASK}, {WORKERS} cores")
    table.add_column("system")
    for name in ("seconds", "of dmlkit", "start", "peak memory", "agrees"):
        table.add_column(name, justify="right")
    table.add_column("all runs", justify="right", max_width=18)
    for result in results:
        table.add_row(result["system"], *_cells(result, ours))
    return table


def _cells(result: Mapping[str, Any], ours: float | None) -> list[str]:
    if "failed" in result:
        return ["failed"]
    return [
        f"{result['seconds']:.1f}",
        f"{result['seconds'] / ours:.2f}" if ours else "",
        f"{result['start_seconds']:.1f}",
        f"{result['peak_rss_bytes'] / 2**30:.2f} GiB",
        "yes" if result["agrees"] else "no",
        " ".join(f"{seconds:.1f}" for seconds in result["seconds_all"]),
    ]


def as_lines(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what does not fit into the table: the floor, steps, differences, failures."""
    seconds = {each["system"]: each["seconds"] for each in results}
    if seconds.get("dmlkit") and seconds.get("floor"):
        yield f"dmlkit takes {seconds['dmlkit'] / seconds['floor']:.2f} times as long as the floor."
    for result in results:
        if steps := result["steps"]:
            told = ", ".join(f"{name} {each:.1f}" for name, each in steps.items())
            yield f"{result['system']}, seconds of both workers together: {told}."
    for result in results:
        if "failed" in result:
            yield f"{result['system']} failed: {result['failed']}"
        for sentence in result.get("differences", [])[:5]:
            yield f"{result['system']} differs: {sentence}"
