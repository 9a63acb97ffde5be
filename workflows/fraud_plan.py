"""What the fraud job takes of workers and disks, told from the table's metadata alone."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

import pandas as pd

from dmlkit.boosting.memory import TableSize
from dmlkit.boosting.memory_check import plan_on_workers
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.errors import InputError
from dmlkit.features import FeatureSet
from dmlkit.scoring import read_renamed
from dmlkit.tables.check import good_rows_meta
from dmlkit.tables.facts import TableFacts, table_facts
from dmlkit.tables.generate import card_transactions
from dmlkit.tables.partition_size import bytes_per_row
from dmlkit.workflow import StagePlan
from dmlkit.workflow.planning import (
    PlannedTable,
    check_stage,
    reading_stage,
    shuffling_stage,
    training_stage,
)
from dmlkit.workflows.fraud_settings import FraudSettings, identifier_types

__all__ = ["plan_fraud"]

#: Rows that a generated customer makes in a day.
ROWS_A_DAY = 1.95

#: Bytes of a scored row: the five keys, the label, the score and the part.
SCORED = 8 * 5 + 1 + 4 + 8


@dataclass(frozen=True)
class _Input:
    """The table that is read, and how many rows of it each part of the split gets."""

    table: PlannedTable
    meta: pd.DataFrame
    parts: dict[str, int]
    exact: bool


def plan_fraud(
    settings: FraudSettings, data: str | None, there: WorkerSizes
) -> tuple[list[StagePlan], bool]:
    """Return the plan of each stage, and whether rows are counted and not estimated."""
    source = _generated(settings) if data is None else _read(settings, data)
    feature_set = FeatureSet.from_dict({"steps": settings.features})
    shuffles, featured = feature_set.plan(source.meta, source.table.partitions)
    partitions = shuffles[-1].partitions if shuffles else source.table.partitions
    made = PlannedTable.even(
        source.table.rows, bytes_per_row(featured), partitions, source.table.packed
    )
    kept = made.kept()
    features = len(feature_set.get_feature_names_out())
    parts = source.parts
    tables = [
        TableSize(parts[name], features, kept.partitions)
        for name in ("train", "validation")
        if name in parts
    ]
    scored = kept.some(sum(parts.values()), SCORED)
    training = plan_on_workers(tables, settings.model.model_dump(), there)
    stages = [
        check_stage("validate", there, source.table, unique=True),
        shuffling_stage("features", there, source.table, shuffles, made),
        reading_stage("split", there, kept, gives=replace(kept, rows=scored.rows)),
        training_stage("train", there, kept, training),
        reading_stage(
            "score", there, kept, gives=scored, held=scored.on_one(there), written=scored.written
        ),
        reading_stage("evaluate", there, kept, gives=scored.some(parts["test"])),
        reading_stage("publish", there, scored, written=scored.written),
    ]
    return stages, source.exact


def _read(settings: FraudSettings, data: str) -> _Input:
    names = settings.columns.model_dump()
    types = identifier_types(read_renamed(data, names))
    facts = table_facts(read_renamed(data, names, as_text=True), time=names["time"])
    meta = good_rows_meta(facts.meta, settings.validation.schema_for(types), data)
    return _Input(PlannedTable.of(facts), meta, _parts(settings, facts), facts.exact)


def _parts(settings: FraudSettings, facts: TableFacts) -> dict[str, int]:
    """Return the rows of train, validation and test; all of them for each where it is not known."""
    if facts.period is None:
        names = ["train", "test", *(["validation"] if settings.split.validation_days else [])]
        return dict.fromkeys(names, facts.rows)
    first, last = facts.period
    try:
        split = settings.split.periods(str(first), str(last))
    except InputError:  # the job itself tells of it, better
        return {"train": facts.rows, "test": facts.rows}
    periods = {name: (_naive(start), _naive(end)) for name, start, end in split.periods()}
    return {
        name: facts.rows_between(start, end)
        for name, (start, end) in periods.items()
        if name != "delay"
    }


def _naive(moment: pd.Timestamp) -> datetime:
    return moment.tz_localize(None).to_pydatetime() if moment.tzinfo else moment.to_pydatetime()


def _generated(settings: FraudSettings) -> _Input:
    made = card_transactions(**settings.generate.model_dump())
    rows = ceil(ROWS_A_DAY * settings.generate.customers * settings.generate.days)
    days = settings.split.model_dump()
    share = {
        "train": days["train_days"] - days["validation_days"],
        "validation": days["validation_days"],
        "test": days["test_days"],
    }
    parts = {
        name: ceil(rows * count / settings.generate.days) for name, count in share.items() if count
    }
    meta = good_rows_meta(made._meta, settings.validation.schema_for(identifier_types(made)))
    table = PlannedTable.even(rows, bytes_per_row(made._meta), made.npartitions)
    return _Input(table, meta, parts, exact=False)
