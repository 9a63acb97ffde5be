"""Truth, predictions and weights that stand side by side: what metrics of a row need of them."""

import uuid
from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.graph import add_up, for_each, partitions_of
from dmlkit.metrics.rows import numbers

__all__ = ["added_up", "check_lengths", "finite_numbers", "parts_of", "weights_of"]


def added_up(
    summary: Callable[..., Any],
    add: Callable[[list[Any]], Any],
    y_true: Any,
    y_pred: Any,
    sample_weight: Any = None,
) -> Any:
    """Summarise series part by part, and add the summaries up.

    Parameters
    ----------
    summary : callable
        Takes the truth, the predictions and, where there are any, the weights of a partition.
    add : callable
        Takes a list of summaries and returns one.
    y_true, y_pred, sample_weight : dask or pandas Series

    Raises
    ------
    InputError
        They are not partitioned alike.
    """
    given = [y_true, y_pred, *([] if sample_weight is None else [sample_weight])]
    if isinstance(y_true, pd.Series):
        return summary(*given)
    parts, _ = parts_of(*given)
    return add_up(for_each(summary, *parts), add).compute()


def parts_of(*given: Any) -> tuple[list[list[Any]], str | None]:
    """Return the partitions of series and frames that stand side by side.

    Parameters
    ----------
    *given : dask or pandas Series or DataFrame

    Returns
    -------
    list of list of Delayed
        For each that is given.
    str or None
        What `dask.compute` is told: rows that are here already are not sent away.

    Raises
    ------
    InputError
        They are not partitioned alike.
    """
    if all(isinstance(each, (pd.Series, pd.DataFrame)) for each in given):
        # A name of its own: else dask would hash all the rows.
        here = [[dask.delayed(each, name=f"rows-{uuid.uuid4()}", traverse=False)] for each in given]
        return here, "synchronous"
    partitions = [getattr(each, "npartitions", None) for each in given]
    if len(set(partitions)) > 1 or None in partitions:
        raise InputError(
            f"Labels, predictions and weights have {partitions} partitions. Take all from one "
            "dask frame."
        )
    return [partitions_of(each) for each in given], None


def finite_numbers(column: pd.Series, what: str) -> np.ndarray:
    """Return a column as float64; raise where a value is missing or infinite."""
    values = numbers(column)
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise InputError(
            f"{wrong:,} rows of a partition have no {what}, or an infinite one. Drop them."
        )
    return values


def check_lengths(true: pd.Series, found: Any, weight: pd.Series | None) -> None:
    """Raise where the parts of a partition are of different lengths."""
    if not len(true) == len(found) == (len(true) if weight is None else len(weight)):
        raise InputError(
            f"{len(true):,} labels stand beside {len(found):,} predictions in a partition. Take "
            "both from one frame."
        )


def weights_of(rows: int, weight: pd.Series | None) -> np.ndarray:
    """Return weights, 1 for each row without any; raise where one is missing or negative."""
    weights = np.ones(rows) if weight is None else weight.to_numpy(np.float64, na_value=np.nan)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        raise InputError(
            f"{int(wrong.sum()):,} rows of a partition have a weight of {weights[wrong][0]:g}. "
            "Weights are 0 or more."
        )
    return weights
