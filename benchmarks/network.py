"""How the time of the fraud job grows with the distance of its workers, and which stage pays.

``python -m benchmarks.network [--rows 300000] [--delays 0 10 50 100] [--rate BYTES] [--loss SHARE]
[--json FILE]`` as root: two workers of one thread, and scheduler and client beside each other, on
three hosts with addresses of their own (network namespaces). Delays are in milliseconds, there and
back; all goes through the same proxies, also without a delay. The model is trained on both workers.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.hosts import Hosts, HostsError, made_hosts
from benchmarks.measure import versions_of, write_results
from dmlkit import connect, write_table
from dmlkit.tables.generate import card_transactions

#: Scheduler and client are on the first host.
WORKERS, PORT = (1, 2), 8786
DAYS, ROWS_OF_CUSTOMER = 120, 235
#: A training on so few rows would be on one worker.
SETTINGS = ("model.shards=2",)
#: Seconds that a job may take, and the cluster to come up.
LONGEST, PATIENCE = 1800, 90

#: What waits, on the first host, for the scheduler, and for all workers.
LISTENING = """
import socket, time
until = time.monotonic() + {seconds}
while True:
    try:
        socket.create_connection(("{host}", {port}), 1).close()
        break
    except OSError:
        if time.monotonic() > until:
            raise
        time.sleep(0.2)
"""
THERE = """
from distributed import Client
with Client("{address}", timeout={seconds}) as client:
    client.wait_for_workers({workers}, timeout={seconds})
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job with each delay, and print the seconds of its stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--delays", type=float, nargs="+", default=[0, 10, 50, 100])
    parser.add_argument("--rate", type=float)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    link = [*(["--rate", str(options.rate)] if options.rate else []), "--loss", str(options.loss)]
    results: list[dict[str, Any]] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # hosts are undone then, too
    try:
        with tempfile.TemporaryDirectory() as folder, made_hosts(3) as hosts:
            data = _table(options.rows, folder)
            for number, delay in enumerate(options.delays):
                with hosts.slowed("--delay", str(delay / 1000), *link):
                    found = measure(hosts, data, Path(folder, f"out-{number}"))
                results += collect(delay, found)
    except HostsError as error:
        sys.exit(str(error))
    Console().print(as_table(results))
    if options.json:
        write_results(options.json, results)


def measure(hosts: Hosts, data: str, out: Path) -> dict[str, Any]:
    """Run the job on a cluster over the hosts, and return its manifest."""
    address = f"tcp://{hosts.address(0)}:{PORT}"
    dask = (sys.executable, "-m", "dask")
    with ExitStack() as running:
        scheduler = ("scheduler", "--host", hosts.address(0), "--port", str(PORT))
        running.enter_context(hosts.running(0, *dask, *scheduler, "--no-dashboard"))
        # A worker that knocks too early gives up: the proxy takes what nobody listens to.
        _run_on_first(hosts, LISTENING.format(host=hosts.address(0), port=PORT, seconds=PATIENCE))
        for host in WORKERS:
            worker = ("worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard")
            own = ("--host", hosts.address(host), "--memory-limit", "2GiB")
            running.enter_context(hosts.running(host, *dask, *worker, *own))
        _run_on_first(hosts, THERE.format(address=address, seconds=PATIENCE, workers=len(WORKERS)))
        dmlkit = (sys.executable, "-c", "from dmlkit.cli import main; main()")
        job = ("run", "fraud-detection", "--data", data, "--out", str(out))
        there = ("--scheduler", address, "--insecure", "--json")
        chosen = [part for setting in SETTINGS for part in ("--set", setting)]
        done = subprocess.run(
            hosts.command(0, *dmlkit, *job, *there, *chosen),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
            env=os.environ | {"DMLKIT_CACHE": str(out.parent / "cache")},
        )
    if done.returncode:
        raise RuntimeError(f"The job failed:\n{done.stderr}")
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    manifest["metrics"] = json.loads((out / "metrics.json").read_text())
    return manifest


def collect(delay: float, manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the seconds of each stage and of all of them."""
    stages = {stage["name"]: stage["seconds"] for stage in manifest["stages"]}
    rows = next(stage["rows"] for stage in manifest["stages"] if stage["name"] == "validate")
    common = {
        "system": "dmlkit",
        "rows": rows,
        "delay_ms": delay,
        "workers_lost": len(manifest["workers_lost"]),
        "roc_auc": manifest["metrics"]["test.roc_auc"],
        "versions": versions_of(["dask", "distributed", "xgboost"]),
    }
    times = {**stages, "all": round(sum(stages.values()), 1)}
    return [{**common, "task": f"fraud: {name}", "seconds": each} for name, each in times.items()]


def as_table(results: Sequence[dict[str, Any]]) -> Table:
    """Return the results as a table for the terminal: a column for each delay."""
    delays = list(dict.fromkeys(result["delay_ms"] for result in results))
    rows = results[0]["rows"]
    table = Table(title=f"The fraud job on {rows:,} rows, seconds", title_justify="left")
    table.add_column("stage")
    for delay in delays:
        table.add_column(f"{delay:g} ms", justify="right")
    for task in dict.fromkeys(result["task"] for result in results):
        of_task = {each["delay_ms"]: each["seconds"] for each in results if each["task"] == task}
        table.add_row(task.removeprefix("fraud: "), *(f"{of_task[each]:.1f}" for each in delays))
    return table


def _table(rows: int, folder: str) -> str:
    data = f"{folder}/transactions"
    customers = rows // ROWS_OF_CUSTOMER
    with connect(workers=2, threads=1):
        write_table(card_transactions(customers, 2 * customers, DAYS, partitions=8), data)
    return data


def _run_on_first(hosts: Hosts, code: str) -> None:
    subprocess.run(hosts.command(0, sys.executable, "-c", code), check=True)


if __name__ == "__main__":
    main()
