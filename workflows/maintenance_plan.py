"""What the maintenance job takes of workers and disks, told from its tables' metadata alone."""

from dataclasses import dataclass, replace
from math import ceil

import pandas as pd

from dmlkit.boosting.memory import TableSize
from dmlkit.boosting.memory_check import plan_on_workers
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.errors import ConfigurationError
from dmlkit.features import cycles_as_times
from dmlkit.scoring import read_renamed
from dmlkit.tables.check import good_rows_meta
from dmlkit.tables.facts import table_facts
from dmlkit.tables.generate import machine_fleet
from dmlkit.tables.partition_size import bytes_per_row
from dmlkit.workflow import StagePlan
from dmlkit.workflow.planning import (
    PlannedTable,
    check_stage,
    reading_stage,
    shuffling_stage,
    training_stage,
)
from dmlkit.workflows.maintenance_settings import MaintenanceSettings

__all__ = ["plan_maintenance"]

#: Readings of a generated machine.
ROWS_A_MACHINE = 200

#: Bytes of a scored row: machine and part as text, and seven numbers.
SCORED = 24 + 24 + 7 * 8


@dataclass(frozen=True)
class _Source:
    """The table that is read, and how many rows of it each part of the split gets."""

    table: PlannedTable
    meta: pd.DataFrame
    parts: dict[str, int]
    exact: bool


def plan_maintenance(
    settings: MaintenanceSettings, data: str | None, there: WorkerSizes
) -> tuple[list[StagePlan], bool]:
    """Return the plan of each stage, and whether rows are counted and not estimated.

    All machines are taken for such as failed: those that still run are left out of training.
    """
    source = _source(settings, data)
    parts = source.parts
    numbered = pd.api.types.is_any_real_numeric_dtype(source.meta["machine_id"].dtype)
    schema = settings.features.schema_for("int64" if numbered else "string")
    checked = good_rows_meta(source.meta, schema, data).drop(
        columns=["failed", "left_at_end"], errors="ignore"
    )
    with_life = checked.assign(remaining=0.0, is_last=False)
    feature_set = settings.features.feature_set(settings.target.cycle)
    shuffles, featured = feature_set.plan(with_life, source.table.partitions)
    row = bytes_per_row(featured.assign(capped=0.0, fails=pd.Series([], dtype="int8")))
    made = PlannedTable.even(source.table.rows, row, shuffles[-1].partitions, source.table.packed)
    kept = made.kept()
    features = len(feature_set.get_feature_names_out())
    # The last training is on the machines that were watched, too.
    trained = TableSize(parts["train"] + parts["validation"], features, kept.partitions)
    training = plan_on_workers([trained], settings.model.model_dump(), there)
    scored = kept.some(sum(parts.values()), SCORED)
    stages = [
        check_stage("validate", there, source.table, unique=True),
        shuffling_stage("features", there, source.table, shuffles, made),
        reading_stage("split", there, kept, gives=replace(kept, rows=scored.rows)),
        training_stage("train", there, kept, training),
        reading_stage("score", there, kept, gives=scored, written=scored.written),
        reading_stage("evaluate", there, kept, gives=scored.some(parts["test"])),
        reading_stage("publish", there, scored, written=scored.written),
    ]
    return stages, source.exact


def _source(settings: MaintenanceSettings, data: str | None) -> _Source:
    cycle, files, names = settings.target.cycle, settings.files, settings.renamed()
    if files.train is not None:
        return _given(settings, data)
    if data is None:
        made = machine_fleet(**settings.generate.model_dump())
        meta, exact = made._meta, False
        rows = settings.generate.machines * ROWS_A_MACHINE
        table = PlannedTable.even(rows, bytes_per_row(meta), made.npartitions)
    else:
        facts = table_facts(read_renamed(data, names))
        table, meta, exact = PlannedTable.of(facts), facts.meta, facts.exact
    meta = cycles_as_times(meta.assign(given=pd.Series([], dtype="str")), "time", cycle)
    shares = settings.split
    test, watched = ceil(table.rows * shares.test_share), table.rows * shares.validation_share
    parts = {
        "train": table.rows - test - ceil(watched),
        "validation": ceil(watched),
        "test": test,
    }
    return _Source(table, meta, parts, exact)


def _given(settings: MaintenanceSettings, data: str | None) -> _Source:
    """Look at tables of train and test machines; of the latter only the last rows are judged."""
    if data is None:
        raise ConfigurationError("files.train names a table: say with --data in which folder.")
    folder, files, names = data.rstrip("/"), settings.files, settings.renamed()
    names.pop("failed", None)
    train, test = (
        table_facts(read_renamed(f"{folder}/{name}", names)) for name in (files.train, files.test)
    )
    meta = train.meta.assign(given=pd.Series([], dtype="str"), left_at_end=0.0)
    meta["machine_id"] = meta["machine_id"].astype("str")
    watched = ceil(train.rows * settings.split.validation_share)
    parts = {"train": train.rows - watched, "validation": watched, "test": test.rows}
    meta = cycles_as_times(meta, "time", settings.target.cycle)
    return _Source(PlannedTable.of(train, test), meta, parts, train.exact and test.exact)
