"""Training a classifier: dmlkit beside its peers, in alternation on the same cluster.

``python -m benchmarks.training [--rows 1000000] [--features 40] [--repeat 3] [--json FILE]``. The
peers are `xgboost.dask`, XGBoost in one process with as many threads, `xgboost.spark` in Spark's
local mode, and LightGBM's Dask estimator (the last two need the extra ``bench``), whose trees are
others: its AUC is told and not compared. All begin with the rows in memory.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
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

Predict = Callable[[pd.DataFrame], np.ndarray]

WORKERS = 2
PARAMETERS: dict[str, Any] = {"max_depth": 6, "learning_rate": 0.1, "tree_method": "hist"}
ROUNDS = 100
PARTITION_ROWS = 125_000

SPARK = {
    "spark.driver.memory": "6g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}

#: Areas under the ROC curve this near to each other are those of equal models.
SAME = 0.002


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with each system in turn, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    for system, package in (("lightgbm.dask", "lightgbm"), ("xgboost.spark", "pyspark")):
        if not find_spec(package) and system in options.only:
            print(f"{system} is left out: pip install -e '.[bench]'")
            options.only.remove(system)
    held_out = rows_of(10_000, PARTITION_ROWS, options.features)
    runs: dict[str, list[dict[str, float]]] = {system: [] for system in options.only}
    with connect(workers=WORKERS, threads=1) as client:
        table = table_of(options.rows, options.features).persist()
        distributed.wait(table)
        for _ in range(options.repeat):
            for system in options.only:
                runs[system].append(one_run(system, table, held_out, client))
    results = collect(runs, options.rows, options.features)
    Console().print(as_table(results))
    if options.json:
        write_results(options.json, results)


def table_of(rows: int, features: int) -> Any:
    """Return a lazy table in which pairs of features tell the label, more or less."""
    numbers = range(-(-rows // PARTITION_ROWS))
    parts = {"length": PARTITION_ROWS, "features": features}
    return dd.from_map(rows_of, numbers, **parts, meta=rows_of(0, 1, features))


def rows_of(number: int, length: int, features: int) -> pd.DataFrame:
    """Return one partition of the table."""
    random = np.random.default_rng(number)
    values = random.normal(size=(length, features)).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + random.normal(size=length)
    frame = pd.DataFrame(values, columns=[f"x{place}" for place in range(features)])
    return frame.assign(label=(margin > 1.5).astype(np.int8))


def split(table: Any) -> tuple[Any, Any]:
    """Return the features and the label."""
    return table.drop(columns="label"), table["label"]


def with_dmlkit(table: Any, client: Any) -> Predict:  # noqa: ARG001
    """Train with this package."""
    model = XGBClassifier(n_estimators=ROUNDS, device="cpu", **PARAMETERS)
    return scores_of(model.fit(*split(table)).get_booster())


def with_xgboost_dask(table: Any, client: Any) -> Predict:
    """Train with XGBoost's own Dask interface."""
    matrix = xgboost_dask.DaskQuantileDMatrix(client, *split(table))
    parameters = {**PARAMETERS, "objective": "binary:logistic"}
    trained = xgboost_dask.train(client, parameters, matrix, num_boost_round=ROUNDS)
    return scores_of(trained["booster"])


def with_one_process(table: Any, client: Any) -> Predict:  # noqa: ARG001
    """Train with XGBoost in this process, on a pandas frame that is there already."""
    matrix = xgboost.QuantileDMatrix(*split(table))
    parameters = {**PARAMETERS, "objective": "binary:logistic", "nthread": WORKERS}
    return scores_of(xgboost.train(parameters, matrix, num_boost_round=ROUNDS))


def with_lightgbm_dask(table: Any, client: Any) -> Predict:
    """Train with LightGBM's Dask estimator: as many leaves as XGBoost's trees have at most."""
    import lightgbm

    depth = int(PARAMETERS["max_depth"])
    model = lightgbm.DaskLGBMClassifier(
        client=client,
        n_estimators=ROUNDS,
        learning_rate=PARAMETERS["learning_rate"],
        max_depth=depth,
        num_leaves=2**depth,
        verbose=-1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*split(table))
    local = model.to_local()
    return lambda rows: local.predict_proba(rows)[:, 1]


def with_xgboost_spark(table: Any, client: Any) -> Predict:  # noqa: ARG001
    """Train with XGBoost's estimator for Spark, on a frame that Spark holds in memory."""
    from xgboost.spark import SparkXGBClassifier

    features = [name for name in table.columns if name != "label"]
    model = SparkXGBClassifier(
        features_col=features,
        label_col="label",
        n_estimators=ROUNDS,
        num_workers=WORKERS,
        **PARAMETERS,
    )
    return scores_of(model.fit(table).get_booster())


SYSTEMS: dict[str, Callable[[Any, Any], Predict]] = {
    "dmlkit": with_dmlkit,
    "xgboost.dask": with_xgboost_dask,
    "xgboost, one process": with_one_process,
    "xgboost.spark": with_xgboost_spark,
    "lightgbm.dask": with_lightgbm_dask,
}


def scores_of(booster: xgboost.Booster) -> Predict:
    """Return what predicts with a booster."""
    return lambda rows: booster.predict(xgboost.DMatrix(rows))


@contextmanager
def in_spark(table: Any) -> Iterator[Any]:
    """Give the rows as a frame that Spark holds in memory."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(f"local[{WORKERS}]").appName("training")
    for name, value in SPARK.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        with tempfile.TemporaryDirectory() as folder:
            table.to_parquet(Path(folder) / "rows", write_index=False)
            frame = session.read.parquet(str(Path(folder) / "rows")).repartition(WORKERS).cache()
            frame.count()
            yield frame
    finally:
        session.stop()


#: How the rows come into memory, where it is not that of Dask's workers.
HELD: dict[str, Callable[[Any], AbstractContextManager[Any]]] = {
    "xgboost, one process": lambda table: nullcontext(table.compute()),
    "xgboost.spark": in_spark,
}


def one_run(system: str, table: Any, held_out: pd.DataFrame, client: Any) -> dict[str, float]:
    """Train once; return seconds, memory and the AUC on rows that were not trained on."""
    with HELD.get(system, nullcontext)(table) as rows, PeakMemory() as memory:
        began = time.perf_counter()
        predict = SYSTEMS[system](rows, client)
        seconds = time.perf_counter() - began
    rows, label = split(held_out)
    auc = float(roc_auc_score(label, predict(rows)))
    return {"seconds": seconds, "bytes": memory.bytes, "auc": auc}


def collect(
    runs: dict[str, list[dict[str, float]]], rows: int, features: int
) -> list[dict[str, Any]]:
    """Return a result for each system; the first one is what the others are compared with."""
    reference = next(iter(runs.values()))[0]["auc"]
    return [
        {
            "system": system,
            "task": f"{ROUNDS} rounds, {features} features",
            "rows": rows,
            "seconds": round(median(run["seconds"] for run in of), 2),
            "seconds_all": [round(run["seconds"], 2) for run in of],
            "peak_rss_bytes": int(max(run["bytes"] for run in of)),
            "roc_auc": median(run["auc"] for run in of),
            "versions": versions_of(["dask", "distributed", "xgboost"]),
            "agrees": all(abs(run["auc"] - reference) < SAME for run in of)
            if "xgboost" in system or system == "dmlkit"
            else None,
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
