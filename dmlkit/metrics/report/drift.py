"""The report on how a table has changed: one HTML file, like that of a job."""

import os
from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dmlkit.metrics.report.page import template, write_page
from dmlkit.metrics.report.wording import decimals, percent

__all__ = ["write_drift_report"]


#: Columns whose seasons are shown, the most changed ones.
MOST_COLUMNS = 40


class DriftRow(NamedTuple):
    """A column as a line of the table; the bar's width is in percent.

    `as_is` and `worst` are only there where seasons were compared.
    """

    column: str
    verdict: str
    psi: str
    width: float
    ks: str
    missing: str
    new_levels: str
    as_is: str
    worst: str


class SeasonCell(NamedTuple):
    """A column in a season: the figure, how it is judged, and of how many rows it is told."""

    psi: str
    verdict: str
    told: str


class SeasonRow(NamedTuple):
    """A column in all seasons."""

    column: str
    cells: list[SeasonCell]


def write_drift_report(
    path: str | os.PathLike[str],
    found: pd.DataFrame,
    before: str,
    after: str,
    *,
    seasons: pd.DataFrame | None = None,
    left_out: float = 0.0,
) -> None:
    """Write the report on what tables differ by, whole or not at all.

    Parameters
    ----------
    path : path
    found : pandas.DataFrame
        Of `compare_tables`, or the ``columns`` of `compare_seasons`.
    before, after : str
        What the tables are called.
    seasons, left_out
        Of `compare_seasons`.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    counts = found["verdict"].value_counts()
    page = template("drift.html").render(
        before=before,
        after=after,
        rows=[_row(row) for row in found.to_dict("records")],
        shifted=int(counts.get("shifted", 0)),
        changed=int(counts.get("changed", 0)),
        seasons=[] if seasons is None else list(dict.fromkeys(seasons["season"])),
        by_season=[] if seasons is None else _by_season(found["column"], seasons),
        within=0 if seasons is None else _shifted_within(found, seasons),
        left_out=percent(left_out) if left_out else "",
        version=metadata.version("dmlkit"),
    )
    write_page(path, page)


def _row(row: Mapping[Any, Any]) -> DriftRow:
    return DriftRow(
        column=str(row["column"]),
        verdict=row["verdict"],
        psi=decimals(row["psi"]),
        width=round(float(min(100, 100 * row["psi"])), 2) if np.isfinite(row["psi"]) else 0.0,
        ks=decimals(row["ks"]),
        missing=f"{percent(row['missing_before'])} to {percent(row['missing_after'])}",
        new_levels=percent(row["new_levels"]) if row["new_levels"] else "",
        as_is=decimals(row["psi_as_is"]) if "psi_as_is" in row else "",
        worst=f"{row['worst_season']}, {decimals(row['worst_psi'])}"
        if row.get("worst_season")
        else "",
    )


def _shifted_within(found: pd.DataFrame, seasons: pd.DataFrame) -> int:
    """Count the columns that are stable over all, and not so in a season."""
    stable = found.loc[found["verdict"] == "stable", "column"]
    shifted = seasons.loc[seasons["verdict"] == "shifted", "column"]
    return int(stable.isin(shifted).sum())


def _by_season(columns: pd.Series, seasons: pd.DataFrame) -> list[SeasonRow]:
    cells = {(row["column"], row["season"]): _cell(row) for row in seasons.to_dict("records")}
    names = list(dict.fromkeys(seasons["season"]))
    return [
        SeasonRow(column, [cells[column, season] for season in names])
        for column in columns.head(MOST_COLUMNS)
    ]


def _cell(row: Mapping[Any, Any]) -> SeasonCell:
    told = f"{row['rows_before']:,} rows before, {row['rows_after']:,} after"
    if not np.isfinite(row["psi"]):
        return SeasonCell("", "", told)
    return SeasonCell(f"{row['psi']:.2f}", row["verdict"], told)
