"""The fraud job from table to report: artefacts, resuming, and results that no layout changes."""

import functools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from distributed import Client, LocalCluster

import dmlkit.scoring
from dmlkit import read_table
from dmlkit.boosting import load_bundle
from dmlkit.observe import Event, StageEvent
from dmlkit.workflow import find_workflow, load_configuration, run_workflow
from tests.jobs import QUICK, files_below, write_in_parts

job = find_workflow("fraud-detection")

STAGES = [stage.name for stage in job.stages]


def run_job(data: Path | None, out: Path, *settings: str, resume: bool = False) -> list[str]:
    """Run the job on the current client; return the stages that were not taken over."""
    events: list[Event] = []
    configuration = load_configuration(job.configuration, assignments=[*QUICK, *settings])
    run_workflow(
        job,
        data=str(data) if data else None,
        out=out,
        configuration=configuration,
        resume=resume,
        listeners=[events.append],
    )
    return [e.stage for e in events if isinstance(e, StageEvent) and e.state == "done"]


@pytest.fixture
def copied_job(finished_job: Path, tmp_path: Path) -> Path:
    """A finished job's folder that a test may change."""
    return Path(shutil.copytree(finished_job, tmp_path / "out"))


def metrics_of(out: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((out / "metrics.json").read_text())
    return metrics


# Artefacts


def test_all_artefacts_are_there(finished_job: Path) -> None:
    assert {path.name for path in finished_job.iterdir()} == {
        "manifest.json",
        "metrics.json",
        "model",
        "report.html",
        "scores",
        "stages",
    }


def test_metrics_are_one_flat_object_of_numbers(finished_job: Path) -> None:
    metrics = metrics_of(finished_job)
    assert all(isinstance(value, int | float) for value in metrics.values())
    assert {
        "test.roc_auc",
        "test.average_precision",
        "test.card_precision_at_100",
        "train.rows",
        "test.rows",
        "test.positives",
    } <= set(metrics)


def test_the_model_is_better_than_chance(finished_job: Path) -> None:
    metrics = metrics_of(finished_job)
    base_rate = metrics["test.positives"] / metrics["test.rows"]
    assert metrics["test.roc_auc"] > 0.65
    assert metrics["test.average_precision"] > 5 * base_rate


def test_scores_have_each_row_of_each_part_once(finished_job: Path) -> None:
    metrics = metrics_of(finished_job)
    scores = DeltaTable(str(finished_job / "scores")).to_pandas()
    assert scores["transaction_id"].is_unique
    assert scores["part"].value_counts().to_dict() == {
        part: metrics[f"{part}.rows"] for part in ("train", "validation", "test")
    }
    assert scores["score"].between(0, 1).all()


def test_the_test_rows_come_after_the_delay_and_from_cards_not_known_to_be_stolen(
    finished_job: Path, transactions: pd.DataFrame
) -> None:
    scores = DeltaTable(str(finished_job / "scores")).to_pandas()
    test = scores[scores["part"] == "test"]
    seen = scores[scores["part"] != "test"]
    assert test["time"].min() - seen["time"].max() > pd.Timedelta(days=7)
    frauds = transactions[(transactions["fraud"] == 1)]
    train_start = seen["time"].min()
    for day, rows in test.groupby(test["time"].dt.floor("D")):
        known = frauds[
            (frauds["time"] < day - pd.Timedelta(days=7)) & (frauds["time"] >= train_start)
        ]
        assert not set(rows["customer_id"]) & set(known["customer_id"])


def test_the_manifest_tells_what_ran_on_what(finished_job: Path, transactions_path: Path) -> None:
    manifest = json.loads((finished_job / "manifest.json").read_text())
    assert [stage["name"] for stage in manifest["stages"]] == STAGES
    assert manifest["input_files"] == 3
    assert manifest["data"] == str(transactions_path)
    assert manifest["configuration"]["split"]["train_days"] == 21
    assert manifest["workers_lost"] == []
    files = files_below(finished_job)
    assert set(manifest["artefacts"]) <= set(files)


def test_the_report_stands_alone(finished_job: Path) -> None:
    page = (finished_job / "report.html").read_text()
    assert page.startswith("<!")
    assert "Fraud detection" in page
    assert "<script src=" not in page
    assert "<link" not in page


def test_the_bundle_knows_how_the_model_was_judged(finished_job: Path) -> None:
    bundle = load_bundle(finished_job / "model")
    assert bundle.metrics == metrics_of(finished_job)
    assert bundle.metadata["workflow"] == "fraud-detection"


def test_the_learning_curve_is_named_by_the_rows_that_were_watched(finished_job: Path) -> None:
    record = json.loads((finished_job / "stages" / "train.json").read_text())
    assert list(record["notes"]["learning_curve"]) == ["validation"]


def test_a_table_is_generated_where_none_is_given(client: Client, tmp_path: Path) -> None:
    generate = ["generate.customers=250", "generate.terminals=500", "generate.days=60"]
    run_job(None, tmp_path / "out", *generate, "split.validation_days=0")
    assert metrics_of(tmp_path / "out")["test.rows"] > 1000
    record = json.loads((tmp_path / "out" / "stages" / "train.json").read_text())
    assert list(record["notes"]["learning_curve"]) == ["training"]


# Resuming


def test_what_is_finished_is_taken_over_when_nothing_changed(
    client: Client, transactions_path: Path, copied_job: Path
) -> None:
    before = metrics_of(copied_job)
    done = run_job(transactions_path, copied_job, resume=True)
    assert done == ["split", "evaluate", "publish"]  # these keep nothing that a later one takes
    assert metrics_of(copied_job) == before


@pytest.mark.parametrize(
    ("setting", "first"),
    [
        ("evaluation.replicates=10", "evaluate"),
        ("model.max_depth=3", "train"),
        ("validation.maximum_amount=100000", "validate"),
    ],
)
def test_a_changed_setting_redoes_the_stages_that_it_matters_to(
    client: Client, transactions_path: Path, copied_job: Path, setting: str, first: str
) -> None:
    done = run_job(transactions_path, copied_job, setting, resume=True)
    assert set(STAGES[STAGES.index(first) :]) <= set(done)
    assert "features" not in done or first == "validate"
    assert "train" not in done or first != "evaluate"


def test_changed_data_redo_everything(
    client: Client, transactions: pd.DataFrame, copied_job: Path, tmp_path: Path
) -> None:
    write_in_parts(transactions, tmp_path / "table", files=3)
    assert run_job(tmp_path / "table", copied_job, resume=True) == STAGES


def test_another_run_replaces_all_artefacts(
    client: Client, transactions_path: Path, copied_job: Path
) -> None:
    before = files_below(copied_job)
    run_job(transactions_path, copied_job, "split.test_days=10", "model.n_estimators=5")
    after = files_below(copied_job)
    of_scores = {name for name in before if name.startswith("scores/part-")}
    assert not of_scores & set(after)
    for name in ("metrics.json", "report.html", "manifest.json", "model/model.ubj"):
        assert before[name] != after[name]
    assert not [name for name in after if Path(name).name.startswith(".")]


# The same results, however the table lies and however many workers there are


@pytest.fixture
def features_and_auc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[pd.DataFrame, float]]:
    """Run the job on a table in so many partitions; return its features and the test's AUC."""

    def run(data: Path, partition_bytes: str) -> tuple[pd.DataFrame, float]:
        small = functools.partial(read_table, partition_bytes=partition_bytes)
        monkeypatch.setattr(dmlkit.scoring, "read_table", small)
        out = tmp_path / f"out-{data.name}-{partition_bytes}"
        run_job(data, out)
        features = DeltaTable(str(out / "stages" / "features")).to_pandas()
        features = features.set_index("transaction_id").sort_index()
        return features.select_dtypes("number"), metrics_of(out)["test.roc_auc"]

    return run


