"""Plans of jobs, from nothing but metadata; those beside finished jobs are in the jobs' tests."""

from pathlib import Path

import pandas as pd
import pytest

from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.errors import InputError
from dmlkit.tables.generate import machine_fleet, patient_stays, retail_demand
from dmlkit.workflow import StagePlan, find_workflow, load_configuration
from tests.plans import TWO

JOBS = ["demand-forecasting", "predictive-maintenance", "patient-risk"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {
        "demand-forecasting": retail_demand(items=10, shops=2, days=200),
        "predictive-maintenance": machine_fleet(60),
        "patient-risk": patient_stays(2000),
    }
    folder = tmp_path_factory.mktemp("tables")
    for name, table in made.items():
        table.compute(scheduler="synchronous").to_parquet(folder / f"{name}.parquet", index=False)
    return {name: folder / f"{name}.parquet" for name in made}


def planned(name: str, data: Path | str | None, *assignments: str) -> dict[str, StagePlan]:
    job = find_workflow(name)
    settings = load_configuration(job.configuration, assignments=assignments)
    plan = job.plan(None if data is None else str(data), configuration=settings, workers=TWO)
    assert plan.whole
    return {stage.name: stage for stage in plan.stages}


def test_no_row_is_read(tables: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("rows are read")

    monkeypatch.setattr("dmlkit.tables.pieces.read_parquet_piece", refuse)
    for name, table in tables.items():
        assert planned(name, table)["validate"].rows > 1000


@pytest.mark.parametrize("name", JOBS)
def test_what_a_job_makes_itself_is_planned_too(name: str) -> None:
    job = find_workflow(name)
    plan = job.plan(workers=TWO)
    assert (plan.exact, plan.fits, plan.whole) == (False, True, True)


def test_series_are_told_from_the_period(tables: dict[str, Path]) -> None:
    horizon, origins = 7, 2
    stages = planned("demand-forecasting", tables["demand-forecasting"], "forecast.horizon=7")
    assert stages["backtest"].rows == pytest.approx(20 * horizon * origins, rel=0.1)
    assert stages["forecast"].rows == pytest.approx(20 * horizon, rel=0.1)


def test_where_times_are_text_series_are_as_short_as_can_be(
    tables: dict[str, Path], tmp_path: Path
) -> None:
    rows = pd.read_parquet(tables["demand-forecasting"])[["unique_id", "ds", "y"]]
    rows.to_csv(tmp_path / "sales.csv", index=False)
    stages = planned("demand-forecasting", tmp_path / "sales.csv", "forecast.horizon=7")
    most = len(rows) / (28 + 2 * 7)
    assert stages["forecast"].rows == pytest.approx(7 * most, rel=0.1)


def test_given_machines_are_planned_from_both_tables(tmp_path: Path) -> None:
    names = {"machine_id": "unit", "time": "cycle", "temperature": "s1", "load": "s2"}
    fleet = machine_fleet(20).compute(scheduler="synchronous").rename(columns=names)
    fleet = fleet.assign(cycle=fleet.groupby("unit").cumcount() + 1)[[*names.values()]]
    for name, machines in (("train", 15), ("test", 5)):
        fleet[fleet["unit"] < machines].to_parquet(tmp_path / f"{name}.parquet", index=False)
    pd.DataFrame({"unit": range(5), "RUL": 3}).to_parquet(tmp_path / "rul.parquet", index=False)
    stages = planned(
        "predictive-maintenance",
        tmp_path,
        *(f'columns.{ours}="{theirs}"' for ours, theirs in [*names.items()][:2]),
        *(f'files.{key}="{key}.parquet"' for key in ("train", "test")),
        'files.truth="rul.parquet"',
        'features.sensors=["s1"]',
        'features.conditions=["s2"]',
    )
    train, test = (len(fleet[fleet["unit"] < machines]) for machines in (15, 5))
    assert stages["validate"].rows == train + test
    assert stages["train"].rows == train


@pytest.mark.parametrize("name", JOBS)
def test_more_rows_than_workers_can_take_are_refused(name: str) -> None:
    too_many = {
        "demand-forecasting": ["generate.items=1000000", "generate.days=3000"],
        "predictive-maintenance": ["generate.machines=500000000"],
        "patient-risk": ["generate.patients=500000000"],
    }[name]
    job = find_workflow(name)
    settings = load_configuration(job.configuration, assignments=too_many)
    small = WorkerSizes(workers=2, threads=1, limit=512 << 20)
    plan = job.plan(configuration=settings, workers=small)
    assert not plan.fits
    assert "It does not fit: the stage" in plan.advice


def test_a_column_of_a_wrong_type_is_named(tables: dict[str, Path], tmp_path: Path) -> None:
    rows = pd.read_parquet(tables["predictive-maintenance"])
    rows.assign(noise=rows["time"]).to_parquet(tmp_path / "fleet.parquet", index=False)
    with pytest.raises(InputError, match=r"'noise' of '.*fleet.parquet' is datetime64"):
        planned("predictive-maintenance", tmp_path / "fleet.parquet")


@pytest.mark.parametrize("name", ["fraud-detection", *JOBS])
def test_a_table_without_rows_is_planned(
    name: str, tables: dict[str, Path], transactions: pd.DataFrame, tmp_path: Path
) -> None:
    rows = pd.read_parquet(tables[name]) if name in tables else transactions
    rows.head(0).to_parquet(tmp_path / "empty.parquet", index=False)
    stages = planned(name, tmp_path / "empty.parquet")
    assert {stage.rows for stage in stages.values()} == {0}
