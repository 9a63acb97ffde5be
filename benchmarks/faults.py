"""Trainings under faults, by a seeded schedule: which end well, and what a fault costs.

``python -m benchmarks.faults [--runs 100] [--seed 0] [--shards 3] [--json FILE]``. In each run
something befalls a worker, or a process of it, while data is loaded or in some round. The model
must be that of the undisturbed run, to the byte. With ``--shards 1`` one process trains with the
threads of all workers, and half of what befalls workers befalls one of those beside.
"""

import argparse
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client
from rich.console import Console
from rich.table import Table

from benchmarks.cluster_faults import FAULTS, strike
from benchmarks.measure import versions_of, write_results
from dmlkit import connect
from dmlkit.boosting import XGBClassifier
from dmlkit.errors import DmlkitError

WORKERS = 3
PARTS, PART_ROWS = 12, 10_000
FEATURES = [f"x{number}" for number in range(10)]
PARAMETERS: dict[str, Any] = {
    "n_estimators": 200,
    "max_depth": 5,
    "subsample": 0.8,
    "eval_metric": "auc",
    "worker_timeout": 5.0,
}

#: Seconds after which a run counts as hanging.
HANG = 120.0


class Run(NamedTuple):
    """One training: what was done to it, when, and what came of it."""

    fault: str
    at_round: int
    outcome: str
    seconds: float
    seconds_lost: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Train under faults, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shards", type=int, default=WORKERS)
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    random = np.random.default_rng(options.seed)
    runs: list[Run] = []
    last = PARAMETERS["n_estimators"]
    with connect(workers=WORKERS, threads=1, memory="1GiB") as client:
        dask.config.set({"distributed.deploy.lost-worker-timeout": "15s"})
        expected = raw(trained(options.shards))
        while len(runs) < options.runs:
            fault = list(FAULTS)[len(runs) % len(FAULTS)]
            at_round = int(random.choice([0, 1, random.integers(2, last), last - 1]))
            beside = options.shards < WORKERS and "worker" in fault and bool(random.integers(2))
            runs.append(one_run(client, fault, at_round, expected, options.shards, beside=beside))
            print(*runs[-1], flush=True)
            whole_again(client)
    Console().print(as_table(runs))
    if options.json:
        versions = versions_of(["dask", "distributed", "xgboost"])
        write_results(options.json, [run._asdict() | {"versions": versions} for run in runs])


def whole_again(client: Client) -> None:
    """Wait until all workers are there, and start one for each that was let go.

    The place of one that left is kept for a while, in which the cluster takes it for there.
    """
    until = time.monotonic() + HANG
    while len(client.nthreads()) < WORKERS:
        if time.monotonic() > until:
            raise RuntimeError(f"Only {len(client.nthreads())} of {WORKERS} workers are there.")
        client.cluster.scale(WORKERS)
        time.sleep(1)


def one_run(
    client: Client, fault: str, at_round: int, expected: bytes, shards: int, *, beside: bool
) -> Run:
    """Train while a fault happens; tell what came of it."""
    found: list[Any] = []

    def train() -> None:
        try:
            found.append(trained(shards))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=train, daemon=True)
    began = time.monotonic()
    thread.start()
    struck = strike(client, [(at_round, FAULTS[fault])], beside=beside)
    thread.join(HANG)
    seconds = time.monotonic() - began
    struck.join(HANG)
    lost = 0.0
    if not found:
        outcome = "hang"
    elif isinstance(found[0], DmlkitError):
        outcome = f"clear error: {found[0]}"
    elif isinstance(found[0], Exception):
        outcome = f"unclear error: {found[0]!r}"
    else:
        outcome = "complete" if raw(found[0]) == expected else "another model"
        lost = sum(restart.seconds_lost or 0.0 for restart in found[0].restarts_)
    name = f"{fault} beside" if beside else fault
    return Run(name, at_round, outcome, round(seconds, 2), round(lost, 2))


def trained(shards: int) -> XGBClassifier:
    """Train on a table that is computed anew, which takes a second or so."""
    table = dd.from_map(part, range(PARTS), meta=part(0, 0).iloc[:0])
    X, y = table[FEATURES], table["label"]
    return XGBClassifier(**PARAMETERS, shards=shards).fit(X, y, eval_set=[(X, y)])


def part(number: int, rows: int = PART_ROWS) -> pd.DataFrame:
    """Return one partition."""
    time.sleep(0.2 if rows else 0.0)
    random = np.random.default_rng(number)
    values = random.normal(size=(rows, len(FEATURES))).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + random.normal(size=rows)
    return pd.DataFrame(values, columns=FEATURES).assign(label=(margin > 1).astype(np.int8))


def raw(model: XGBClassifier) -> bytes:
    """Return the model's bytes."""
    return bytes(model.get_booster().save_raw("ubj"))


def as_table(runs: Sequence[Run]) -> Table:
    """Return what came of each kind of fault."""
    of = defaultdict(list)
    for run in runs:
        of[run.fault].append(run)
    table = Table(title=f"{len(runs)} trainings under faults")
    for name in ("fault", "runs", "outcomes", "seconds lost: median", "most"):
        table.add_column(name, justify="left" if name in ("fault", "outcomes") else "right")
    for fault, those in of.items():
        outcomes = Counter(run.outcome.partition(":")[0] for run in those)
        lost = [run.seconds_lost for run in those]
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        table.add_row(fault, str(len(those)), told, f"{median(lost):.1f}", f"{max(lost):.1f}")
    return table


if __name__ == "__main__":
    main()
