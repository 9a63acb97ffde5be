"""Machines and their lives: tables read as one fleet, the life left at each reading."""

from collections.abc import Sequence
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit import read_table
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.features import cycles_as_times
from dmlkit.model_selection import TrainValidationTest
from dmlkit.scoring import read_renamed
from dmlkit.tables.generate import machine_fleet
from dmlkit.workflows.maintenance_settings import MaintenanceSettings

__all__ = [
    "count_parts",
    "last_moments",
    "predicted",
    "read_fleet",
    "read_given",
    "with_remaining_life",
]


def read_fleet(data: str | None, settings: MaintenanceSettings) -> Any:
    """Read one table of machines, or make one; ``failed`` or ``left_at_end`` tells their ends."""
    names = settings.renamed()
    if data is None:
        table = machine_fleet(**settings.generate.model_dump())
    else:
        table = read_renamed(data, names)
    if "failed" not in table.columns:
        table = table.assign(left_at_end=0.0)
    return cycles_as_times(table.assign(given="all"), "time", settings.target.cycle)


def read_given(data: str | None, settings: MaintenanceSettings) -> Any:
    """Read train and test machines, and what those had left at their end, from a folder's files."""
    if data is None:
        raise ConfigurationError("files.train names a table: say with --data in which folder.")
    folder, files, names = data.rstrip("/"), settings.files, settings.renamed()
    names.pop("failed", None)
    left = _truth(f"{folder}/{files.truth}", files.truth_columns)
    train = read_renamed(f"{folder}/{files.train}", names).assign(left_at_end=0.0)
    test = read_renamed(f"{folder}/{files.test}", names)
    test = test.assign(left_at_end=test["machine_id"].map(left, meta=("left", "float64")))
    parts = [
        part.assign(given=name, machine_id=name + "-" + part["machine_id"].astype("str"))
        for name, part in (("train", train), ("test", test))
    ]  # machines of both tables have the same numbers
    return cycles_as_times(dd.concat(parts), "time", settings.target.cycle)


def _truth(path: str, columns: tuple[str, str]) -> pd.Series:
    truth = read_table(path)
    for name in columns:
        if name not in truth.columns:
            raise MissingColumnError.of(path, name, truth.columns)
    machine, left = columns
    return truth.compute().set_index(machine)[left].astype("float64")


def with_remaining_life(table: Any, cycle: str) -> Any:
    """Add ``remaining``, the cycles left at each reading, and ``is_last``, lazily.

    A machine's life is missing where it still runs at the end of the table. The ends of the
    machines, a number for each, travel to every partition.
    """
    told = "failed" if "failed" in table.columns else "left_at_end"
    ends = table.groupby("machine_id")[["time", told]].max().compute()
    left = ends[told].astype("float64")
    if told == "failed":
        left = left.map({1.0: 0.0})  # the others still run
    if left.notna().sum() == 0:
        raise InputError(
            f"None of {len(ends):,} machines failed (column 'failed'): there is nothing to learn "
            "from. Take a longer period."
        )
    ends = pd.DataFrame({"end": ends["time"], "left": left})
    step = pd.Timedelta(cycle)
    meta = _with_life(table._meta, ends.iloc[:0], step)
    return table.map_partitions(_with_life, dask.delayed(ends), step, meta=meta)


def _with_life(rows: pd.DataFrame, ends: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    own = ends.reindex(rows["machine_id"])
    to_end = (own["end"].to_numpy() - rows["time"].to_numpy()) / step.to_timedelta64()
    remaining = to_end + own["left"].to_numpy()
    kept = rows.drop(columns=["failed", "left_at_end"], errors="ignore")
    return kept.assign(remaining=remaining.astype(np.float64), is_last=to_end == 0)


def last_moments(rows: Any) -> Any:
    """Return the last reading of each machine."""
    return rows[rows["is_last"]]


def count_parts(parts: TrainValidationTest) -> dict[str, dict[str, int]]:
    """Count rows, machines, and readings within the horizon of each part, in one pass.

    Raises
    ------
    InputError
        A part has no machine.
    """
    lazy = {
        name: {
            "rows": part["fails"].count(),
            "machines": part["machine_id"].nunique(),
            "positives": part["fails"].sum(),
        }
        for name, part in parts._asdict().items()
    }
    found = dask.compute(lazy)[0]
    for name, counts in found.items():
        if counts["machines"] == 0:
            raise InputError(
                f"The {name} part has no machine that failed. Give it a larger share, or more "
                "machines."
            )
    return {name: {key: int(value) for key, value in each.items()} for name, each in found.items()}


def predicted(rows: Any, model: Any, names: Sequence[str], cap: float) -> Any:
    """Return keys, truth and prediction of rows, lazily; predictions lie between 0 and the cap."""
    kept = ["machine_id", "time", "remaining", "capped", "fails"]
    meta = rows._meta[kept].assign(prediction=0.0)
    return rows.map_partitions(_predicted, model, list(names), kept, cap, meta=meta)


def _predicted(
    rows: pd.DataFrame, model: Any, names: list[str], kept: list[str], cap: float
) -> pd.DataFrame:
    prediction = model.predict(rows[names]).to_numpy(np.float64).clip(0, cap)
    return rows[kept].assign(prediction=prediction)
