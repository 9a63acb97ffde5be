"""Metrics of predicted classes, of which there may be several: all from one table of counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics.side_by_side import added_up, check_lengths, weights_of

__all__ = [
    "accuracy_score",
    "balanced_accuracy_score",
    "confusion_matrix",
    "counts_of_pairs",
    "f1_score",
]

Array = NDArray[np.float64]

#: More pairs of a class and a predicted one are those of an identifier.
MOST_PAIRS = 1_000_000

AVERAGES = ("binary", "macro", "micro", "weighted")


def confusion_matrix(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> pd.DataFrame:
    """Count rows by their class and by the predicted one, in one pass.

    Parameters
    ----------
    y_true, y_pred : dask or pandas Series
        Labels of any type: numbers, text, categories.
    sample_weight : Series like y_true, optional

    Returns
    -------
    pandas.DataFrame
        A row for each class and a column for each predicted one, both sorted.

    Raises
    ------
    InputError
        They are not partitioned alike, or a label, prediction or weight is missing.

    Notes
    -----
    Equal to scikit-learn's, on any partitions.

    Examples
    --------
    >>> truth, found = pd.Series(["a", "a", "b", "c"]), pd.Series(["a", "b", "b", "b"])
    >>> confusion_matrix(truth, found).to_numpy().tolist()
    [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    """
    counts = counts_of_pairs(y_true, y_pred, sample_weight)
    if not len(counts):
        raise InputError("There is no row to judge. Look at the filters before it.")
    classes = _sorted({*counts["true"]} | {*counts["found"]})
    table = counts.pivot_table("weight", "true", "found", aggfunc="sum", fill_value=0)
    table = table.reindex(index=classes, columns=classes, fill_value=0)
    return table if sample_weight is not None else table.astype(np.int64)


def accuracy_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the share of rows whose class was predicted; see `confusion_matrix`.

    Examples
    --------
    >>> accuracy_score(pd.Series([0, 1, 2, 2]), pd.Series([0, 1, 1, 2]))
    0.75
    """
    counts = _array(y_true, y_pred, sample_weight)
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy_score(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the mean over classes of the share of rows that were predicted.

    Examples
    --------
    >>> balanced_accuracy_score(pd.Series([0, 1, 2, 2]), pd.Series([0, 1, 1, 2])).__round__(3)
    0.833
    """
    counts = _array(y_true, y_pred, sample_weight)
    rows = counts.sum(axis=1)
    return float((np.diag(counts)[rows > 0] / rows[rows > 0]).mean())


def f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    average: str = "binary",
    pos_label: Any = 1,
    sample_weight: Any = None,
) -> float:
    """Return the harmonic mean of precision and recall, of one class or over all.

    Parameters
    ----------
    y_true, y_pred, sample_weight
        As of `confusion_matrix`.
    average : {"binary", "macro", "micro", "weighted"}
        Of one class of two; or the mean over classes, over rows, or over classes by their rows.
    pos_label : object
        The class that is meant, of two.

    Raises
    ------
    ConfigurationError
        `average` is not known, or ``"binary"`` of several classes or without `pos_label`.
    InputError
        As of `confusion_matrix`.

    Examples
    --------
    >>> truth, found = pd.Series([0, 1, 2, 2]), pd.Series([0, 1, 1, 2])
    >>> round(f1_score(truth, found, average="macro"), 3)
    0.778
    >>> round(f1_score(truth == 2, found == 2), 3)
    0.667
    """
    if average not in AVERAGES:
        raise ConfigurationError(f"average is {average!r}; it must be one of {AVERAGES}.")
    table = confusion_matrix(y_true, y_pred, sample_weight=sample_weight)
    if average == "binary":
        return _of_class(table, pos_label)
    counts = table.to_numpy(np.float64)
    rows, right = counts.sum(axis=1), np.diag(counts)
    if average == "micro":
        return float(right.sum() / counts.sum())
    together = rows + counts.sum(axis=0)
    scores = 2 * right / np.where(together > 0, together, 1)
    return float(scores.mean() if average == "macro" else scores @ rows / rows.sum())


def _of_class(table: pd.DataFrame, wanted: Any) -> float:
    classes = list(table.index)
    if len(classes) > 2:
        raise ConfigurationError(
            f"There are {len(classes):,} classes, such as {classes[0]!r} and {classes[-1]!r}: "
            "average='binary' is for two. Take average='macro', 'micro' or 'weighted'."
        )
    if wanted not in classes:
        if len(classes) < 2:
            return 0.0
        raise ConfigurationError(
            f"pos_label is {wanted!r}, but the classes are {classes[0]!r} and {classes[1]!r}."
        )
    counts, place = table.to_numpy(np.float64), classes.index(wanted)
    together = float(counts[place].sum() + counts[:, place].sum())
    return 2 * float(counts[place, place]) / together if together else 0.0


def _sorted(classes: set[Any]) -> list[Any]:
    try:
        return sorted(classes)
    except TypeError as error:
        kinds = sorted({type(each).__name__ for each in classes})
        raise InputError(
            f"Labels and predictions are {' and '.join(kinds)}, such as {next(iter(classes))!r}. "
            "Make them of one type."
        ) from error


def counts_of_pairs(y_true: Any, y_pred: Any, sample_weight: Any = None) -> pd.DataFrame:
    """Return the weight of each pair of a class and a predicted one that occurs, in one pass.

    Returns
    -------
    pandas.DataFrame
        With the columns ``true``, ``found`` and ``weight``.
    """
    counts: pd.DataFrame = added_up(_counts, _add, y_true, y_pred, sample_weight)
    return counts


def _array(y_true: Any, y_pred: Any, sample_weight: Any) -> Array:
    return confusion_matrix(y_true, y_pred, sample_weight=sample_weight).to_numpy(np.float64)


def _counts(true: pd.Series, found: pd.Series, weight: pd.Series | None = None) -> pd.DataFrame:
    check_lengths(true, found, weight)
    columns = {"true": _plain(true), "found": _plain(found)}
    for name, told in (("true", "label"), ("found", "prediction")):
        missing = int(pd.isna(columns[name]).sum())
        if missing:
            raise InputError(f"{missing:,} rows of a partition have no {told}. Drop them.")
    return _add([pd.DataFrame(columns | {"weight": weights_of(len(true), weight)})])


def _plain(column: pd.Series) -> Any:
    return column.astype(object).to_numpy()


def _add(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    rows = pd.concat(parts, ignore_index=True)
    counts = rows.groupby(["true", "found"], as_index=False)[["weight"]].sum()
    if len(counts) > MOST_PAIRS:
        raise InputError(
            f"There are more than {MOST_PAIRS:,} pairs of a label and a prediction, such as "
            f"{counts['true'].iloc[0]!r} and {counts['found'].iloc[0]!r}: one is an identifier. "
            "Give classes."
        )
    return counts
