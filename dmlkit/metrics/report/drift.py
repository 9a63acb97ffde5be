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


class DriftRow(NamedTuple):
    """A column as a line of the table; the bar's width is in percent."""

    column: str
    verdict: str
    psi: str
    width: float
    ks: str
    missing: str
    new_levels: str


def write_drift_report(
    path: str | os.PathLike[str], found: pd.DataFrame, before: str, after: str
) -> None:
    """Write the report on what `compare_tables` found, whole or not at all.

    Parameters
    ----------
    path : path
    found : pandas.DataFrame
    before, after : str
        What the tables are called.

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
    )
