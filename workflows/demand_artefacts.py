"""What the demand job leaves behind: metrics, the report, the bundle and the forecasts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.boosting import Bundle, save_bundle
from dmlkit.forecasting import ForecastEvaluation, quantile_name
from dmlkit.forecasting.report import DrawnSeries, ForecastReport, write_forecast_report
from dmlkit.metrics.report import BadRows, StageTime
from dmlkit.tables import write_table
from dmlkit.workflow import Run, write_json
from dmlkit.workflows.demand_settings import StockCosts

__all__ = ["chosen_series", "stock_costs", "write_artefacts"]

#: How much of its past a series is drawn with, in horizons.
PAST = 4


def write_artefacts(
    run: Run,
    bundle: Bundle,
    forecasts: Any,
    evaluation: ForecastEvaluation,
    drawn: list[DrawnSeries],
) -> None:
    """Write the artefacts into the run's staging folder."""
    metrics = {f"test.{name}": value for name, value in evaluation.metrics.items()}
    validated = run.records["validate"]
    metrics |= {"table.rows": validated.rows or 0, "table.bad_rows": validated.notes["bad_rows"]}
    known = {name: value for name, value in metrics.items() if np.isfinite(value)}
    write_json(run.staging / "metrics.json", known)
    write_table(forecasts, run.table("forecasts"))
    save_bundle(run.staging / "model", replace(bundle, metrics=known))
    report = report_inputs(run, bundle, evaluation, drawn)
    write_forecast_report(run.staging / "report.html", report)


def _told_models(bundle: Bundle, steps: int | None) -> str:
    if steps is None:
        return "1, for all steps, each from the forecasts of those before"
    each = "1 step" if steps == 1 else f"up to {steps} steps"
    return f"{len(bundle.models)}, each for {each}"


def report_inputs(
    run: Run, bundle: Bundle, evaluation: ForecastEvaluation, drawn: list[DrawnSeries]
) -> ForecastReport:
    """Gather what the report tells."""
    settings, table = run.configuration, run.records["validate"]
    metrics = evaluation.metrics
    facts = [
        ("Panel", run.data or "generated sales"),
        ("Rows", f"{table.rows:,} of which {table.notes['bad_rows']:,} bad"),
        ("Series judged", f"{metrics['series']:,.0f}"),
        ("Horizon", f"{settings.forecast.horizon} steps of {settings.panel.frequency}"),
        ("Season", f"{settings.panel.season} steps"),
        ("Features", f"{bundle.model.n_features_in_}"),
        ("Models", _told_models(bundle, settings.forecast.steps_per_model)),
        ("Started", f"{run.started:%Y-%m-%d %H:%M} UTC"),
        *run.befell(),
    ]
    return ForecastReport(
        title="Demand forecasting",
        subtitle=(
            f"{metrics['series']:,.0f} series judged over their last "
            f"{settings.forecast.horizon} steps"
        ),
        evaluation=evaluation,
        levels=settings.forecast.levels,
        drawn=drawn,
        facts=facts,
        costs=run.records["evaluate"].notes["costs"],
        stages=[
            StageTime(record.name, record.rows, record.bytes, record.seconds, record.state)
            for record in run.records.values()
        ],
        bad_rows=[
            BadRows(reason, rows, next(iter(table.notes["examples"].get(reason, ())), ""))
            for reason, rows in table.notes["reasons"].items()
        ],
        warnings=run.warnings,
        reference=settings.evaluation.reference,
    )


def stock_costs(
    judged: Any, quantiles: tuple[float, ...], costs: StockCosts
) -> list[tuple[str, float, float, float]]:
    """Return each way of ordering, units left over, units missed, and what both would have cost.

    The newsvendor's order is the quantile at which one more unit costs as much as it spares.
    """
    ratio = costs.too_little / (costs.too_little + costs.too_much)
    ways = {"the forecast": "yhat", "seasonal naive": "seasonal_naive"}
    if quantiles:
        nearest = min(quantiles, key=lambda level: abs(level - ratio))
        ways |= {f"the {100 * nearest:g}% quantile": quantile_name(nearest)}
    rows = judged[["y", *ways.values()]].compute().dropna(subset=["y"])
    told = []
    for name, column in ways.items():
        apart = rows[column] - rows["y"]
        left, missed = float(apart.clip(lower=0).sum()), float(-apart.clip(upper=0).sum())
        cost = costs.too_much * left + costs.too_little * missed
        told.append((name, left, missed, cost))
    return told


def chosen_series(
    evaluation: ForecastEvaluation, judged: Any, panel: Any, horizon: int
) -> list[DrawnSeries]:
    """Return the best, the median and the worst series with their past and forecasts."""
    ranked = evaluation.by_series.dropna(subset=["mase"]).sort_values("mase", kind="stable")
    if not len(ranked):
        return []
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    wanted = {name: ranked["unique_id"].iloc[place] for name, place in places.items()}
    names = list(dict.fromkeys(wanted.values()))
    past = panel[panel["unique_id"].isin(names)][["unique_id", "ds", "y"]].compute()
    found = judged[judged["unique_id"].isin(names)].compute()
    drawn = []
    for name, series in wanted.items():
        own = found[found["unique_id"] == series].sort_values("step")
        before = past[(past["unique_id"] == series) & (past["ds"] < own["ds"].iloc[0])]
        history = before.sort_values("ds").tail(PAST * horizon)[["ds", "y"]]
        mase = float(ranked["mase"].iloc[places[name]])
        drawn.append(DrawnSeries(name, str(series), mase, pd.DataFrame(history), own))
    return drawn
