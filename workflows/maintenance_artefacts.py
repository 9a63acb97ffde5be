"""What the predictive-maintenance job leaves behind: metrics, report, bundle and scores."""

from dataclasses import replace
from typing import Any

import pandas as pd

from dmlkit.boosting import Bundle, FeatureInteractions, save_bundle
from dmlkit.metrics import AlarmEvaluation, BinaryEvaluation
from dmlkit.metrics.report import BadRows, ReportInputs, StageTime, write_report
from dmlkit.metrics.report.remaining_life import alarm_chart, life_chart
from dmlkit.tables import write_table
from dmlkit.workflow import Run, write_json

__all__ = ["write_artefacts"]

Lives = dict[str, tuple[dict[str, float], dict[str, tuple[float, float]]]]


def write_artefacts(
    run: Run,
    bundle: Bundle,
    scores: Any,
    lives: Lives,
    risk: BinaryEvaluation,
    alarms: AlarmEvaluation | None,
    points: pd.DataFrame,
    importance: pd.DataFrame,
    interactions: FeatureInteractions,
) -> None:
    """Write the artefacts into the run's staging folder."""
    metrics = flat_metrics(run, bundle, lives, risk, alarms)
    write_json(run.staging / "metrics.json", metrics)
    write_table(scores, run.table("scores"))
    save_bundle(run.staging / "model", replace(bundle, metrics=metrics))
    inputs = report_inputs(run, bundle, metrics, risk, alarms, points, importance, interactions)
    write_report(run.staging / "report.html", inputs)


def flat_metrics(
    run: Run,
    bundle: Bundle,
    lives: Lives,
    risk: BinaryEvaluation,
    alarms: AlarmEvaluation | None,
) -> dict[str, float]:
    """Return all figures in one flat dictionary, as ``metrics.json`` has them."""
    metrics: dict[str, float] = {}
    for suffix, (values, intervals) in lives.items():
        for name, value in values.items():
            metrics[f"test.{name}{suffix}"] = value
            if name in intervals:
                low, high = intervals[name]
                metrics |= {f"test.{name}{suffix}.low": low, f"test.{name}{suffix}.high": high}
    metrics |= {f"test.{name}": value for name, value in risk.metrics.items()}
    for name, (low, high) in risk.intervals.items():
        metrics |= {f"test.{name}.low": low, f"test.{name}.high": high}
    if alarms is not None:
        place = alarms.at(bundle.flagged_from())
        metrics["test.cost_per_machine"] = float(alarms.cost[place])
        metrics["test.cost_without_alarms"] = run.configuration.costs.late
        metrics["test.machines_failed"] = float(alarms.failed[place])
    for name, counts in run.records["split"].notes["parts"].items():
        metrics |= {f"{name}.{key}": count for key, count in counts.items()}
    validated = run.records["validate"]
    metrics |= {"table.rows": validated.rows or 0, "table.bad_rows": validated.notes["bad_rows"]}
    return metrics | {"threshold": bundle.flagged_from()}


def report_inputs(
    run: Run,
    bundle: Bundle,
    metrics: dict[str, float],
    risk: BinaryEvaluation,
    alarms: AlarmEvaluation | None,
    points: pd.DataFrame,
    importance: pd.DataFrame,
    interactions: FeatureInteractions,
) -> ReportInputs:
    """Gather what the report tells."""
    table, parts = run.records["validate"], run.records["split"].notes["parts"]
    target, trained = run.configuration.target, run.records["train"].notes
    charts = [life_chart(points, target.cap)]
    if alarms is not None:
        charts.append(alarm_chart(alarms, bundle.flagged_from()))
    facts = [
        ("Table", run.data or "generated fleet"),
        ("Readings", f"{table.rows:,} of which {table.notes['bad_rows']:,} bad"),
        *((f"Machines to {name}", f"{counts['machines']:,}") for name, counts in parts.items()),
        ("Split", "by machine: all readings of one are on one side"),
        ("Trained on", f"{trained['device']}: {trained['why']}"),
        ("Started", f"{run.started:%Y-%m-%d %H:%M} UTC"),
        *run.befell(),
    ]
    return ReportInputs(
        title="Predictive maintenance",
        subtitle=f"{risk.rows:,} readings of machines judged, {risk.positives:,} of them within "
        f"{target.horizon:g} cycles of a failure",
        facts=facts,
        summary=in_plain_words(run, metrics),
        evaluation=risk,
        charts={"Life left": charts},
        importance=importance,
        interactions=interactions.pairs,
        interaction_points=interactions.points,
        stages=[
            StageTime(record.name, record.rows, record.bytes, record.seconds, record.state)
            for record in run.records.values()
        ],
        bad_rows=[BadRows(reason, rows) for reason, rows in table.notes["reasons"].items()],
        warnings=run.warnings,
        learning_curve=trained["learning_curve"],
        reference=run.configuration.evaluation.reference,
        positives="failures",
    )


def in_plain_words(run: Run, metrics: dict[str, float]) -> list[str]:
    """Say what the predictions are worth."""
    cap = run.configuration.target.cap
    told = [
        f"The life left is off by {metrics['test.rmse_capped']:.1f} cycles (root mean square, "
        f"where lives above {cap:g} count as {cap:g}), and by {metrics['test.rmse']:.1f} against "
        "the whole truth."
    ]
    if "test.cost_per_machine" in metrics:
        told.append(
            f"With alarms at the chosen threshold a machine costs "
            f"{metrics['test.cost_per_machine']:.1f}, where running to failure costs "
            f"{metrics['test.cost_without_alarms']:.1f}; {metrics['test.machines_failed']:.0%} of "
            "the machines still fail."
        )
    return told
