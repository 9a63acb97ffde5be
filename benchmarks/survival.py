"""A worker lost in the middle of a training: dmlkit beside xgboost.dask.

``python -m benchmarks.survival [--json FILE]``. Each system trains the same model on two workers,
once undisturbed and once with a fault done to a worker at round 60 of 150, in a process of its own
that is ended if nothing comes of it in two minutes.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import xgboost
from rich.console import Console
from rich.table import Table
from xgboost import dask as xgboost_dask

from benchmarks.cluster_faults import FAULTS, strike
from benchmarks.measure import versions_of, write_results
from dmlkit.boosting import XGBClassifier

SYSTEMS = ("dmlkit", "xgboost.dask")
TRIED = ("kill a worker", "freeze a worker")
ROUNDS, STRUCK = 150, 60
FEATURES = [f"x{number}" for number in range(20)]
PARAMETERS: dict[str, Any] = {"max_depth": 6, "learning_rate": 0.1, "base_score": 0.5}

#: Seconds that a system has for both trainings.
LIMIT = 120


def main(arguments: Sequence[str] | None = None) -> None:
    """Try each system with each fault, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        print(json.dumps(outcome(*options.child)))
        return
    found = [tried(system, fault) for fault in TRIED for system in SYSTEMS]
    table = Table(title=f"A fault at round {STRUCK} of {ROUNDS}, two workers of one thread")
    for name in ("fault", "system", "what came of it"):
        table.add_column(name)
    for line in found:
        table.add_row(line["fault"], line["system"], line["outcome"])
    Console().print(table)
    if options.json:
        versions = versions_of(["dask", "distributed", "xgboost"])
        write_results(options.json, [line | {"versions": versions} for line in found])


def tried(system: str, fault: str) -> dict[str, Any]:
    """Return what came of a training with a fault."""
    command = [sys.executable, "-m", "benchmarks.survival", "--child", system, fault]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=LIMIT)
        told = json.loads(output.splitlines()[-1])
    except subprocess.TimeoutExpired:
        told = f"no end in {LIMIT} s"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    return {"fault": fault, "system": system, "outcome": told}


def outcome(system: str, fault: str) -> str:
    """Train undisturbed, then with the fault; say what came of it and what it cost."""
    train = {"dmlkit": with_dmlkit, "xgboost.dask": with_xgboost}[system]
    with distributed.Client(
        n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=None
    ) as client:
        train(client)  # what is imported and compiled the first time is not counted
        began = time.monotonic()
        expected = train(client)
        undisturbed = time.monotonic() - began
        strike(client, [(STRUCK, FAULTS[fault])])
        began = time.monotonic()
        try:
            model = train(client)
        except Exception as error:
            first = str(error).strip().splitlines()[0][:70]
            return f"{type(error).__name__} after {time.monotonic() - began:.0f} s: {first}"
        more = time.monotonic() - began - undisturbed
        same = "the same model" if model == expected else "another model"
        return f"complete, {same}, {more:.0f} s more than the {undisturbed:.0f} s undisturbed"


def with_dmlkit(_: distributed.Client) -> bytes:
    """Train with dmlkit, as it is by itself but for one shard for each worker."""
    table = rows()
    model = XGBClassifier(n_estimators=ROUNDS, shards=2, device="cpu", **PARAMETERS)
    X, y = table[FEATURES], table["label"]
    return bytes(model.fit(X, y, eval_set=[(X, y)]).get_booster().save_raw("ubj"))


def with_xgboost(client: distributed.Client) -> bytes:
    """Train with xgboost.dask, as it is by itself but for telling its rounds."""
    table = rows()
    matrix = xgboost_dask.DaskQuantileDMatrix(client, table[FEATURES], table["label"])
    parameters = {**PARAMETERS, "objective": "binary:logistic"}
    trained = xgboost_dask.train(
        client, parameters, matrix, ROUNDS, evals=[(matrix, "table")], callbacks=[TellRounds()]
    )
    return bytes(trained["booster"].save_raw("ubj"))


class TellRounds(xgboost.callback.TrainingCallback):
    """Tells the scheduler of each round, so that a fault comes in time."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        """Tell it; go on."""
        event = {"kind": "training-round", "round": epoch + 1}
        distributed.get_worker().log_event("dmlkit", event)
        return False


def rows() -> dd.DataFrame:
    """Return 400,000 rows in eight partitions."""
    return dd.from_map(part, range(8), meta=part(0, 1).iloc[:0])


def part(number: int, size: int = 50_000) -> pd.DataFrame:
    """Return one partition."""
    random = np.random.default_rng(number)
    values = random.normal(size=(size, len(FEATURES))).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + random.normal(size=size)
    return pd.DataFrame(values, columns=FEATURES).assign(label=(margin > 1).astype(np.int8))


if __name__ == "__main__":
    main()
