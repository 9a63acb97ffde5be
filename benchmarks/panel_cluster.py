"""Panel features of more rows than memory holds: generated, computed, published by two workers.

``python -m benchmarks.panel_cluster [--rows 3e8] [--memory 4GiB] [--out FOLDER] [--json FILE]``.
The features are those of `benchmarks.panel`. Some series are taken from the table that was written,
and compared with the features that they have by themselves, in memory.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dask.utils import format_bytes
from rich.console import Console
from rich.table import Table

from benchmarks.measure import PeakMemory, versions_of, write_results
from benchmarks.panel_data import DAYS
from benchmarks.panel_run import dmlkit_steps
from dmlkit import connect, read_table, write_table
from dmlkit.features import FeatureSet
from dmlkit.tables.generate import retail_demand

WORKERS, SHOPS = 2, 10
#: Series that are compared.
COMPARED = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it once, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=3e8, help="of the panel, about")
    parser.add_argument("--memory", default="4GiB", help="of each of two workers")
    parser.add_argument("--out", type=Path, help="a folder with room for the result")
    parser.add_argument("--json", help="a file for the results")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        result = measured(int(options.rows), options.memory, Path(folder) / "features")
    table = Table("rows", "seconds", "rows a second", "peak memory", "written", "agrees")
    table.add_row(
        f"{result['rows']:,}",
        f"{result['seconds']:.0f}",
        f"{result['rows'] / result['seconds']:,.0f}",
        format_bytes(result["peak_rss_bytes"]),
        format_bytes(result["written_bytes"]),
        "yes" if result["agrees"] else "NO",
    )
    Console().print(table)
    if options.json:
        write_results(options.json, [result])


def measured(rows: int, memory: str, target: Path) -> dict[str, Any]:
    """Generate so many rows, write them with features, and look at what was written."""
    steps = FeatureSet(dmlkit_steps())
    with PeakMemory() as peak, connect(workers=WORKERS, threads=1, memory=memory):
        write_table(steps.transform(_panel(max(1, 10 * SHOPS * DAYS))), target)  # to warm up
        shutil.rmtree(target)
        panel = _panel(rows)
        began = time.perf_counter()
        write_table(steps.transform(panel), target)
        seconds = time.perf_counter() - began
        written = len(read_table(target, columns=["unique_id"]))
        agrees = _agrees(steps, panel, target)
    return {
        "system": "dmlkit",
        "task": "features, generated and written",
        "rows": written,
        "seconds": round(seconds, 2),
        "seconds_all": [round(seconds, 2)],
        "peak_rss_bytes": peak.bytes,
        "written_bytes": sum(file.stat().st_size for file in target.rglob("*") if file.is_file()),
        "versions": versions_of(["dmlkit", "dask", "pandas", "pyarrow"]),
        "agrees": agrees,
    }


def _panel(rows: int) -> Any:
    panel = retail_demand(items=max(1, rows // (SHOPS * DAYS)), shops=SHOPS, days=DAYS)
    return panel[["unique_id", "ds", "y"]]


def _agrees(steps: FeatureSet, panel: Any, target: Path) -> bool:
    """Tell whether some series of the table have the features that they have by themselves."""
    part = panel.get_partition(panel.npartitions // 2).compute()
    chosen = part["unique_id"].unique()[:COMPARED]
    alone = steps.transform(part[part["unique_id"].isin(chosen)])
    filters = [("unique_id", ">=", int(chosen[0])), ("unique_id", "<=", int(chosen[-1]))]
    found = read_table(target, filters=filters).compute()
    keys = ["unique_id", "ds"]
    alone, found = (each.sort_values(keys).reset_index(drop=True) for each in (alone, found))
    return len(alone) == len(found) and all(
        np.array_equal(alone[name].to_numpy(), found[name].to_numpy(), equal_nan=True)
        for name in alone.columns
        if name not in keys
    )


if __name__ == "__main__":
    main()
