"""What the fraud job leaves behind: metrics, the report, the bundle and the scores."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from dmlkit.boosting import Bundle, FeatureInteractions, save_bundle
from dmlkit.metrics import BinaryEvaluation
from dmlkit.metrics.report import BadRows, Period, ReportInputs, StageTime, write_report
from dmlkit.tables import write_table
from dmlkit.workflow import Run, write_json

__all__ = ["write_artefacts"]


def write_artefacts(
    run: Run,
    bundle: Bundle,
    scores: Any,
    evaluation: BinaryEvaluation,
    importance: pd.DataFrame,
    interactions: FeatureInteractions,
) -> None:
    """Write the artefacts into the run's staging folder."""
    metrics = flat_metrics(run, bundle, evaluation)
    write_json(run.staging / "metrics.json", metrics)
    write_table(scores, run.table("scores"))
    save_bundle(run.staging / "model", replace(bundle, metrics=metrics))
    inputs = report_inputs(run, evaluation, importance, interactions)
    write_report(run.staging / "report.html", inputs)


def flat_metrics(run: Run, bundle: Bundle, evaluation: BinaryEvaluation) -> dict[str, float]:
    """Return all figures in one flat dictionary, as ``metrics.json`` has them."""
    metrics: dict[str, float] = {f"test.{name}": v for name, v in evaluation.metrics.items()}
    for name, (low, high) in evaluation.intervals.items():
        metrics |= {f"test.{name}.low": low, f"test.{name}.high": high}
    for period in run.records["split"].notes["periods"]:
        if period["name"] != "delay":
            metrics[f"{period['name']}.rows"] = period["rows"]
            metrics[f"{period['name']}.positives"] = period["positives"]
    validated = run.records["validate"]
    metrics |= {"table.rows": validated.rows or 0, "table.bad_rows": validated.notes["bad_rows"]}
    return metrics | {"threshold": bundle.flagged_from()}


def report_inputs(
    run: Run,
    evaluation: BinaryEvaluation,
    importance: pd.DataFrame,
    interactions: FeatureInteractions,
) -> ReportInputs:
    """Gather what the report tells."""
    table, trained = run.records["validate"], run.records["train"].notes
    facts = [
        ("Table", run.data or "generated card transactions"),
        ("Rows", f"{table.rows:,} of which {table.notes['bad_rows']:,} bad"),
        ("From - to", f"{table.notes['first']} - {table.notes['last']}"),
        ("Features", f"{len(run.records['features'].notes['names'])}"),
        ("Trained on", f"{trained['device']}: {trained['why']}"),
        ("Started", f"{run.started:%Y-%m-%d %H:%M} UTC"),
        *run.befell(),
    ]
    return ReportInputs(
        title="Fraud detection",
        subtitle=f"{evaluation.rows:,} transactions judged, {evaluation.positives:,} fraudulent",
        facts=facts,
        periods=[_period(period) for period in run.records["split"].notes["periods"]],
        evaluation=evaluation,
        importance=importance,
        interactions=interactions.pairs,
        interaction_points=interactions.points,
        stages=[
            StageTime(record.name, record.rows, record.bytes, record.seconds, record.state)
            for record in run.records.values()
        ],
        bad_rows=_bad_rows(table.notes),
        warnings=run.warnings,
        learning_curve=trained["learning_curve"],
        reference=run.configuration.evaluation.reference,
        costs=run.configuration.costs.costs(),
        positives="frauds",
    )


def _period(period: dict[str, Any]) -> Period:
    start, end = (datetime.fromisoformat(period[key]) for key in ("start", "end"))
    return Period(period["name"], start, end, period["rows"], period["positives"])


def _bad_rows(notes: dict[str, Any]) -> list[BadRows]:
    examples = notes["examples"]
    return [
        BadRows(reason, rows, next(iter(examples.get(reason, ())), ""))
        for reason, rows in notes["reasons"].items()
    ]
