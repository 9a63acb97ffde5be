"""The fraud job on the weeks of the Fraud Detection Handbook, beside XGBoost on pandas.

``python -m benchmarks.fraud_handbook --data FOLDER``, where FOLDER has the handbook's simulated
transactions as Parquet. What is measured, and how the presets were made: docs/fraud-handbook.md.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import dask
import distributed
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.fraud_peer import pandas_features, score_with_xgboost
from benchmarks.measure import PeakMemory, versions_of, write_results
from dmlkit import connect, read_table
from dmlkit.boosting import XGBClassifier
from dmlkit.features import FeatureSet
from dmlkit.metrics import evaluate_binary
from dmlkit.model_selection import TimeSplit, drop_known_entities
from dmlkit.scoring import score_rows
from dmlkit.workflow import load_configuration
from dmlkit.workflows import fraud_settings
from dmlkit.workflows.fraud_settings import FraudSettings

#: Chapter 3 trains on the first of these weeks, chapter 5 on each.
WEEKS = ("2018-07-25", "2018-08-01", "2018-08-08", "2018-08-15")
LAST_TEST_ENDS = pd.Timestamp(TimeSplit(WEEKS[-1]).test_end)

METRICS = ("roc_auc", "average_precision", "card_precision_at_100")
COUNTS = ("train_rows", "train_frauds", "test_rows", "test_frauds")

#: The handbook's XGBoost: chapter 3, and the mean of chapter 5's four weeks.
PUBLISHED = {WEEKS[0]: (0.862, 0.639, 0.273), "mean": (0.871, 0.694, 0.304)}
PUBLISHED_COUNTS = {WEEKS[0]: (67_240, 598, 58_264, 385)}

PRESETS = {
    "dmlkit-handbook": "fraud_handbook.toml",
    "dmlkit-tuned": "fraud_handbook_tuned.toml",
}
PEER = "xgboost-pandas"
SYSTEMS = (*PRESETS, PEER)
PACKAGES = ("dmlkit", "dask", "distributed", "xgboost", "pandas", "numpy")

#: What is judged needs these columns, and the score.
KEPT = ("time", "customer_id", "fraud")

#: Takes the training rows, the test rows and the names of the features; returns scored test rows.
Scorer = Callable[[Any, Any, Sequence[str]], Any]


@dataclass(frozen=True)
class Measured:
    """One run of a system: each task's figures and seconds, and the most memory held."""

    tasks: dict[str, dict[str, Any]]
    peak_rss_bytes: int
    features: pd.DataFrame


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the systems, print the table, write the JSON."""
    options = _parser().parse_args(arguments)
    runs: dict[str, list[Measured]] = {}
    for system in options.only:
        for number in range(options.repeat):
            print(f"{system}: run {number + 1} of {options.repeat}", flush=True)
            runs.setdefault(system, []).append(run_system(system, options.data))
    results = collect(runs)
    Console(width=None if Console().is_terminal else 160).print(as_table(results))
    if options.json:
        write_results(options.json, results)


def run_system(system: str, folder: Path) -> Measured:
    """Make a system's features once, then train and judge it on each week."""
    if system == PEER:
        return run_peer(folder)
    preset = Path(fraud_settings.__file__).parent / "configs" / PRESETS[system]
    return run_preset(folder, load_configuration(FraudSettings, file=preset))


def run_preset(folder: Path, settings: FraudSettings) -> Measured:
    """Run dmlkit with the settings of a preset, on a cluster of its own."""
    with PeakMemory() as memory, connect():
        started = time.perf_counter()
        names = {source: name for name, source in settings.columns.model_dump().items()}
        table = read_table(str(folder), columns=list(names)).rename(columns=names)
        feature_set = FeatureSet.from_dict({"steps": settings.features}).fit(table)
        featured = _rows_of_weeks(feature_set.transform(table)).persist()
        distributed.wait(featured)
        tasks = {"features": {"seconds": time.perf_counter() - started}}
        columns = feature_set.get_feature_names_out()
        tasks |= judge_weeks(featured, columns, partial(score_with_dmlkit, settings))
        kept = featured[["transaction_id", *columns]].compute()
    return Measured(tasks, memory.bytes, kept)


def run_peer(folder: Path) -> Measured:
    """Run pandas and XGBoost in this process, with the handbook's features and parameters."""
    settings = FraudSettings()
    preset = Path(fraud_settings.__file__).parent / "configs" / PRESETS["dmlkit-handbook"]
    names = load_configuration(FraudSettings, file=preset).columns.model_dump()
    columns = FeatureSet.from_dict({"steps": settings.features}).get_feature_names_out()
    with PeakMemory() as memory:
        started = time.perf_counter()
        featured = _rows_of_weeks(pandas_features(folder, names))
        tasks = {"features": {"seconds": time.perf_counter() - started}}
        tasks |= judge_weeks(featured, columns, score_with_xgboost)
    return Measured(tasks, memory.bytes, featured[["transaction_id", *columns]])


def score_with_dmlkit(settings: FraudSettings, train: Any, test: Any, names: Sequence[str]) -> Any:
    """Train with the preset's parameters and return the scored test rows, lazily."""
    model = XGBClassifier(**settings.model.parameters(early_stopping=False))
    model.fit(train[names], train["fraud"])
    return score_rows(model, test, names, KEPT)


