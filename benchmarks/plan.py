"""The plan of a job beside what it takes: memory of workers by stage, what is shuffled, and disk.

``python -m benchmarks.plan [--only fraud-detection ...] [--rows 1000000] [--memory 2GiB] [--json
FILE]``, on two workers of one thread. The rows are generated once, and all of them lie in files
before the job starts. Planned is what goes through a shuffle, and measured what was sent: at most
that, since each worker has some of it already.
"""

import argparse
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from distributed import Client
from rich.console import Console
from rich.table import Table

from benchmarks.measure import versions_of, write_results
from dmlkit import connect, write_table
from dmlkit.cluster.sizes import sizes_of
from dmlkit.observe import Event, StageEvent
from dmlkit.tables.generate import card_transactions, machine_fleet, patient_stays, retail_demand
from dmlkit.workflow import WorkflowPlan, find_workflow, load_configuration, run_workflow

WORKERS = 2
#: Seconds between two looks at memory and disk.
INTERVAL = 0.05
#: Of the job on sales: what its table has besides what every panel has.
SALES = ['features.static=["item_id", "shop_id", "category"]']
#: Less is not looked at: locks and logs on a worker's disk, say.
SMALL = 1 << 20


def _transactions(rows: int) -> Any:
    days, of_customer = 120, 235
    return card_transactions(rows // of_customer, 2 * rows // of_customer, days)


def _sales(rows: int) -> Any:
    shops, days = 10, 730
    return retail_demand(max(rows // (shops * days), 1), shops, days)


def _readings(rows: int) -> Any:
    return machine_fleet(rows // 200)


def _stays(rows: int) -> Any:
    return patient_stays(int(rows / 1.6))


#: What is generated for each workflow, and the settings that name its columns.
TABLES: Mapping[str, tuple[Callable[[int], Any], list[str]]] = {
    "fraud-detection": (_transactions, []),
    "demand-forecasting": (_sales, SALES),
    "predictive-maintenance": (_readings, []),
    "patient-risk": (_stays, []),
}


class Watch:
    """The most that a worker, the process beside it and a worker's disk took, and what was sent."""

    def __init__(self, client: Client) -> None:
        self.peaks: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._client, places = client, client.run(_place).values()
        self._pids, self._folders = {pid for pid, _ in places}, [Path(each) for _, each in places]
        self._stage, self._done, self._sent = "start", threading.Event(), self._sent_so_far()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def listen(self, event: Event) -> None:
        """Take note of the stage that runs."""
        if not isinstance(event, StageEvent):
            return
        if event.state == "started":
            self._stage = event.stage
        elif event.state == "done":
            sent = self._sent_so_far()
            self.peaks[event.stage]["sent"] += sent - self._sent
            self._sent = sent

    def end(self) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _sent_so_far(self) -> int:
        return sum(self._client.run(_sent).values())

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            peaks = self.peaks[self._stage]
            for process in psutil.Process().children(recursive=True):
                what = "memory" if process.pid in self._pids else "beside"
                peaks[what] = max(peaks[what], _resident(process))
            peaks["spilled"] = max(peaks["spilled"], *map(_bytes_below, self._folders))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run each job once, and print its plan beside what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*TABLES], default=[*TABLES])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    results = []
    for name in options.only:
        found = measure(name, options.rows, options.memory)
        Console().print(as_table(name, found))
        results += found
    if options.json:
        write_results(options.json, results)


def measure(name: str, rows: int, memory: str) -> list[dict[str, Any]]:
    """Plan a job and run it, on a table of about so many rows."""
    generate, assignments = TABLES[name]
    job = find_workflow(name)
    settings = load_configuration(job.configuration, assignments=assignments)
    with tempfile.TemporaryDirectory() as folder:
        data, out = f"{folder}/table", Path(folder, "out")
        with connect(workers=WORKERS, threads=1, memory=memory):
            write_table(generate(rows), data)
        with connect(workers=WORKERS, threads=1, memory=memory) as client:
            plan = job.plan(data, configuration=settings, workers=sizes_of(client))
            watch = Watch(client)
            run_workflow(
                job,
                data=data,
                out=out,
                configuration=settings,
                anyway=True,
                listeners=[watch.listen],
            )
            watch.end()
        return collect(plan, watch.peaks, _bytes_below(out))


def collect(
    plan: WorkflowPlan, peaks: dict[str, dict[str, int]], written: int
) -> list[dict[str, Any]]:
    """Return what was planned and what was measured, for each stage and for the whole job."""
    pairs = []
    for stage in plan.stages:
        seen = peaks[stage.name]
        pairs.append((stage.name, "memory", plan.memory(stage), seen["memory"]))
        if stage.shuffled:
            pairs.append((stage.name, "shuffled, and sent", stage.shuffled, seen["sent"]))
        if stage.spilled(plan.there.limit) or seen["spilled"] > SMALL:
            pairs.append((stage.name, "to disk", stage.spilled(plan.there.limit), seen["spilled"]))
    worst = {what: max(each[what] for each in peaks.values()) for what in ("memory", "beside")}
    pairs += [
        ("all", "memory", plan.peak, worst["memory"]),
        ("all", "beside", plan.beside, worst["beside"]),
        ("all", "output", plan.needs.output, written),
    ]
    rows = plan.stages[0].rows
    versions = versions_of(["dask", "distributed", "pandas", "pyarrow", "xgboost"])
    return [
        {
            "system": "dmlkit",
            "task": f"{plan.workflow}: {stage}: {what}",
            "rows": rows,
            "limit": plan.there.limit,
            "planned": planned,
            "measured": measured,
            "versions": versions,
        }
        for stage, what, planned, measured in pairs
    ]


def as_table(name: str, results: Sequence[dict[str, Any]]) -> Table:
    """Return the results as a table for the terminal."""
    table = Table(title=f"{name} on {results[0]['rows']:,} rows", title_justify="left")
    for header in ("what", "planned", "measured", "off by"):
        table.add_column(header, justify="left" if header == "what" else "right")
    for result in results:
        planned, measured = result["planned"], result["measured"]
        off = f"{planned / measured - 1:+.0%}" if min(planned, measured) >= SMALL else ""
        what = result["task"].removeprefix(f"{name}: ")
        table.add_row(what, _mebibytes(planned), _mebibytes(measured), off)
    return table


def _mebibytes(number: int) -> str:
    return f"{number / 2**20:,.0f} MiB"


def _place(dask_worker: Any) -> tuple[int, str]:
    import os

    return os.getpid(), dask_worker.local_directory


def _sent(dask_worker: Any) -> int:
    return int(dask_worker.transfer_outgoing_bytes_total)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # it ended between being listed and being asked
        return 0


def _bytes_below(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except OSError:  # gone meanwhile
            continue
    return total


if __name__ == "__main__":
    main()