def same_results(left: tuple[pd.DataFrame, float], right: tuple[pd.DataFrame, float]) -> bool:
    pd.testing.assert_frame_equal(left[0], right[0][left[0].columns], rtol=0, atol=1e-6)
    return abs(left[1] - right[1]) < 0.002


@pytest.mark.slow
def test_results_do_not_depend_on_partitions(
    client: Client,
    transactions: pd.DataFrame,
    features_and_auc: Callable[..., tuple[pd.DataFrame, float]],
    tmp_path: Path,
) -> None:
    shuffled = transactions.sample(frac=1, random_state=0)
    write_in_parts(transactions, tmp_path / "one", files=1)
    write_in_parts(transactions, tmp_path / "seven", files=7)
    write_in_parts(shuffled, tmp_path / "many", files=24)
    partitions = {"one": ("1GiB", 1), "seven": ("100kB", 7), "many": ("20kB", 24)}
    results = {}
    for name, (size, count) in partitions.items():
        assert read_table(tmp_path / name, partition_bytes=size).npartitions == count
        results[name] = features_and_auc(tmp_path / name, size)
    assert same_results(results["one"], results["seven"])
    assert same_results(results["one"], results["many"])


@pytest.mark.cluster
@pytest.mark.long
def test_results_do_not_depend_on_the_number_of_workers(
    finished_job: Path,
    transactions_path: Path,
    features_and_auc: Callable[..., tuple[pd.DataFrame, float]],
) -> None:
    """The finished job ran on two workers."""
    alone = LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None)
    with alone, Client(alone):
        features, auc = features_and_auc(transactions_path, "1GiB")
    table: Any = DeltaTable(str(finished_job / "stages" / "features")).to_pandas()
    table = table.set_index("transaction_id").sort_index()
    assert same_results((features, auc), (table, metrics_of(finished_job)["test.roc_auc"]))


@pytest.mark.skipif("DMLKIT_DATA" not in os.environ, reason="needs the handbook's transactions")
def test_the_handbook_preset_reaches_the_published_figures(client: Client, tmp_path: Path) -> None:
    preset = next(path for path in job.presets if path.stem == "fraud_handbook")
    configuration = load_configuration(job.configuration, file=preset)
    data = os.environ["DMLKIT_DATA"]
    run_workflow(job, data=data, out=tmp_path / "out", configuration=configuration)
    metrics = metrics_of(tmp_path / "out")
    reference = configuration.evaluation.reference  # type: ignore[attr-defined]
    assert np.all([metrics[f"test.{name}"] > 0.95 * value for name, value in reference.items()])