def judge_weeks(featured: Any, names: Sequence[str], scorer: Scorer) -> dict[str, dict[str, Any]]:
    """Train and judge on each week, and take the mean."""
    weeks = {start: judge_week(featured, names, scorer, start) for start in WEEKS}
    seconds = sum(week["seconds"] for week in weeks.values())
    means = {name: mean(week[name] for week in weeks.values()) for name in METRICS}
    return weeks | {"mean": means | {"seconds": seconds}}


def judge_week(featured: Any, names: Sequence[str], scorer: Scorer, start: str) -> dict[str, Any]:
    """Train on seven days, wait seven, and judge the cards not yet known on the next seven."""
    started = time.perf_counter()
    periods = TimeSplit(start)
    parts = periods.split(featured, "time")
    test = drop_known_entities(
        parts.test,
        featured,
        entity="customer_id",
        time="time",
        label="fraud",
        known_from=pd.Timestamp(start),
        delay_days=periods.delay_days,
    )
    evaluation = evaluate_binary(
        scorer(parts.train, test, names),
        label="fraud",
        score="score",
        time="time",
        entity="customer_id",
        replicates=0,
    )
    seconds = time.perf_counter() - started
    labels = parts.train["fraud"]
    train_rows, train_frauds = dask.compute(labels.size, labels.sum())
    counts = (train_rows, train_frauds, evaluation.rows, evaluation.positives)
    figures: dict[str, Any] = dict(zip(COUNTS, map(int, counts), strict=True))
    return figures | {name: evaluation.metrics[name] for name in METRICS} | {"seconds": seconds}


def collect(runs: Mapping[str, Sequence[Measured]]) -> list[dict[str, Any]]:
    """Return one object for each system and task."""
    versions = versions_of(PACKAGES)
    agreement = features_agree(runs)
    results = []
    for system, repeats in runs.items():
        for task, figures in repeats[0].tasks.items():
            seconds = [run.tasks[task]["seconds"] for run in repeats]
            rows = figures.get("train_rows", len(repeats[0].features))
            agrees = agreement.get(system) if task == "features" else counts_agree(task, runs)
            result = {
                "system": system,
                "task": f"fraud_handbook/{task}",
                "rows": rows,
                **figures,
                "published": dict(zip(METRICS, PUBLISHED.get(task, ()), strict=False)),
                "seconds": median(seconds),
                "seconds_all": seconds,
                "peak_rss_bytes": max(run.peak_rss_bytes for run in repeats),
                "versions": versions,
                "agrees": agrees,
            }
            results.append(result)
    return results


def counts_agree(task: str, runs: Mapping[str, Sequence[Measured]]) -> bool | None:
    """Tell whether all systems, and the handbook where it says, have the same rows and frauds."""
    if task == "mean":
        return None
    found = {tuple(run[0].tasks[task][name] for name in COUNTS) for run in runs.values()}
    published = PUBLISHED_COUNTS.get(task)
    if published is None and len(runs) == 1:
        return None
    return len(found | ({published} if published else set())) == 1


def features_agree(runs: Mapping[str, Sequence[Measured]]) -> dict[str, bool]:
    """Tell of the systems with the same features whether they are equal, but for rounding."""
    pair = ("dmlkit-handbook", PEER)
    if not set(pair) <= set(runs):
        return {}
    ours, theirs = (
        runs[system][0].features.set_index("transaction_id").sort_index() for system in pair
    )
    same_rows = ours.index.equals(theirs.index) and list(ours) == list(theirs)
    # pandas adds and takes away in one running sum, which leaves traces.
    equal = same_rows and np.allclose(ours, theirs, rtol=1e-9, atol=1e-9, equal_nan=True)
    return dict.fromkeys(pair, bool(equal))


def as_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Return the results as a table for people, with the published figures beside."""
    table = Table(title="Fraud Detection Handbook: 7 days of training, 7 of delay, 7 of test")
    table.add_column("system")
    table.add_column("training from")
    headings = ("train rows/frauds", "test rows/frauds", "AUC", "avg. precision", "card prec.@100")
    for heading in (*headings, "published", "seconds"):
        table.add_column(heading, justify="right")
    for before, result in zip([None, *results], results, strict=False):
        if before and before["system"] != result["system"]:
            table.add_section()
        table.add_row(*_cells(result))
    return table


def _cells(result: Mapping[str, Any]) -> list[str]:
    task = result["task"].rpartition("/")[2]
    counts = [f"{result[name]:,}" if name in result else "" for name in COUNTS]
    slashes = [f"{rows}/{frauds}" if rows else "" for rows, frauds in (counts[:2], counts[2:])]
    figures = [f"{result[name]:.4f}" if name in result else "" for name in METRICS]
    published = " ".join(f"{value:.3f}" for value in result["published"].values())
    return [result["system"], task, *slashes, *figures, published, f"{result['seconds']:.1f}"]


def _rows_of_weeks(frame: Any) -> Any:
    return frame[(frame["time"] >= pd.Timestamp(WEEKS[0])) & (frame["time"] < LAST_TEST_ENDS)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet files")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each system")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=SYSTEMS, metavar="SYSTEM")
    return parser


if __name__ == "__main__":
    main()
