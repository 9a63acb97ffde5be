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


def matrix_of(frame: pd.DataFrame) -> xgboost.DMatrix:
    """Return features as XGBoost takes them: float32 and categories."""
    narrow = {
        name: values
        if isinstance(values.dtype, pd.CategoricalDtype)
        else values.to_numpy(dtype=np.float32, na_value=np.nan)
        for name, values in frame.items()
    }
    columns = pd.DataFrame(narrow, index=frame.index, copy=False)
    return xgboost.DMatrix(columns, enable_categorical=True, nthread=1)


def predict_lazily(raw: bytes, features: Any, classes: Sequence[int]) -> Any:
    """Return the probability of each class for each row, lazily on a Dask frame.

    Parameters
    ----------
    raw : bytes
        The model, from `raw_model`.
    features : dask or pandas DataFrame
        The columns of the model, in its order.
    classes : sequence of int
        The names of the columns of the result.
    """
    if isinstance(features, pd.DataFrame):
        return _predict(features, raw, classes)
    meta = pd.DataFrame({label: np.zeros(0, dtype=np.float32) for label in classes})
    # Not by `features.map_partitions`: with it, the model would be hashed for each partition.
    return dd.map_partitions(_predict, features, raw, classes, meta=meta)


def _predict(features: pd.DataFrame, raw: bytes, classes: Sequence[int]) -> pd.DataFrame:
    if not len(features):
        values = np.zeros((0, len(classes)), dtype=np.float32)
    else:
        values = booster_of(raw).predict(matrix_of(features))
        if values.ndim == 1:
            values = np.column_stack([1 - values, values])
    return pd.DataFrame(values, columns=list(classes), index=features.index)
