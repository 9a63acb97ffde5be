"""Errors of forecasts by series, by step and by group, from the sums that `metrics` takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.features.step import check_columns
from dmlkit.forecasting.intervals import FORECAST
from dmlkit.forecasting.panel import SERIES

__all__ = ["BASELINES", "by_group", "by_series", "by_step", "per_row"]

BASELINES = ("seasonal_naive", "naive2")

GROUP_COLUMNS = (
    *("column", "group", "series", "rows"),
    *("smape", "mase", "rmsse", "wape", "bias", "mase_seasonal_naive", "lost"),
)


def by_series(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of each series."""
    table = {
        SERIES: sums.index,
        "rows": sums["rows"].to_numpy().astype(int),
        "smape": (sums[f"smape.{FORECAST}"] / sums["rows"]).to_numpy(),
        "mase": per_row(sums, f"scaled.{FORECAST}", "scaled_rows").to_numpy(),
        "rmsse": np.sqrt(per_row(sums, f"squared.{FORECAST}", "squared_rows")).to_numpy(),
        "bias": (sums[f"error.{FORECAST}"] / sums["value"].replace(0, np.nan)).to_numpy(),
        "mase_seasonal_naive": per_row(sums, "scaled.seasonal_naive", "scaled_rows").to_numpy(),
    }
    return pd.DataFrame(table)


def by_step(sums: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """Return the errors of each step ahead."""
    table: dict[str, Any] = {"step": sums.index.to_numpy()}
    for name in (FORECAST, *BASELINES):
        suffix = "" if name == FORECAST else f"_{name}"
        table[f"smape{suffix}"] = (sums[f"smape.{name}"] / sums["rows"]).to_numpy()
        table[f"mase{suffix}"] = per_row(sums, f"scaled.{name}", "scaled_rows").to_numpy()
    table["rmsse"] = np.sqrt(per_row(sums, f"squared.{FORECAST}", "squared_rows")).to_numpy()
    value = sums["value"].replace(0, np.nan)
    table["wape"] = (sums[f"absolute.{FORECAST}"] / value).to_numpy()
    table["bias"] = (sums[f"error.{FORECAST}"] / value).to_numpy()
    for level in levels:
        table[f"coverage_{level:g}"] = (sums[f"inside.{level:g}"] / sums["rows"]).to_numpy()
    return pd.DataFrame(table)


def by_group(of_series: pd.DataFrame, groups: pd.DataFrame | None) -> pd.DataFrame:
    """Return the errors of groups of series, column after column."""
    columns = [] if groups is None else [name for name in groups if name != SERIES]
    if groups is None or not columns:
        return pd.DataFrame(columns=list(GROUP_COLUMNS))
    check_columns(groups, [SERIES])
    own = groups.drop_duplicates(SERIES).set_index(SERIES).reindex(of_series.index)
    lost = of_series[f"absolute.{FORECAST}"] > of_series["absolute.seasonal_naive"]
    parts = of_series.assign(
        series=1.0,
        lost=lost.astype(float),
        mase=per_row(of_series, f"scaled.{FORECAST}", "scaled_rows"),
        mase_seasonal_naive=per_row(of_series, "scaled.seasonal_naive", "scaled_rows"),
        rmsse=np.sqrt(per_row(of_series, f"squared.{FORECAST}", "squared_rows")),
    )
    tables = [_of_column(parts.groupby(own[name].to_numpy()), str(name)) for name in columns]
    return pd.concat(tables, ignore_index=True)[list(GROUP_COLUMNS)]


def _of_column(grouped: Any, column: str) -> pd.DataFrame:
    sums = grouped.sum()
    value = sums["value"].replace(0, np.nan)
    table: pd.DataFrame = grouped[["lost", "mase", "mase_seasonal_naive", "rmsse"]].mean()
    table = table.assign(
        column=column,
        group=sums.index.astype("str"),
        series=sums["series"].astype(int),
        rows=sums["rows"].astype(int),
        smape=sums[f"smape.{FORECAST}"] / sums["rows"],
        wape=sums[f"absolute.{FORECAST}"] / value,
        bias=sums[f"error.{FORECAST}"] / value,
    )
    return table.loc[sums["value"].sort_values(ascending=False, kind="stable").index]


def per_row(sums: pd.DataFrame, name: str, rows: str) -> pd.Series:
    """Return sums over the rows that have a scale, missing where none has."""
    return sums[name] / sums[rows].where(sums[rows] > 0)
