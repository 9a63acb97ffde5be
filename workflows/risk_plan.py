"""What the patient-risk job takes of workers and disks, told from the table's metadata alone."""

from dataclasses import replace
from math import ceil

from dmlkit.boosting.memory import TableSize
from dmlkit.boosting.memory_check import plan_on_workers
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.scoring import read_renamed
from dmlkit.tables.facts import table_facts
from dmlkit.tables.generate import patient_stays
from dmlkit.tables.partition_size import bytes_per_row
from dmlkit.workflow import StagePlan
from dmlkit.workflow.planning import PlannedTable, check_stage, reading_stage, training_stage
from dmlkit.workflows.risk_settings import Features, RiskSettings

__all__ = ["plan_risk"]

#: Rows of a generated patient.
ROWS_A_PATIENT = 1.6

#: How many levels a category has: metadata do not tell, and rare ones have no column of their own.
LEVELS = 10

#: Bytes of a text, and of what is kept of each row besides features: part, label, block.
TEXT, ROW = 24, 24 + 1 + 2

#: Bytes of two scores.
SCORES = 2 * 8


def plan_risk(
    settings: RiskSettings, data: str | None, there: WorkerSizes
) -> tuple[list[StagePlan], bool]:
    """Return the plan of each stage, and whether rows are counted and not estimated.

    What one column for each level makes of a category is reckoned with ten levels.
    """
    table, exact = _source(settings, data)
    shares = settings.split
    test, watched = ceil(table.rows * shares.test_share), ceil(table.rows * shares.validation_share)
    parts = {"train": table.rows - test - watched, "validation": watched, "test": test}
    beside = ROW + TEXT * len(settings.evaluation.groups)
    features, linear, encoded = _encoded(settings.features)
    # Each part of the split has all partitions of the table, with its own rows of them.
    largest = table.some(table.rows, beside + encoded).largest
    share = max(parts.values()) / max(table.rows, 1)
    prepared = replace(
        table,
        row=beside + encoded,
        partitions=table.partitions * len(parts),
        largest=ceil(largest * share),
    )
    kept = prepared.kept()
    tables = [TableSize(parts[name], features, kept.partitions) for name in ("train", "validation")]
    training = plan_on_workers(tables, settings.model.model_dump(), there)
    scored = kept.some(kept.rows, beside + SCORES)
    published = scored.some(scored.rows, TEXT + 1 + SCORES)
    stages = [
        check_stage("validate", there, table, unique=True),
        reading_stage("split", there, table),
        reading_stage("prepare", there, table, gives=prepared, written=prepared.written),
        training_stage("train", there, kept, training),
        reading_stage(
            "score",
            there,
            kept,
            gives=scored,
            held=8 * linear * parts["train"] // there.workers,  # rows of the regression beside it
            written=scored.written,
        ),
        reading_stage("evaluate", there, kept, gives=scored.some(parts["test"])),
        reading_stage("publish", there, scored, written=published.written),
    ]
    return stages, exact


def _source(settings: RiskSettings, data: str | None) -> tuple[PlannedTable, bool]:
    names = settings.renamed()
    if data is not None:
        facts = table_facts(read_renamed(data, names))
        return PlannedTable.of(facts), facts.exact
    made = patient_stays(**settings.generate.model_dump())
    rows = ceil(settings.generate.patients * ROWS_A_PATIENT)
    row = bytes_per_row(made._meta[list(names)])
    return PlannedTable.even(rows, row, made.npartitions), False


def _encoded(features: Features) -> tuple[int, int, int]:
    """Return the features of the trees and of the regression, and the bytes of a row with both."""
    numbers, ordered = len(features.numbers), len(features.ordered)
    categories, codes = len(features.categories), len(features.codes)
    of_trees = numbers + ordered + LEVELS * categories + categories + codes
    linear = numbers + LEVELS * (ordered + categories) + codes
    levels = LEVELS * (ordered + 2 * categories)  # a byte each
    values = 2 * numbers + ordered + categories + 2 * codes
    return of_trees, linear, 8 * values + levels
