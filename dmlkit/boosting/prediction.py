"""Applying a booster to the partitions of a frame; a row's prediction depends on nothing else."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import xgboost

__all__ = ["booster_of", "matrix_of", "predict_lazily", "raw_model"]


def raw_model(booster: xgboost.Booster) -> bytes:
    """Return a booster as UBJ, as it is kept in files and sent to workers."""
    return bytes(booster.save_raw("ubj"))


@lru_cache(maxsize=4)
def booster_of(raw: bytes) -> xgboost.Booster:
    """Return the booster of what `raw_model` gave; a worker reads each model once.

    It predicts on the CPU with one thread: partitions are what runs side by side.
    """
    booster = xgboost.Booster(model_file=bytearray(raw))
    booster.set_param({"nthread": 1, "device": "cpu"})
    return booster


def matrix_of(frame: pd.DataFrame, margin: Any = None) -> xgboost.DMatrix:
    """Return features as XGBoost takes them: float32 and categories."""
    narrow = {
        name: values
        if isinstance(values.dtype, pd.CategoricalDtype)
        else values.to_numpy(dtype=np.float32, na_value=np.nan)
        for name, values in frame.items()
    }
    columns = pd.DataFrame(narrow, index=frame.index, copy=False)
    beside = {} if margin is None else {"base_margin": margin.to_numpy(dtype=np.float32)}
    return xgboost.DMatrix(columns, enable_categorical=True, nthread=1, **beside)


def predict_lazily(
    raw: bytes,
    features: Any,
    columns: Sequence[Any] | None,
    margin: Any = None,
    *,
    as_margins: bool = False,
) -> Any:
    """Return what a model says of each row, lazily on a Dask frame.

    Parameters
    ----------
    raw : bytes
        The model, from `raw_model`.
    features : dask or pandas DataFrame
        The columns of the model, in its order.
    columns : sequence or None
        The names of the columns of the result, such as classes; None for a Series.
    margin : Series or DataFrame like `features`, optional
        Where the trees start from.
    as_margins : bool
        Return sums over trees, and not what the objective makes of them.
    """
    if isinstance(features, pd.DataFrame):
        return _predict(features, margin, raw, columns, as_margins)
    empty = np.zeros((0, len(columns or ())), dtype=np.float32)
    meta = _named(empty if columns is not None else empty.ravel(), columns, None)
    # Not by `features.map_partitions`: with it, the model would be hashed for each partition.
    return dd.map_partitions(
        _predict, features, margin, raw, columns, as_margins, align_dataframes=False, meta=meta
    )


def _predict(
    features: pd.DataFrame,
    margin: Any,
    raw: bytes,
    columns: Sequence[Any] | None,
    as_margins: bool,
) -> pd.DataFrame | pd.Series:
    if len(features):
        rows = matrix_of(features, margin)
        values = booster_of(raw).predict(rows, output_margin=as_margins)
    else:
        values = np.zeros(0 if columns is None else (0, len(columns)), dtype=np.float32)
    if columns is not None and values.ndim == 1:
        values = np.column_stack([1 - values, values])
    return _named(values, columns, features.index)


def _named(values: Any, columns: Sequence[Any] | None, index: Any) -> pd.DataFrame | pd.Series:
    if columns is None:
        return pd.Series(values, index=index, name="prediction")
    return pd.DataFrame(values, columns=list(columns), index=index)
