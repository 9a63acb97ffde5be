"""The demand job from a user's table to forecasts, and forecasts from its bundle later."""

import json
from pathlib import Path

import pandas as pd
import pytest

from dmlkit import read_table
from dmlkit.boosting import load_bundle
from dmlkit.tables.generate import retail_demand
from dmlkit.workflow import load_configuration
from dmlkit.workflows.demand_settings import DemandSettings
from tests import jobs
from tests.plans import check_plan

HORIZON = 7
OPTIONS = [
    f"forecast.horizon={HORIZON}",
    "forecast.steps_per_model=4",
    'features.known=["price", "promotion"]',
    'features.static=["category"]',
    'features.groups=[{by=["item_id"], on_lags={1=["rolling_mean:7"]}, aggregate="sum"}]',
    'columns.unique_id="series"',
    'columns.ds="day"',
    'columns.y="sold"',
    'columns.in_stock="in_stock"',
    'columns.weight="worth"',
    "features.half_life=60",
    "backtest.refit=false",
    "model.n_estimators=10",
    "model.max_depth=4",
]


@pytest.fixture(scope="module")
def sales_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sales under a user's names, in two files, with what is known of the week to come."""
    sales = retail_demand(items=6, shops=2, days=120, seed=3).compute().sample(frac=1)
    last = sales["ds"].max() - pd.Timedelta(days=HORIZON)
    sales = sales.assign(y=sales["y"].where(sales["ds"] <= last))
    sales = sales.rename(columns={"unique_id": "series", "ds": "day", "y": "sold"})
    sales = sales.assign(worth=1.0 + sales["promotion"])
    sales = sales.assign(series="s" + sales["series"].astype(str))
    folder = tmp_path_factory.mktemp("tables") / "sales"
    jobs.write_in_parts(sales.reset_index(drop=True), folder, files=2)
    return folder


@pytest.fixture(scope="module")
def finished(sales_path, process_cluster, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("demand") / "out"
    options = [part for option in OPTIONS for part in ("--set", option)]
    outcome = jobs.dmlkit(
        *("run", "demand-forecasting", "--data", sales_path, "--out", out, "--json", *options),
        *("--scheduler", process_cluster.scheduler_address),
    )
    assert outcome.code == 0, outcome.stderr
    return out


def test_the_job_leaves_metrics_report_bundle_and_forecasts_of_the_week_to_come(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert 0 < metrics["test.owa"] < 2
    assert {"test.smape", "test.mase", "test.coverage_80", "test.rmsse"} <= set(metrics)
    report = (finished / "report.html").read_text(encoding="utf-8")
    for words in (
        "The median series",
        "Error by steps ahead",
        "Error by group",
        "category: ",
        "What ordering would have cost",
    ):
        assert words in report
    assert "https://" not in report.split("<script>")[0]
    forecasts = read_table(str(finished / "forecasts")).compute()
    assert sorted(forecasts["step"].unique()) == list(range(1, HORIZON + 1))
    assert (forecasts["yhat_lo_80"] <= forecasts["yhat_hi_80"]).all()
    assert (finished / "manifest.json").exists()
    assert "2, each for up to 4 steps" in report
    assert len(load_bundle(finished / "model").models) == 2


def test_a_bundle_forecasts_the_same_bits_from_the_same_history(finished, sales_path, scheduler):
    """Also when the history comes in two tables, earlier and newer rows, that overlap."""
    sales = pd.read_parquet(sales_path)
    day = sales["day"].sort_values().iloc[len(sales) // 2]
    parts = {
        "old": sales[sales["day"] <= day],
        "new": sales[sales["day"] > day - pd.Timedelta("9D")],
    }
    for name, rows in parts.items():
        rows.to_parquet(finished.parent / f"{name}.parquet")
    order = ["unique_id", "ds"]
    expected = read_table(str(finished / "forecasts")).compute().sort_values(order)
    for number, history in enumerate([(), ("--history", finished.parent / "old.parquet")]):
        data = finished.parent / "new.parquet" if history else sales_path
        out = finished.parent / f"forecasts-{number}"
        outcome = jobs.dmlkit(
            *("score", finished / "model", "--data", data, "--out", out, *history),
            *("--scheduler", scheduler),
        )
        assert outcome.code == 0, outcome.stderr
        found = read_table(str(out)).compute().sort_values(order)
        pd.testing.assert_frame_equal(
            found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
        )


def test_settings_that_make_no_forecaster_are_told():
    for assignment, told in [
        ("features.lags=[0]", "lag 0"),
        ('panel.frequency="soon"', "frequency 'soon'"),
        ("model.maxdepth=3", "max_depth"),
        ('transforms=[{kind="log"}]', "Known: differences"),
        ('features.groups=[{by=["shop"], lags=[0]}]', "lag 0"),
    ]:
        with pytest.raises(ValueError, match=told):
            load_configuration(DemandSettings, assignments=[assignment])


def test_the_settings_for_m4_can_be_made():
    file = Path(__file__).parents[2] / "workflows" / "configs" / "demand_m4_hourly.toml"
    settings = load_configuration(DemandSettings, file=file)
    assert len(settings.forecaster(generated=False).design.names) == 25


def test_the_plan_tells_its_stages_rows_and_files(finished: Path) -> None:
    check_plan(finished, {"validate": 0, "panel": 0.1, "backtest": 0.1, "forecast": 0.1})
