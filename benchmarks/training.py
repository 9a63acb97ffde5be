"""Training a classifier: dmlkit beside `xgboost.dask`, in alternation on the same cluster.

``python -m benchmarks.training [--rows 2000000] [--repeat 3] [--json FILE]``
"""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import xgboost
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score
from xgboost import dask as xgboost_dask

from benchmarks.measure import PeakMemory, versions_of, write_results
from dmlkit import connect
from dmlkit.boosting import XGBClassifier

FEATURES = [f"x{number}" for number in range(20)]
PARAMETERS: dict[str, Any] = {"max_depth": 6, "learning_rate": 0.1, "tree_method": "hist"}
ROUNDS = 100
PARTITION_ROWS = 125_000

#: Areas under the ROC curve this near to each other are those of equal models.
SAME = 0.002


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with each system in turn, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    held_out = rows_of(10_000, PARTITION_ROWS)
    runs: dict[str, list[dict[str, float]]] = {system: [] for system in options.only}
    with connect(workers=2, threads=1) as client:
        table = table_of(options.rows).persist()
        distributed.wait(table)
        for _ in range(options.repeat):
            for system in options.only:
                runs[system].append(one_run(SYSTEMS[system], table, held_out, client))
    results = collect(runs, options.rows)
    Console().print(as_table(results))
    if options.json:
        write_results(options.json, results)


def table_of(rows: int) -> Any:
    """Return a lazy table in which pairs of features tell the label, more or less."""
    numbers = range(-(-rows // PARTITION_ROWS))
    return dd.from_map(rows_of, numbers, length=PARTITION_ROWS, meta=rows_of(0, 1))


def rows_of(number: int, length: int) -> pd.DataFrame:
    """Return one partition of the table."""
    random = np.random.default_rng(number)
    values = random.normal(size=(length, len(FEATURES))).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + random.normal(size=length)
    return pd.DataFrame(values, columns=FEATURES).assign(label=(margin > 1.5).astype(np.int8))


def with_dmlkit(table: Any, client: Any) -> xgboost.Booster:  # noqa: ARG001
    """Train with this package."""
    model = XGBClassifier(n_estimators=ROUNDS, device="cpu", **PARAMETERS)
    return model.fit(table[FEATURES], table["label"]).get_booster()


def with_xgboost_dask(table: Any, client: Any) -> xgboost.Booster:
    """Train with XGBoost's own Dask interface."""
    matrix = xgboost_dask.DaskQuantileDMatrix(client, table[FEATURES], table["label"])
    parameters = {**PARAMETERS, "objective": "binary:logistic"}
    return xgboost_dask.train(client, parameters, matrix, num_boost_round=ROUNDS)["booster"]


SYSTEMS: dict[str, Callable[[Any, Any], xgboost.Booster]] = {
    "dmlkit": with_dmlkit,
    "xgboost.dask": with_xgboost_dask,
}


def one_run(train: Any, table: Any, held_out: pd.DataFrame, client: Any) -> dict[str, float]:
    """Train once; return seconds, memory and the AUC on rows that were not trained on."""
    with PeakMemory() as memory:
        began = time.perf_counter()
        booster = train(table, client)
        seconds = time.perf_counter() - began
    score = booster.predict(xgboost.DMatrix(held_out[FEATURES]))
    auc = float(roc_auc_score(held_out["label"], score))
    return {"seconds": seconds, "bytes": memory.bytes, "auc": auc}


def collect(runs: dict[str, list[dict[str, float]]], rows: int) -> list[dict[str, Any]]:
    """Return a result for each system; the first one is what the others are compared with."""
    reference = next(iter(runs.values()))[0]["auc"]
    return [
        {
            "system": system,
            "task": f"{ROUNDS} rounds, {len(FEATURES)} features",
            "rows": rows,
            "seconds": round(median(run["seconds"] for run in of), 2),
            "seconds_all": [round(run["seconds"], 2) for run in of],
            "peak_rss_bytes": int(max(run["bytes"] for run in of)),
            "roc_auc": median(run["auc"] for run in of),
            "versions": versions_of(["dask", "distributed", "xgboost"]),
            "agrees": all(abs(run["auc"] - reference) < SAME for run in of),
        }
        for system, of in runs.items()
    ]


def as_table(results: Sequence[dict[str, Any]]) -> Table:
    """Return the results as people read them."""
    table = Table(title=f"{results[0]['rows']:,} rows, {results[0]['task']}")
    for name in ("system", "seconds (median)", "ratio", "peak memory", "AUC", "all runs"):
        table.add_column(name, justify="left" if name == "system" else "right")
    for result in results:
        table.add_row(
            result["system"],
            f"{result['seconds']:.1f}",
            f"{result['seconds'] / results[0]['seconds']:.2f}",
            f"{result['peak_rss_bytes'] / 2**30:.2f} GiB",
            f"{result['roc_auc']:.5f}",
            " ".join(f"{seconds:.1f}" for seconds in result["seconds_all"]),
        )
    return table


if __name__ == "__main__":
    main()
