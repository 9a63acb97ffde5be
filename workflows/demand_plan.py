"""What the demand job takes of workers and disks, told from the table's metadata alone."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import pandas as pd

from dmlkit.boosting.memory import TableSize
from dmlkit.boosting.memory_check import plan_on_workers
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.features.by_entity import ShufflePlan
from dmlkit.forecasting.frequency import Frequency
from dmlkit.scoring import read_renamed
from dmlkit.tables.check import good_rows_meta
from dmlkit.tables.facts import table_facts
from dmlkit.tables.generate import retail_demand
from dmlkit.tables.partition_size import bytes_per_row
from dmlkit.workflow import StagePlan
from dmlkit.workflow.planning import (
    PlannedTable,
    check_stage,
    reading_stage,
    shuffling_stage,
    training_stage,
)
from dmlkit.workflows.demand_settings import DemandSettings, column_kinds

__all__ = ["plan_demand"]

#: Bytes of a forecast in a backtest: its keys, scales, baselines and window, and each prediction.
FORECAST, PREDICTION = 12 * 8, 8


@dataclass(frozen=True)
class _Source:
    """The panel that is read, and how many series it has."""

    table: PlannedTable
    meta: pd.DataFrame
    series: int
    exact: bool


def plan_demand(
    settings: DemandSettings, data: str | None, there: WorkerSizes
) -> tuple[list[StagePlan], bool]:
    """Return the plan of each stage, and whether rows are counted and not estimated.

    How many series there are is told by the rows and by the steps from the first time to the last;
    where times are not known, all may be as short as can be trained on. Gaps are not known: a
    panel with many of them is larger than this tells, once they are filled.
    """
    generated = data is None
    source = _generated(settings) if data is None else _read(settings, data)
    table, forecaster = source.table, settings.forecaster(generated)
    known, static = settings.features.columns(generated)
    schema = settings.validation.schema_for(column_kinds(source.meta), known, static)
    row = bytes_per_row(good_rows_meta(source.meta, schema, data))
    gathered = ShufflePlan(("unique_id",), row, row, table.partitions, source.meta)
    panel = PlannedTable.even(table.rows, row, table.partitions, table.packed)
    kept = panel.kept()
    names = forecaster.design.names
    rows_seen = kept.some(kept.rows, 8 * (len(names) + 2))  # with target and weight
    quantiles = len(forecaster.quantiles)
    parameters = settings.model.regressor().get_params()
    size = TableSize(table.rows, len(names), kept.partitions)
    training = plan_on_workers([size], parameters, there, outputs=max(quantiles, 1))
    origins = settings.backtest.calibration_windows + 1
    row_of_forecast = FORECAST + PREDICTION * (1 + quantiles)
    ahead = source.series * settings.forecast.horizon
    judged = PlannedTable.even(ahead * origins, row_of_forecast, kept.partitions * origins)
    forecasts = PlannedTable.even(ahead, row_of_forecast, kept.partitions)
    fitting = training_stage("train", there, rows_seen, training)
    stages = [
        check_stage("validate", there, table, unique=True),
        shuffling_stage("panel", there, table, [gathered], panel),
        replace(
            fitting,
            name="backtest",
            rows=judged.rows,
            partitions=judged.partitions,
            partition_bytes=judged.largest,
            written=judged.written,
        ),
        reading_stage("evaluate", there, kept, gives=judged.some(ahead)),
        fitting,
        reading_stage("forecast", there, kept, gives=forecasts, written=forecasts.written),
        reading_stage("publish", there, forecasts, written=forecasts.written),
    ]
    return stages, source.exact


def _read(settings: DemandSettings, data: str) -> _Source:
    names = settings.columns_read(generated=False)
    facts = table_facts(read_renamed(data, names, as_text=True), time=names["ds"])
    series = _series(settings, facts.rows, facts.period)
    return _Source(PlannedTable.of(facts), facts.meta, series, facts.exact)


def _series(settings: DemandSettings, rows: int, period: tuple[Any, Any] | None) -> int:
    backtest, horizon = settings.backtest, settings.forecast.horizon
    steps = settings.features.min_history + horizon * (backtest.calibration_windows + 1)
    if period is not None:
        first, last = Frequency(settings.panel.frequency).steps(_times(period))
        steps = round(last - first) + 1
    return ceil(rows / max(steps, 1))


def _times(period: tuple[Any, Any]) -> pd.Series:
    times = pd.Series(period)
    return times.astype("datetime64[us]") if times.dtype.kind == "M" else times


def _generated(settings: DemandSettings) -> _Source:
    sizes = settings.generate.model_dump()
    sizes["days"] += settings.forecast.horizon
    made = retail_demand(**sizes)[list(settings.columns_read(generated=True))]
    meta = made._meta.astype({"y": "float64"})
    series = sizes["items"] * sizes["shops"]
    rows = series * sizes["days"]
    return _Source(
        PlannedTable.even(rows, bytes_per_row(meta), made.npartitions), meta, series, exact=False
    )
