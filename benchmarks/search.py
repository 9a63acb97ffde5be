"""A search for parameters: dmlkit beside Optuna with XGBoost in one process, in alternation.

``python -m benchmarks.search [--rows 100000] [--trials 30] [--first-rung 10]``

All draw the same parameters at random, stop early alike, and use as many cores: Optuna as XGBoost's
threads, dmlkit as those of a worker, which trains as many trials side by side. Optuna bins the rows
once, too. It is there twice: as people write it who score a trial when it is trained, and with its
own ASHA, which looks after each round whether a trial is worth going on with.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import dask.dataframe as dd
import numpy as np
import optuna
import pandas as pd
import xgboost
from optuna.distributions import FloatDistribution, IntDistribution
from rich.console import Console
from rich.table import Table

from benchmarks.measure import PeakMemory, versions_of, write_results
from dmlkit import connect
from dmlkit.boosting import XGBClassifier
from dmlkit.search import ParameterSearch

FEATURES = [f"x{number}" for number in range(20)]
SPACE = {
    "max_depth": IntDistribution(2, 8),
    "learning_rate": FloatDistribution(0.02, 0.5, log=True),
    "subsample": FloatDistribution(0.5, 1.0),
}
ROUNDS, PATIENCE, FACTOR = 200, 20, 3

#: Areas under the ROC curve this near to each other are those of equally good parameters.
SAME = 0.002


def main(arguments: Sequence[str] | None = None) -> None:
    """Search with each system in turn, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--first-rung", type=int, default=10, help="rounds until any is pruned")
    parser.add_argument("--no-pruning", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    tables = rows_of(0, options.rows), rows_of(1, options.rows // 4)
    systems = dict(list(SYSTEMS.items())[:2]) if options.no_pruning else SYSTEMS
    runs: dict[str, list[dict[str, float]]] = {system: [] for system in systems}
    with connect(workers=1, threads=options.cores):
        for seed in range(options.first_seed, options.first_seed + options.repeat):
            for system, search in systems.items():
                with PeakMemory() as memory:
                    began = time.perf_counter()
                    best = search(*tables, options, seed)
                    seconds = time.perf_counter() - began
                run = {"seconds": seconds, "bytes": memory.bytes, "roc_auc": best}
                runs[system].append(run)
    results = collect(runs, options)
    Console().print(as_table(results))
    if options.json:
        write_results(options.json, results)


def rows_of(seed: int, rows: int) -> pd.DataFrame:
    """Return a table in which pairs of features tell the label, more or less."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, len(FEATURES))).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + random.normal(size=rows)
    return pd.DataFrame(values, columns=FEATURES).assign(label=(margin > 1.5).astype(np.int8))


def with_dmlkit(train: pd.DataFrame, test: pd.DataFrame, options: Any, seed: int) -> float:
    """Search on the cluster."""
    estimator = XGBClassifier(
        n_estimators=ROUNDS, early_stopping_rounds=PATIENCE, eval_metric="auc"
    )
    search = ParameterSearch(
        estimator,
        SPACE,
        n_trials=options.trials,
        sampler="random",
        pruner=None if options.no_pruning else "asha",
        min_rounds=options.first_rung,
        reduction_factor=FACTOR,
        random_state=seed,
        refit=False,
    )
    rows = [dd.from_pandas(table, npartitions=options.cores) for table in (train, test)]
    (X, y), (X_test, y_test) = [(table[FEATURES], table["label"]) for table in rows]
    return search.fit(X, y, eval_set=[(X_test, y_test)]).best_score_


def with_optuna(train: pd.DataFrame, test: pd.DataFrame, options: Any, seed: int) -> float:
    """Search in this process, each trial to its end."""
    return _searched(train, test, options, seed, optuna.pruners.NopPruner())


def with_pruning(train: pd.DataFrame, test: pd.DataFrame, options: Any, seed: int) -> float:
    """Search in this process, and give up on trials that are worse than others."""
    pruner = optuna.pruners.SuccessiveHalvingPruner(options.first_rung, FACTOR)
    return _searched(train, test, options, seed, pruner)


def _searched(
    train: pd.DataFrame, test: pd.DataFrame, options: Any, seed: int, pruner: Any
) -> float:
    threads = {"nthread": options.cores}
    matrix = xgboost.QuantileDMatrix(train[FEATURES], train["label"], **threads)
    watched = xgboost.DMatrix(test[FEATURES], test["label"], **threads)  # faster than in bins

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    for _ in range(options.trials):
        trial = study.ask(SPACE)
        try:
            study.tell(trial, _score(trial, matrix, watched, options.cores))
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return float(study.best_value)


def _score(trial: optuna.Trial, matrix: Any, watched: Any, threads: int) -> float:
    common = {"objective": "binary:logistic", "eval_metric": "auc", "nthread": threads}
    booster = xgboost.train(
        common | trial.params,
        matrix,
        ROUNDS,
        evals=[(watched, "test")],
        early_stopping_rounds=PATIENCE,
        callbacks=[_Prune(trial)],
        verbose_eval=False,
    )
    return float(booster.best_score)


class _Prune(xgboost.callback.TrainingCallback):
    """Ends a trial that its pruner gives up on."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        super().__init__()

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        self._trial.report(max(evals_log["test"]["auc"]), epoch + 1)
        if self._trial.should_prune():
            raise optuna.TrialPruned
        return False


SYSTEMS: dict[str, Callable[..., float]] = {
    "dmlkit": with_dmlkit,
    "optuna": with_optuna,
    "optuna with ASHA": with_pruning,
}


def collect(runs: dict[str, list[dict[str, float]]], options: Any) -> list[dict[str, Any]]:
    """Return a result for each system; speed-ups are of dmlkit, over runs next to each other."""
    ours = runs["dmlkit"]
    return [
        {
            "task": f"{options.trials} trials, {_pruned(options)}",
            "system": system,
            "rows": options.rows,
            "seconds": round(median(run["seconds"] for run in of), 2),
            "seconds_all": [round(run["seconds"], 2) for run in of],
            "trials_per_minute": round(
                60 * options.trials / median(run["seconds"] for run in of), 1
            ),
            "speed_up": round(
                median(b["seconds"] / a["seconds"] for a, b in zip(ours, of, strict=True)), 2
            ),
            "peak_rss_bytes": int(max(run["bytes"] for run in of)),
            "roc_auc": [run["roc_auc"] for run in of],
            "agrees": all(
                abs(a["roc_auc"] - b["roc_auc"]) < SAME for a, b in zip(ours, of, strict=True)
            ),
            "versions": versions_of(["dask", "distributed", "optuna", "xgboost"]),
        }
        for system, of in runs.items()
    ]


def _pruned(options: Any) -> str:
    return "none pruned" if options.no_pruning else f"pruned from round {options.first_rung}"


def as_table(results: Sequence[dict[str, Any]]) -> Table:
    """Return the results as people read them."""
    table = Table(title=f"{results[0]['rows']:,} rows, {results[0]['task']}")
    for name in ("system", "seconds", "trials a minute", "dmlkit is faster", "best AUC", "memory"):
        table.add_column(name, justify="left" if name == "system" else "right")
    for result in results:
        table.add_row(
            result["system"],
            " ".join(f"{seconds:.1f}" for seconds in result["seconds_all"]),
            f"{result['trials_per_minute']:.1f}",
            f"{result['speed_up']:.2f} x",
            " ".join(f"{auc:.4f}" for auc in result["roc_auc"]),
            f"{result['peak_rss_bytes'] / 2**30:.2f} GiB",
        )
    return table


if __name__ == "__main__":
    main()
