"""The predictive-maintenance job: lives of a fleet, of given test machines, and alarms."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from distributed import Client, LocalCluster

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.tables.generate import machine_fleet
from dmlkit.workflow import find_workflow, load_configuration, run_workflow
from dmlkit.workflows.maintenance_lives import with_remaining_life
from dmlkit.workflows.maintenance_settings import MaintenanceSettings
from tests.plans import check_plan

job = find_workflow("predictive-maintenance")

QUICK = ("model.n_estimators=40", "model.learning_rate=0.2", "evaluation.replicates=20")


@pytest.fixture(scope="module")
def finished(process_cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a job on a generated fleet. Tests do not change it."""
    out = tmp_path_factory.mktemp("maintenance") / "out"
    configuration = load_configuration(
        MaintenanceSettings, assignments=[*QUICK, "generate.machines=60"]
    )
    with Client(process_cluster):
        run_workflow(job, out=out, configuration=configuration)
    return out


def metrics_of(out: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((out / "metrics.json").read_text())
    return metrics


def test_lives_are_told_better_than_by_their_mean(finished: Path) -> None:
    metrics = metrics_of(finished)
    scores = DeltaTable(str(finished / "scores")).to_pandas()
    test = scores[scores["part"] == "test"]
    assert metrics["test.rmse_capped"] < 0.8 * test["capped"].std()
    expected = np.sqrt(((test["prediction"] - test["remaining"]) ** 2).mean())
    assert metrics["test.rmse"] == pytest.approx(expected)
    assert metrics["test.roc_auc"] > 0.9


def test_machines_are_on_one_side_and_those_that_still_run_on_none(finished: Path) -> None:
    scores = DeltaTable(str(finished / "scores")).to_pandas()
    assert not scores[["machine_id", "part"]].drop_duplicates()["machine_id"].duplicated().any()
    fleet = machine_fleet(machines=60).compute()
    failed = fleet.groupby("machine_id")["failed"].max()
    assert set(scores["machine_id"]) == set(failed[failed == 1].index)


def test_alarms_cost_less_than_running_to_failure(finished: Path) -> None:
    metrics = metrics_of(finished)
    assert metrics["test.cost_per_machine"] < 0.7 * metrics["test.cost_without_alarms"]


def test_the_report_shows_lives_and_alarms(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    for words in ("Life left", "Cost of alarms", "running to failure costs"):
        assert words in page


def test_new_readings_get_a_life_and_a_risk(finished: Path, client: Client, tmp_path: Path) -> None:
    from dmlkit.boosting import load_bundle
    from dmlkit.scoring import score_table

    fleet = machine_fleet(machines=60).compute().drop(columns="failed")
    fleet.to_parquet(tmp_path / "fleet.parquet")
    scored = score_table(load_bundle(finished / "model"), str(tmp_path / "fleet.parquet"))
    found = scored.frame.compute()
    assert {"machine_id", "time", "prediction", "score", "flagged"} == set(found.columns)
    kept = DeltaTable(str(finished / "scores")).to_pandas()
    both = kept.merge(found, on=["machine_id", "time"])
    assert len(both) == len(kept)
    np.testing.assert_allclose(both["score"], both["risk"], atol=1e-6)


def test_given_machines_are_judged_at_their_last_cycle(client: Client, tmp_path: Path) -> None:
    """Both tables number their machines from 1, in cycles, as C-MAPSS does."""
    fleet = machine_fleet(machines=50, seed=3).compute()
    fleet = fleet[fleet.groupby("machine_id")["failed"].transform("max") == 1]
    fleet["cycle"] = fleet.groupby("machine_id").cumcount() + 1
    life = fleet.groupby("machine_id")["cycle"].transform("max")
    train, test = fleet["machine_id"] < 30, fleet["machine_id"] >= 30
    seen = fleet[test & (fleet["cycle"] <= 0.8 * life)].assign(
        machine_id=lambda rows: rows["machine_id"] - 30
    )
    columns = ["machine_id", "cycle", "load", "temperature", "vibration"]
    fleet.loc[train, columns].to_parquet(tmp_path / "train.parquet")
    seen[columns].to_parquet(tmp_path / "test.parquet")
    last = seen.groupby("machine_id")["cycle"].max()
    left = fleet[test].groupby("machine_id")["cycle"].max().to_numpy() - last
    left.rename("left").reset_index().to_parquet(tmp_path / "rul.parquet")
    given = (
        'columns.time="cycle"', "columns.failed=", 'files.train="train.parquet"',
        'files.test="test.parquet"', 'files.truth="rul.parquet"',
        'files.truth_columns=["machine_id", "left"]', 'features.conditions=["load"]',
        'features.sensors=["temperature", "vibration"]', "target.horizon=40",
    )  # fmt: skip
    settings = load_configuration(MaintenanceSettings, assignments=[*QUICK, *given])
    settings = settings.model_copy(
        update={"columns": settings.columns.model_copy(update={"failed": None})}
    )
    run_workflow(job, data=str(tmp_path), out=tmp_path / "out", configuration=settings)
    scores = DeltaTable(str(tmp_path / "out" / "scores")).to_pandas()
    judged = scores[scores["part"] == "test"].set_index("machine_id")["remaining"]
    expected = left.rename(index=lambda number: f"test-{number}").astype(float)
    pd.testing.assert_series_equal(judged.sort_index(), expected.sort_index(), check_names=False)


def test_a_fleet_without_a_failure_is_refused() -> None:
    table = pd.DataFrame(
        {"machine_id": [1, 1], "time": pd.to_datetime(["2025-01-01", "2025-01-02"]), "failed": 0}
    )
    import dask.dataframe as dd

    with pytest.raises(InputError, match="None of 1 machines failed"):
        with_remaining_life(dd.from_pandas(table, npartitions=1), "1h")


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"must be below target\.cap"):
        load_configuration(MaintenanceSettings, assignments=["target.horizon=200"])
    with pytest.raises(ConfigurationError, match="all of train, test and truth"):
        load_configuration(MaintenanceSettings, assignments=['files.train="a.parquet"'])


def test_the_preset_is_found_by_its_files(tmp_path: Path) -> None:
    (preset,) = job.presets
    assert job.matching_preset(str(tmp_path)) is None
    for name in ("train", "test", "rul"):
        (tmp_path / f"{name}.parquet").touch()
    assert job.matching_preset(str(tmp_path)) == preset


def test_the_plan_tells_its_stages_rows_and_files(finished: Path) -> None:
    check_plan(finished, {"validate": 0.2, "features": 0.2, "score": 0.5})
