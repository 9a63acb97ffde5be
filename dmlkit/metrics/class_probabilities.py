"""Probabilities of several classes: taken from frames with a column for each, checked, and judged.

What ranks by them is in `class_ranking`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import add_up, for_each
from dmlkit.metrics.side_by_side import check_lengths, parts_of, weights_of

__all__ = ["ClassScores", "ClassSource", "class_source", "log_loss_of_classes", "of_classes"]

#: Probabilities of a row add up to 1 within this, which float32 needs.
CLOSE = 1e-4


@dataclass(frozen=True)
class ClassScores:
    """The rows of a partition.

    Attributes
    ----------
    code : (n,) int64 array
        The number of a row's class.
    score : (n, classes) float64 array
    weight : (n,) float64 array
    """

    code: NDArray[np.int64]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]


@dataclass(frozen=True)
class ClassSource:
    """Where labels and probabilities come from.

    Attributes
    ----------
    classes : list
        In the order of the columns.
    rows : list of Delayed
        A `ClassScores` for each partition.
    epsilon : float
        The spacing of the probabilities' float type next to 1.
    scheduler : str or None
        What `dask.compute` is told.
    """

    classes: list[Any]
    rows: list[Any]
    epsilon: float
    scheduler: str | None


def of_classes(y_score: Any) -> bool:
    """Tell whether scores have a column for each class."""
    return getattr(y_score, "ndim", 1) == 2


def class_source(
    y_true: Any, y_score: Any, sample_weight: Any, labels: Sequence[Any] | None
) -> ClassSource:
    """Take labels and probabilities side by side.

    Parameters
    ----------
    y_true : dask or pandas Series, or array
    y_score : dask or pandas DataFrame, or array, with a column for each class
    sample_weight : like y_true, or None
    labels : sequence, optional
        The classes, in the order of the columns; without, the names of the columns.

    Raises
    ------
    InputError, ConfigurationError
        They are not partitioned alike, or labels are not as many as columns.
    """
    scores = _frame(y_score)
    classes = list(scores.columns) if labels is None else list(labels)
    if len(classes) != len(scores.columns) or len(set(classes)) != len(classes):
        raise ConfigurationError(
            f"labels are {classes}, but there are {len(scores.columns)} columns of probabilities. "
            "Name the class of each column, in their order."
        )
    given = [_series(y_true), scores]
    if sample_weight is not None:
        given.append(_series(sample_weight))
    parts, scheduler = parts_of(*given)
    dtypes = {np.dtype(getattr(dtype, "numpy_dtype", dtype)) for dtype in scores.dtypes}
    single = dtypes == {np.dtype(np.float32)}
    epsilon = float(np.finfo(np.float32 if single else np.float64).eps)
    return ClassSource(classes, for_each(partial(_checked, classes), *parts), epsilon, scheduler)


def log_loss_of_classes(
    y_true: Any, y_score: Any, sample_weight: Any, labels: Sequence[Any] | None
) -> float:
    """Return the mean negative logarithm of the probability of what happened, in one pass."""
    source = class_source(y_true, y_score, sample_weight, labels)
    sums = add_up(for_each(_losses, source.rows, source.epsilon), _add)
    loss, weight = sums.compute(scheduler=source.scheduler)
    if not weight:
        raise InputError("There is no row to judge. Look at the filters before it.")
    return float(loss / weight)


def _frame(scores: Any) -> Any:
    if isinstance(scores, da.Array):
        return dd.from_dask_array(scores)
    return scores if isinstance(scores, (pd.DataFrame, dd.DataFrame)) else pd.DataFrame(scores)


def _series(values: Any) -> Any:
    if isinstance(values, da.Array):
        return dd.from_dask_array(values)
    return values if isinstance(values, (pd.Series, dd.Series)) else pd.Series(values)


def _checked(
    classes: list[Any], true: pd.Series, scores: pd.DataFrame, weight: pd.Series | None = None
) -> ClassScores:
    check_lengths(true, scores, weight)
    code = pd.Index(classes, dtype=object).get_indexer(true.astype(object))
    if (code < 0).any():
        example = true[code < 0].iloc[0]
        raise InputError(
            f"{int((code < 0).sum()):,} rows of a partition have the label {example!r}, and the "
            f"classes are {classes}. Give labels=, the class of each column in their order, or "
            "drop these rows."
        )
    values = scores.to_numpy(np.float64, na_value=np.nan)
    wrong = ~((values >= 0) & (values <= 1)).all(axis=1)
    wrong |= np.abs(values.sum(axis=1) - 1) > CLOSE
    if wrong.any():
        raise InputError(
            f"{int(wrong.sum()):,} rows of a partition have no probabilities that add up to 1, "
            f"such as {values[wrong][0].tolist()}. Give all columns of predict_proba."
        )
    return ClassScores(code, values, weights_of(len(true), weight))


def _losses(rows: ClassScores, epsilon: float) -> NDArray[np.float64]:
    chance = rows.score[np.arange(len(rows.code)), rows.code]
    losses = -np.log(np.clip(chance, epsilon, 1 - epsilon))
    return np.array([rows.weight @ losses, rows.weight.sum()])


def _add(sums: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum(sums, axis=0)
    return total
