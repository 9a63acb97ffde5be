"""One run of one system, in a process of its own: the last line printed is what was measured.

``python -m benchmarks.windows.run SYSTEM WARM-UP SOURCE TARGET``
"""

import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import PeakMemory

__all__ = ["MODULES", "run_system"]

#: Each has a context manager `started` that yields what does the job.
MODULES = {
    "dmlkit": "benchmarks.windows.with_dmlkit",
    "dmlkit-in-place": "benchmarks.windows.with_dmlkit_in_place",
    "polars": "benchmarks.windows.with_polars",
    "duckdb": "benchmarks.windows.with_duckdb",
    "spark": "benchmarks.windows.with_spark",
    "floor": "benchmarks.windows.floor",
}


def main(arguments: Sequence[str]) -> None:
    """Run a system and print what was measured as one line of JSON."""
    system, *folders = arguments
    print(json.dumps(run_system(system, *map(Path, folders))), flush=True)


def run_system(system: str, warm_up: Path, source: Path, target: Path) -> dict[str, Any]:
    """Do the job once on a little table and once, measured, on the whole one.

    The first time starts processes, imports, and compiles or loads what is compiled; its seconds
    are told apart as those of the start.
    """
    with PeakMemory() as memory:
        began = time.perf_counter()
        with import_module(MODULES[system]).started() as job:
            job(warm_up, target.with_name(target.name + "-of-warm-up"))
            ready = time.perf_counter()
            steps = job(source, target)
            done = time.perf_counter()
    return {
        "start_seconds": ready - began,
        "seconds": done - ready,
        "peak_rss_bytes": memory.bytes,
        "steps": steps,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
