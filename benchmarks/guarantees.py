"""What holds when things go wrong or are laid out otherwise: dmlkit beside dask and xgboost.dask.

``python -m benchmarks.guarantees [--json FILE]``. Each line is tried anew: the layout of a table
is changed, or a write is made to fail half-way, and what came of it is told.
"""

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dask.dataframe as dd
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score, roc_auc_score
from xgboost import dask as xgboost_dask

from benchmarks.measure import versions_of, write_results
from dmlkit import connect, read_table, write_table
from dmlkit.boosting import XGBClassifier

ROWS = 40_000
FEATURES = ["amount", "hour"]
PARAMETERS: dict[str, Any] = {"max_depth": 4, "learning_rate": 0.2, "base_score": 0.5}


class Line(NamedTuple):
    """One guarantee, and what each system did."""

    question: str
    dmlkit: str
    glue: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Try each guarantee, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    with connect(workers=2, threads=1) as client:
        lines = [line(client) for line in (auc_of_a_round, models, failed_overwrite)]
    table = Table(title="The same thing done with dmlkit, and with dask and xgboost.dask")
    for name in ("question", "dmlkit", "dask + xgboost.dask"):
        table.add_column(name)
    for line in lines:
        table.add_row(*line, end_section=True)
    Console().print(table)
    if options.json:
        versions = versions_of(["dask", "distributed", "xgboost"])
        write_results(options.json, [line._asdict() | {"versions": versions} for line in lines])


def payments() -> pd.DataFrame:
    """Return payments in two segments, of which one has most of the frauds."""
    random = np.random.default_rng(0)
    segment = np.arange(ROWS) >= ROWS // 2
    amount = random.gamma(2.0, 50.0, ROWS) * (1 + 3 * segment)
    hour = random.integers(0, 24, ROWS)
    odds = amount / 90 + (hour < 6) + 1.5 * segment - 7
    fraud = random.random(ROWS) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame({"amount": amount, "hour": hour, "fraud": fraud.astype("int8")})


def auc_of_a_round(client: Any) -> Line:
    """Compare the metrics that early stopping goes by with the exact ones, rows by segment."""
    frame = payments()
    table = dd.from_pandas(frame, npartitions=2, sort=False)
    model = XGBClassifier(n_estimators=20, eval_metric=["auc", "aucpr"], shards=2, **PARAMETERS)
    X, y = table[FEATURES], table["fraud"]
    model.fit(X, y, eval_set=[(X, y)])
    own = model.evals_result()["validation_0"]
    matrix = xgboost_dask.DaskQuantileDMatrix(client, X, y)
    parameters = {**PARAMETERS, "objective": "binary:logistic", "eval_metric": ["auc", "aucpr"]}
    found = xgboost_dask.train(client, parameters, matrix, 20, evals=[(matrix, "table")])
    peer = found["history"]["table"]
    score = model.predict_proba(frame[FEATURES])[1]
    peer_score = found["booster"].inplace_predict(frame[FEATURES])
    return Line(
        "AUC and average precision in early stopping, rows by segment on two workers",
        _against(own, frame["fraud"], score),
        _against(peer, frame["fraud"], peer_score),
    )


def _against(history: Any, label: Any, score: Any) -> str:
    auc, precision = roc_auc_score(label, score), average_precision_score(label, score)
    return (
        f"AUC {history['auc'][-1]:.4f} for an exact {auc:.4f}, "
        f"average precision {history['aucpr'][-1]:.4f} for {precision:.4f}"
    )


def models(client: Any) -> Line:
    """Count the different models from one table in 1, 7 and 64 partitions, trained twice each."""
    frame = payments()
    counts: dict[str, set[str]] = {"dmlkit": set(), "glue": set()}
    for partitions in (1, 7, 64, 1, 7, 64):
        table = dd.from_pandas(frame, npartitions=partitions, sort=False)
        X, y = table[FEATURES], table["fraud"]
        own = XGBClassifier(n_estimators=20, **PARAMETERS).fit(X, y)
        counts["dmlkit"].add(_digest(own.get_booster()))
        matrix = xgboost_dask.DaskQuantileDMatrix(client, X, y)
        parameters = {**PARAMETERS, "objective": "binary:logistic"}
        peer = xgboost_dask.train(client, parameters, matrix, 20)["booster"]
        counts["glue"].add(_digest(peer))
    return Line(
        "Different models from one table in 1, 7 and 64 partitions, each trained twice",
        *(str(len(digests)) for digests in counts.values()),
    )


def _digest(booster: Any) -> str:
    return hashlib.sha256(bytes(booster.save_raw("ubj"))).hexdigest()


def failed_overwrite(_: Any) -> Line:
    """Overwrite a table with one whose last partition fails, and count the rows that are left."""
    frame = payments()
    old = dd.from_pandas(frame, npartitions=4, sort=False)
    new = old.map_partitions(_fail_at_the_end, meta=old._meta)
    with tempfile.TemporaryDirectory() as folder:
        own, peer = str(Path(folder, "own")), str(Path(folder, "peer"))
        write_table(old, own)
        old.to_parquet(peer)
        _try(lambda: write_table(new, own, mode="overwrite"))
        _try(lambda: new.to_parquet(peer, overwrite=True))
        left = len(read_table(own)), _rows(peer)
    return Line(
        f"Rows left of a table of {ROWS:,} after an overwrite that failed half-way",
        f"{left[0]:,}",
        left[1],
    )


def _fail_at_the_end(rows: pd.DataFrame) -> pd.DataFrame:
    if len(rows) and rows.index[-1] == ROWS - 1:
        raise RuntimeError("as if the worker had no memory left")
    return rows


def _try(write: Callable[[], Any]) -> None:
    try:
        write()
    except Exception as error:
        print(f"as meant: {type(error).__name__}")


def _rows(path: str) -> str:
    try:
        return f"{len(pd.read_parquet(path)):,}"
    except Exception as error:
        return f"unreadable ({type(error).__name__})"


if __name__ == "__main__":
    main()
