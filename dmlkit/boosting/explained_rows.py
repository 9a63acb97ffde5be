"""The rows that a model is explained on: a sample that neither partitions nor order change."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.prediction import raw_model
from dmlkit.errors import MissingColumnError
from dmlkit.graph import add_up, for_each

__all__ = ["features_of", "model_for_workers", "sampled"]

#: Tasks that share the rows.
PIECES = 8


def features_of(model: XGBModel, X: Any) -> list[str]:
    """Return the names of a model's features, all of which a frame has.

    Raises
    ------
    MissingColumnError
    """
    names = [str(name) for name in model.feature_names_in_]
    for name in names:
        if name not in X.columns:
            raise MissingColumnError.of("frame", name, X.columns)
    return names


def model_for_workers(model: XGBModel) -> Any:
    """Return a model for the graph: each worker gets it once, and not with each task."""
    raw = raw_model(model.get_booster())
    return dask.delayed(raw, name=f"model-{dask.base.tokenize(raw)}", traverse=False)


def sampled(X: Any, names: Sequence[str], sample: int) -> list[Any]:
    """Return so many rows at most, in pieces for several tasks, lazily.

    Parameters
    ----------
    X : dask or pandas DataFrame
    names : sequence of str
    sample : int
        Those with the smallest hashes are taken.

    Returns
    -------
    list of Delayed
        Frames; some may be empty.
    """
    rows = X[list(names)]
    parts = rows.to_delayed() if isinstance(X, dd.DataFrame) else [dask.delayed(rows)]
    lowest = add_up(for_each(partial(_lowest, sample=sample), parts), _together, sample)
    return for_each(_piece, list(range(PIECES)), lowest)


def _lowest(part: pd.DataFrame, sample: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the rows with the smallest hashes, and the hashes."""
    hashes = pd.util.hash_pandas_object(part, index=False).to_numpy()
    places = np.argsort(hashes, kind="stable")[:sample]
    return hashes[places], part.take(places)


def _together(
    parts: Sequence[tuple[np.ndarray, pd.DataFrame]], sample: int
) -> tuple[np.ndarray, pd.DataFrame]:
    hashes = np.concatenate([hashes for hashes, _ in parts])
    rows = pd.concat([rows for _, rows in parts], ignore_index=True)
    places = np.argsort(hashes, kind="stable")[:sample]
    return hashes[places], rows.take(places)


def _piece(number: int, lowest: tuple[np.ndarray, pd.DataFrame]) -> pd.DataFrame:
    _, rows = lowest
    start, end = (len(rows) * each // PIECES for each in (number, number + 1))
    return rows.iloc[start:end]
