"""Forecasts from a bundle: the same checks, features and model on a history with new rows."""

from typing import Any

import dask.dataframe as dd

from dmlkit.boosting import Bundle
from dmlkit.forecasting import Forecaster
from dmlkit.scoring import ScoredTable, read_renamed
from dmlkit.tables import Schema, check_table

__all__ = ["demand_of", "forecast_from", "forecast_table"]


def forecast_from(bundle: Bundle, history: Any) -> Any:
    """Return the forecasts that follow on a history, lazily.

    Parameters
    ----------
    bundle : Bundle
        Of the workflow ``demand-forecasting``.
    history : dask or pandas DataFrame
        With the columns of the training; rows behind the last value tell what is known of the
        future.
    """
    forecaster = Forecaster.from_dict(bundle.features, bundle.models)
    return forecaster.predict(bundle.metadata["horizon"], history)


def forecast_table(
    bundle: Bundle,
    data: str,
    *,
    history: str | None = None,
    quarantine: str | None = None,
    max_bad_share: float = 0.01,
) -> ScoredTable:
    """Forecast what follows on a table, without training.

    Parameters
    ----------
    bundle : Bundle
        Of the workflow ``demand-forecasting``.
    data : str
        The panel: a file, folder, glob or URL. Rows behind the last one with a value, which have
        none, tell what is known of the future.
    history : str, optional
        Earlier rows of the same series; those that are in `data` too are left out of it.
    quarantine : str, optional
        A folder for bad rows.
    max_bad_share : float
        More bad rows than this share are an error.

    Returns
    -------
    ScoredTable
        The forecasts; equal to those of the training, bit by bit, where the rows are the same.
    """
    names = bundle.metadata["columns"]
    table = read_renamed(data, names, as_text=True)
    schema = Schema.from_dict(bundle.schema)
    checked = check_table(table, schema, quarantine=quarantine, max_bad_share=max_bad_share)
    panel = demand_of(checked.frame)
    if history is not None:
        earlier = read_renamed(history, names, as_text=True)
        past = demand_of(check_table(earlier, schema, max_bad_share=max_bad_share).frame)
        panel = dd.concat([_not_in(past, panel), panel], interleave_partitions=True)
    return ScoredTable(forecast_from(bundle, panel), checked)


def demand_of(sales: Any) -> Any:
    """Return sales as demand, lazily: where the shelf was empty, what was wanted is not known."""
    if "in_stock" not in sales.columns:
        return sales
    there = sales["in_stock"] != 0
    return sales.assign(y=sales["y"].where(there)).drop(columns="in_stock")


def _not_in(past: Any, panel: Any) -> Any:
    keys = ["unique_id", "ds"]
    marked = past.merge(panel[keys].assign(__there=True), on=keys, how="left")
    return marked[marked["__there"].isna()].drop(columns="__there")
