"""The rows that a model is looked at with, and the model as the workers ask it."""

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.graph import for_each, partitions_of
from dmlkit.positions import chances, starts_of

__all__ = ["LABEL", "Examined", "Predictor", "examine", "features_of", "held", "where_rows_are"]

#: The column of the labels beside the features.
LABEL = "__label"


@dataclass(frozen=True)
class Examined:
    """Rows of a table.

    Attributes
    ----------
    parts : list of Delayed
        pandas DataFrames.
    starts : list of int
        The position of the first row of each.
    rows : int
    """

    parts: list[Any]
    starts: list[int]
    rows: int


@dataclass(frozen=True)
class Predictor:
    """A model that is asked for a partition at a time.

    Attributes
    ----------
    model : Any
        With `predict_proba` where it tells classes apart, else with `predict`.
    features : tuple of str
    """

    model: Any
    features: tuple[str, ...]

    @property
    def classifies(self) -> bool:
        """Whether it gives probabilities."""
        return hasattr(self.model, "predict_proba")

    @property
    def outputs(self) -> list[Any]:
        """What it predicts of a row: ``average``, or the classes; of two classes the second."""
        if not self.classifies:
            return ["average"]
        classes = list(self.model.classes_)
        return ["average"] if len(classes) == 2 else classes

    def of(self, part: pd.DataFrame) -> NDArray[np.float64]:
        """Return the predictions of a partition, as (n, outputs)."""
        if not len(part):
            return np.zeros((0, len(self.outputs)))
        rows = part[list(self.features)]
        if not self.classifies:
            return np.asarray(self.model.predict(rows), dtype=np.float64)[:, None]
        found = np.asarray(self.model.predict_proba(rows), dtype=np.float64)
        return found[:, 1:] if found.shape[1] == 2 else found


def examine(X: Any, y: Any, max_rows: int | None, seed: int) -> Examined:
    """Bring rows to the workers, in a sample if there are many.

    Parameters
    ----------
    X : dask or pandas DataFrame
    y : Series like X, or None
    max_rows : int or None
        About so many rows are drawn, by a hash of their position; None for all.
    seed : int

    Raises
    ------
    InputError
        Labels are not partitioned like the table, or there is no row.
    """
    if max_rows is not None and max_rows < 1:
        raise ConfigurationError(f"max_rows is {max_rows}; it must be 1 or more.")
    parts = list(dask.persist(*_parts(X, y)))
    lengths = dask.compute(for_each(len, parts))[0]
    if max_rows is not None and max_rows < sum(lengths):
        share = max_rows / sum(lengths)
        parts = list(dask.persist(*for_each(_drawn, parts, starts_of(lengths), share, seed)))
        lengths = dask.compute(for_each(len, parts))[0]
    if not sum(lengths):
        raise InputError("There is no row to look at. Look at the filters before it.")
    return Examined(parts, starts_of(lengths), sum(lengths))


def held(predictor: Predictor) -> Any:
    """Return a model for the graph: each worker gets it once, and not with each task."""
    return dask.delayed(predictor, name=f"model-{uuid.uuid4()}", traverse=False)


def where_rows_are(X: Any) -> Any:
    """Return a context in which Dask works where the rows are: here, of a pandas frame."""
    if isinstance(X, pd.DataFrame):
        return dask.config.set(scheduler="synchronous")
    return contextlib.nullcontext()


def features_of(
    model: Any, X: Any, chosen: str | Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Return the features of a model, and those of them that are looked at.

    Raises
    ------
    InputError
        `X` is no frame.
    MissingColumnError
    """
    if not isinstance(X, (pd.DataFrame, dd.DataFrame)):
        raise InputError(f"A dask or pandas DataFrame is needed, but this is {type(X).__name__}.")
    every = [str(name) for name in getattr(model, "feature_names_in_", X.columns)]
    for name in every:
        if name not in X.columns:
            raise MissingColumnError.of("frame", name, X.columns)
    looked_at = [chosen] if isinstance(chosen, str) else list(every if chosen is None else chosen)
    for name in looked_at:
        if name not in every:
            raise MissingColumnError.of("the model's features", name, every)
    return every, looked_at


def _parts(X: Any, y: Any) -> list[Any]:
    if isinstance(X, pd.DataFrame):
        # A name of its own: else dask would hash all the rows.
        rows = _beside(X, y)
        return [dask.delayed(rows, name=f"rows-{uuid.uuid4()}", traverse=False)]
    if y is None:
        return partitions_of(X)
    if not isinstance(y, dd.Series) or y.npartitions != X.npartitions:
        raise InputError(
            "Labels must be a dask Series partitioned like the table. Take both from one dask "
            "frame."
        )
    return for_each(_beside, partitions_of(X), partitions_of(y))


def _beside(part: pd.DataFrame, label: Any) -> pd.DataFrame:
    if label is None:
        return part
    if len(part) != len(label):
        raise InputError(
            f"A partition has {len(part):,} rows, but {len(label):,} labels. Take both from one "
            "frame."
        )
    return part.assign(**{LABEL: np.asarray(label, dtype=np.float64)})


def _drawn(part: pd.DataFrame, start: int, share: float, seed: int) -> pd.DataFrame:
    return part[chances(start, len(part), seed, draw=0) < share]
