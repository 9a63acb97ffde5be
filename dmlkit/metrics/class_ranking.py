"""The area under the ROC curve of several classes: exact, of one ranking by each column.

Rows go to ranges of each column's scores, as in `ranked`. Of a column, the pairs of a row of its
class with a row of another one are counted for each other class at once: one against the rest and
one against one follow from the same counts.
"""

from collections.abc import Sequence
from itertools import combinations
from operator import getitem
from typing import Any, NamedTuple

import dask
import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import add_up, bucket_count, exchange, for_all, for_each
from dmlkit.metrics.class_probabilities import ClassScores, class_source
from dmlkit.metrics.lines import SAMPLES, limits_of

__all__ = ["roc_auc_of_classes"]

MULTI_CLASS = ("ovr", "ovo")
AVERAGES = ("macro", "weighted")

Array = NDArray[np.float64]


class _Scores(NamedTuple):
    """Scores of one column, falling, with the number of each row's class and its weight."""

    score: Array
    code: NDArray[np.int64]
    weight: Array


def roc_auc_of_classes(
    y_true: Any,
    y_score: Any,
    sample_weight: Any,
    *,
    multi_class: str,
    average: str,
    labels: Sequence[Any] | None,
) -> float:
    """Return the mean over classes, or over pairs of classes; see `roc_auc_score`."""
    for name, value, known in (
        ("multi_class", multi_class, MULTI_CLASS),
        ("average", average, AVERAGES),
    ):
        if value not in known:
            raise ConfigurationError(f"{name} is {value!r}; it must be one of {known}.")
    if multi_class == "ovo" and sample_weight is not None:
        raise ConfigurationError(
            "Weights are not defined for pairs of classes, as in scikit-learn. Use "
            "multi_class='ovr', or leave out sample_weight."
        )
    source = class_source(y_true, y_score, sample_weight, labels)
    counted = _pairs_and_rows(source.rows, len(source.classes))
    pairs, rows = dask.compute(counted, scheduler=source.scheduler)[0]
    if not rows.sum():
        raise InputError("There is no row to judge. Look at the filters before it.")
    if not rows.all():
        raise InputError(
            f"No row is of the class {source.classes[int(rows.argmin())]!r}, and the area under "
            "the ROC curve needs rows of all. Take more rows, or leave its column out."
        )
    return (_one_against_rest if multi_class == "ovr" else _one_against_one)(pairs, rows, average)


def _one_against_rest(pairs: Array, rows: Array, average: str) -> float:
    others = pairs.sum(axis=1) - np.diag(pairs)
    areas = others / (rows * (rows.sum() - rows))
    return float(np.average(areas, weights=rows if average == "weighted" else None))


def _one_against_one(pairs: Array, rows: Array, average: str) -> float:
    """Return the mean over pairs (Hand, Till 2001)."""
    areas = pairs / np.outer(rows, rows)
    both = list(combinations(range(len(rows)), 2))
    found = [(areas[a, b] + areas[b, a]) / 2 for a, b in both]
    weights = [rows[a] + rows[b] for a, b in both] if average == "weighted" else None
    return float(np.average(found, weights=weights))


def _pairs_and_rows(rows: list[Any], classes: int) -> Any:
    """Count, lazily, pairs of a row of a column's class and a lower one of each; and rows."""
    columns = for_each(_by_column, rows)
    buckets = bucket_count(len(columns))
    limits = for_all(_limits, for_each(_samples, columns), buckets)
    ranges = exchange(for_each(_split, columns, limits), buckets, _merge)
    above = for_all(_running, for_each(_own, ranges))
    places = for_each(getitem, above, list(range(buckets)))
    return add_up(for_each(_counted, ranges, places, classes), _add)


def _by_column(rows: ClassScores) -> list[_Scores]:
    found = []
    for score in rows.score.T:
        order = np.argsort(-score)
        found.append(_Scores(score[order], rows.code[order], rows.weight[order]))
    return found


def _samples(columns: list[_Scores]) -> list[tuple[Array, float]]:
    """Return scores of each column that cut its rows into equal parts, and their size."""
    rows = len(columns[0].score)
    if not rows:
        return [(column.score, 0.0) for column in columns]
    places = ((np.arange(SAMPLES) + 0.5) / SAMPLES * rows).astype(np.int64)
    return [(column.score[places], rows / SAMPLES) for column in columns]


def _limits(samples: list[list[tuple[Array, float]]], buckets: int) -> list[Array]:
    return [limits_of(list(column), buckets) for column in zip(*samples, strict=True)]


def _split(columns: list[_Scores], limits: list[Array]) -> list[list[_Scores]]:
    """Return the scores of each range, as copies that hold nothing else in memory."""
    apart = []
    for column, ends in zip(columns, limits, strict=True):
        cuts = np.searchsorted(-column.score, -ends, side="right")
        pieces = zip(*(np.split(values, cuts) for values in column), strict=True)
        apart.append([_Scores(*(values.copy() for values in piece)) for piece in pieces])
    return [list(bucket) for bucket in zip(*apart, strict=True)]


def _merge(pieces: list[list[_Scores]]) -> list[_Scores]:
    merged = []
    for column in zip(*pieces, strict=True):
        values = [np.concatenate(each) for each in zip(*column, strict=True)]
        order = np.argsort(-values[0], kind="stable")
        merged.append(_Scores(*(each[order] for each in values)))
    return merged


def _own(columns: list[_Scores]) -> Array:
    """Return the weight of the rows of each column's own class."""
    return np.array(
        [column.weight[column.code == number].sum() for number, column in enumerate(columns)]
    )


def _running(own: list[Array]) -> list[Array]:
    table = np.array(own)
    return list(np.cumsum(table, axis=0) - table)


def _counted(columns: list[_Scores], above: Array, classes: int) -> tuple[Array, Array]:
    pairs = np.zeros((classes, classes))
    for number, column in enumerate(columns):
        if not len(column.score):
            continue
        own = np.where(column.code == number, column.weight, 0.0)
        starts = np.flatnonzero(np.r_[True, column.score[1:] != column.score[:-1]])
        tied = np.add.reduceat(own, starts)
        before = above[number] + np.cumsum(tied) - tied / 2
        lengths = np.diff(np.r_[starts, len(own)])
        weighted = column.weight * np.repeat(before, lengths)
        pairs[number] = np.bincount(column.code, weighted, classes)
    rows: Array = np.bincount(columns[0].code, columns[0].weight, classes).astype(np.float64)
    return pairs, rows


def _add(counts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    pairs, rows = (np.sum(each, axis=0) for each in zip(*counts, strict=True))
    return pairs, rows
