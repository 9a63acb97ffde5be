"""Demand forecasting: a long panel of sales in; forecasts with intervals, a backtest, a report out.

Run it with ``dmlkit run demand-forecasting --data TABLE --out FOLDER``, or without ``--data`` on
generated sales. The settings are in ``demand_settings.py``; the stages are all here.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from dmlkit.boosting import Bundle
from dmlkit.forecast_scoring import demand_of, forecast_from
from dmlkit.forecasting import (
    ForecastEvaluation,
    add_bounds,
    evaluate_forecasts,
    gather_series,
    interval_margins,
    regular_panel,
)
from dmlkit.forecasting.report import DrawnSeries
from dmlkit.scoring import read_renamed
from dmlkit.tables import check_table
from dmlkit.tables.generate import retail_demand
from dmlkit.workflow import BUNDLE, TABLE, Run, Workflow
from dmlkit.workflows.demand_artefacts import chosen_series, stock_costs, write_artefacts
from dmlkit.workflows.demand_plan import plan_demand
from dmlkit.workflows.demand_settings import DemandSettings, column_kinds, matching_preset

job = Workflow(
    "demand-forecasting",
    DemandSettings,
    "A panel of sales in; forecasts with intervals, judged on the past, out.",
    presets=sorted((Path(__file__).parent / "configs").glob("demand_*.toml")),
    matches=matching_preset,
    makes_data=True,
    plans=plan_demand,
)


@job.stage(uses=["columns", "features", "generate", "forecast"])
def read(run: Run) -> Any:
    """Read the table under the names that the job uses, or make one."""
    settings = run.configuration
    if run.data is None:
        sizes = settings.generate.model_dump()
        # What lies ahead is made too: prices and promotions of it are known, sales are not.
        sizes["days"] += settings.forecast.horizon
        table = retail_demand(**sizes)
        last = table["ds"].max().compute() - pd.Timedelta(days=settings.forecast.horizon)
        table = table.assign(y=table["y"].astype("float64").where(table["ds"] <= last))
        return table[list(settings.columns_read(generated=True))]
    return read_renamed(run.data, settings.columns_read(generated=False), as_text=True)


@job.stage(uses=["validation", "features", "columns"])
def validate(run: Run, read: Any) -> Any:
    """Let good rows go on, and put bad ones in quarantine; too many of them end the job."""
    settings = run.configuration
    known, static = settings.features.columns(run.data is None)
    schema = settings.validation.schema_for(column_kinds(read), known, static)
    quarantine = run.quarantine
    checked = check_table(
        read, schema, quarantine=quarantine, max_bad_share=settings.validation.max_bad_share
    )
    run.note(rows=checked.rows, bad_rows=checked.bad_rows, reasons=checked.reasons)
    run.note(schema=schema.to_dict(), examples=checked.examples, quarantine=quarantine)
    if checked.bad_rows:
        run.warn(f"{checked.bad_rows:,} of {checked.rows:,} rows are bad: {quarantine}")
    return demand_of(checked.frame)


@job.stage(uses=["panel"], keep=TABLE)
def panel(run: Run, validate: Any) -> Any:
    """Bring the rows of each series together, with a row at each step."""
    settings = run.configuration.panel
    return regular_panel(gather_series(validate), settings.frequency, gaps=settings.gaps)


@job.stage(uses=["panel", "forecast", "features", "transforms", "model", "backtest"], keep=TABLE)
def backtest(run: Run, panel: Any) -> Any:
    """Forecast from origins in the past, each with a model that saw nothing later."""
    settings = run.configuration
    return settings.forecaster(run.data is None).cross_validate(
        panel,
        settings.forecast.horizon,
        settings.backtest.calibration_windows + 1,
        settings.backtest.step,
        refit=settings.backtest.refit,
    )


@job.stage(uses=["forecast", "model", "panel", "features", "costs"])
def evaluate(run: Run, panel: Any, backtest: Any) -> tuple[ForecastEvaluation, list[DrawnSeries]]:
    """Judge the last origin with intervals from those before it, against the baselines."""
    settings = run.configuration
    forecaster = settings.forecaster(run.data is None)
    windows = settings.backtest.calibration_windows
    margins = interval_margins(
        backtest[backtest["window"] <= windows], forecaster.quantiles, settings.forecast.levels
    )
    judged = backtest[backtest["window"] == windows + 1].map_partitions(
        add_bounds, forecaster.quantiles, margins, settings.panel.minimum
    )
    groups = panel[["unique_id", *settings.features.columns(run.data is None)[1]]]
    found = evaluate_forecasts(
        judged,
        levels=settings.forecast.levels,
        quantiles=forecaster.quantiles,
        groups=groups.drop_duplicates().compute(),
    )
    run.note(costs=stock_costs(judged, forecaster.quantiles, settings.costs))
    return found, chosen_series(found, judged, panel, settings.forecast.horizon)


@job.stage(uses=["panel", "forecast", "features", "transforms", "model", "backtest"], keep=BUNDLE)
def train(run: Run, panel: Any, backtest: Any) -> Bundle:
    """Train on everything, and calibrate intervals with all origins."""
    settings = run.configuration
    forecaster = settings.forecaster(run.data is None)
    forecaster.fit(panel, horizon=settings.forecast.horizon)
    forecaster.calibrate(backtest, settings.forecast.levels)
    model, *others = forecaster.models_
    return Bundle(
        model=model,
        more=tuple(others),
        features=forecaster.to_dict(),
        schema=run.records["validate"].notes["schema"],
        threshold=None,
        metadata={
            "workflow": run.workflow,
            "columns": settings.columns_read(run.data is None),
            "horizon": settings.forecast.horizon,
        },
    )


@job.stage(keep=TABLE)
def forecast(_run: Run, panel: Any, train: Bundle) -> Any:
    """Forecast what comes next."""
    return forecast_from(train, panel)


@job.stage
def publish(run: Run, evaluate: Any, train: Bundle, forecast: Any) -> None:
    """Write metrics, report, model and forecasts."""
    evaluation, drawn = evaluate
    write_artefacts(run, train, forecast, evaluation, drawn)


if __name__ == "__main__":
    import sys

    from dmlkit.cli import main

    main(["run", job.name, *sys.argv[1:]])
