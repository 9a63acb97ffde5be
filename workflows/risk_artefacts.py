"""What the patient-risk job leaves behind: metrics, the report, the bundle and the scores."""

from dataclasses import replace
from typing import Any

import pandas as pd

from dmlkit.boosting import Bundle, save_bundle
from dmlkit.metrics import BinaryEvaluation
from dmlkit.metrics.report import BadRows, ReportInputs, StageTime, write_report
from dmlkit.tables import write_table
from dmlkit.workflow import Run, write_json

__all__ = ["write_artefacts"]

BESIDE = "logistic regression"


def write_artefacts(
    run: Run,
    bundle: Bundle,
    scores: Any,
    evaluation: BinaryEvaluation,
    beside: BinaryEvaluation,
    groups: pd.DataFrame,
    importance: pd.DataFrame,
    pairs: pd.DataFrame,
) -> None:
    """Write the artefacts into the run's staging folder."""
    metrics = flat_metrics(run, bundle, evaluation, beside)
    write_json(run.staging / "metrics.json", metrics)
    write_table(scores, run.table("scores"))
    save_bundle(run.staging / "model", replace(bundle, metrics=metrics))
    inputs = report_inputs(run, evaluation, beside, groups, importance, pairs)
    write_report(run.staging / "report.html", inputs)


def flat_metrics(
    run: Run, bundle: Bundle, evaluation: BinaryEvaluation, beside: BinaryEvaluation
) -> dict[str, float]:
    """Return all figures in one flat dictionary, as ``metrics.json`` has them."""
    metrics: dict[str, float] = {}
    for prefix, judged in (("test", evaluation), ("logistic_regression", beside)):
        metrics |= {f"{prefix}.{name}": value for name, value in judged.metrics.items()}
        for name, (low, high) in judged.intervals.items():
            metrics |= {f"{prefix}.{name}.low": low, f"{prefix}.{name}.high": high}
    for name, counts in run.records["split"].notes["parts"].items():
        metrics |= {f"{name}.rows": counts["rows"], f"{name}.positives": counts["positives"]}
    validated = run.records["validate"]
    metrics |= {"table.rows": validated.rows or 0, "table.bad_rows": validated.notes["bad_rows"]}
    return metrics | {"threshold": bundle.flagged_from()}


def report_inputs(
    run: Run,
    evaluation: BinaryEvaluation,
    beside: BinaryEvaluation,
    groups: pd.DataFrame,
    importance: pd.DataFrame,
    pairs: pd.DataFrame,
) -> ReportInputs:
    """Gather what the report tells."""
    table, parts = run.records["validate"], run.records["split"].notes["parts"]
    trained = run.records["train"].notes
    facts = [
        ("Table", run.data or "generated stays"),
        ("Stays", f"{table.rows:,} of which {table.notes['bad_rows']:,} bad"),
        *((f"Stays to {name}", f"{counts['rows']:,}") for name, counts in parts.items()),
        ("Split", "by patient: all stays of one are on one side"),
        ("Started", f"{run.started:%Y-%m-%d %H:%M} UTC"),
        *run.befell(),
    ]
    return ReportInputs(
        title="Risk of readmission",
        subtitle=f"{evaluation.rows:,} stays judged, {evaluation.positives:,} followed by another "
        "within 30 days",
        facts=facts,
        summary=in_plain_words(run, evaluation),
        evaluation=evaluation,
        beside={BESIDE: beside.metrics},
        groups=groups.assign(column=groups["column"].str.removeprefix("group_")),
        importance=importance,
        interactions=pairs,
        stages=[
            StageTime(record.name, record.rows, record.bytes, record.seconds, record.state)
            for record in run.records.values()
        ],
        bad_rows=[BadRows(reason, rows) for reason, rows in table.notes["reasons"].items()],
        warnings=run.warnings,
        learning_curve=trained["learning_curve"],
        reference=run.configuration.evaluation.reference,
        positives="readmissions",
    )


def in_plain_words(run: Run, evaluation: BinaryEvaluation) -> list[str]:
    """Say what the score does for a ward, in natural frequencies.

    Of 100 patients, which a reader can picture, not in rates.
    """
    share = run.configuration.capacity.share
    metrics = evaluation.metrics
    base = evaluation.positives / evaluation.rows
    found, right = metrics["recall"], metrics["precision"]
    return [
        f"Of 1,000 patients who go home, {1000 * base:.0f} are back within 30 days. There is time "
        f"to follow up {1000 * share:.0f} of them.",
        f"Among the {1000 * share:.0f} with the highest risk, about "
        f"{1000 * share * right:.0f} come back; among as many picked by chance it would be "
        f"{1000 * share * base:.0f}. So {100 * found:.0f} of 100 readmissions are in reach, and "
        f"{100 - 100 * found:.0f} are not.",
        "The score tells who needs a closer look. It does not tell why, nor that a follow-up will "
        "help, and it must not be a reason to care less for those with a low score.",
    ]
