"""What metrics take: labels and scores, of series or of a frame's columns, checked row by row.

The checks run where the rows are; what they find is told once, for all partitions together.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.graph import add_up, for_each

__all__ = [
    "Fault",
    "LabelledScores",
    "Source",
    "numbers",
    "raise_faults",
    "scored_rows",
    "source_of",
]

#: Where a message about rows has their number and an example.
ROWS = "<rows>"
EXAMPLE = "<example>"


@dataclass(frozen=True)
class Fault:
    """Rows of one partition that a metric cannot take.

    Attributes
    ----------
    message : str
        With `ROWS` and `EXAMPLE` where the figures go.
    rows : int
    example : str
    """

    message: str
    rows: int
    example: str


@dataclass(frozen=True)
class LabelledScores:
    """The good rows of one partition, and what was wrong with the others.

    Attributes
    ----------
    label : (n,) bool array
    score : (n,) float64 array
    weight, loss : (n,) float64 array or None
    kept : (rows,) bool array or None
        Which rows of the partition are among the good ones; None for all.
    faults : tuple of Fault
    """

    label: np.ndarray
    score: np.ndarray
    weight: np.ndarray | None
    loss: np.ndarray | None
    kept: np.ndarray | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Source:
    """Where labels and scores come from.

    Attributes
    ----------
    parts : list of Delayed
        The partitions, pandas DataFrames.
    rows : list of Delayed
        The same as `LabelledScores`.
    epsilon : float
        The spacing of the score's float type next to 1, by which `log_loss` clips.
    scheduler : str or None
        What `dask.compute` is told: rows that are here already are not sent away.
    """

    parts: list[Any]
    rows: list[Any]
    epsilon: float
    scheduler: str | None

    def compute(self, *results: Any) -> Any:
        """Compute lazy results in one go."""
        return dask.compute(*results, scheduler=self.scheduler)

    def faults(self) -> Any:
        """Return what is wrong with rows, lazily, for `raise_faults`."""
        return add_up(for_each(_faults_of, self.rows), _flatten)


def source_of(
    frame: Any,
    label: str,
    score: str,
    *,
    weight: str | None = None,
    loss: str | None = None,
    others: Sequence[str] = (),
) -> Source:
    """Take labels and scores from the columns of a dask or pandas frame.

    `others` are columns that the partitions carry along.

    Raises
    ------
    MissingColumnError
    """
    names = [label, score, *(name for name in (weight, loss) if name is not None), *others]
    for name in names:
        if name not in frame.columns:
            raise MissingColumnError.of("frame", name, list(frame.columns))
    columns = frame[list(dict.fromkeys(names))]
    if isinstance(frame, pd.DataFrame):
        # A name of its own: else dask would hash all the rows.
        parts = [dask.delayed(columns, name=f"rows-{uuid.uuid4()}", traverse=False)]
    else:
        parts = columns.to_delayed()
    rows = for_each(partial(_checked, label=label, score=score, weight=weight, loss=loss), parts)
    local = "synchronous" if isinstance(frame, pd.DataFrame) else None
    return Source(parts, rows, _epsilon(columns[score].dtype), local)


def scored_rows(y_true: Any, y_score: Any, sample_weight: Any = None) -> Source:
    """Take labels, scores and weights from series or arrays, side by side.

    Raises
    ------
    InputError
        They do not have the same number of partitions (here) or of rows (when computed).
    """
    given = {"label": y_true, "score": y_score, "weight": sample_weight}
    columns = {name: _column(name, value) for name, value in given.items() if value is not None}
    weight = "weight" if "weight" in columns else None
    return source_of(_frame_of(columns), "label", "score", weight=weight)


def numbers(values: pd.Series) -> np.ndarray:
    """Return a column as float64, NaN where missing.

    Raises
    ------
    InputError
        It does not hold numbers.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if not (pd.api.types.is_numeric_dtype(values.dtype) or values.dtype == object):
        example = f" (such as {values.iloc[0]!r})" if len(values) else ""
        raise InputError(
            f"Column {values.name!r} is {values.dtype}{example}, but a number is needed. "
            "Convert it; labels are 0 and 1."
        )
    try:
        return values.to_numpy(dtype="float64", na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Column {values.name!r} holds what is no number: {error}. Labels are 0 and 1."
        ) from None


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise an InputError that tells of all faults of one kind, if there are any."""
    if faults:
        first = faults[0]
        rows = sum(fault.rows for fault in faults if fault.message == first.message)
        raise InputError(first.message.replace(ROWS, f"{rows:,}").replace(EXAMPLE, first.example))


def _frame_of(columns: dict[str, Any]) -> Any:
    lazy = [name for name, column in columns.items() if not isinstance(column, pd.Series)]
    if not lazy:
        return _side_by_side(*columns.values(), names=list(columns))
    partitions = {name: getattr(column, "npartitions", 1) for name, column in columns.items()}
    if len(lazy) < len(columns) or len(set(partitions.values())) > 1:
        raise InputError(
            f"Labels, scores and weights must be partitioned alike, but have {partitions} "
            f"partitions (dask: {', '.join(lazy)}). Take them from one dask frame."
        )
    return dd.map_partitions(
        partial(_side_by_side, names=list(columns)),
        *columns.values(),
        align_dataframes=False,
        meta=pd.DataFrame({name: column._meta for name, column in columns.items()}),
    )


def _column(name: str, values: Any) -> Any:
    """Return values as a pandas or dask Series."""
    if getattr(values, "ndim", 1) != 1:
        raise InputError(
            f"The {name} has {values.ndim} dimensions, but one number per row is needed. "
            "Of predict_proba take the column of class 1; of several classes give "
            "multi_class='ovr' or 'ovo'."
        )
    if isinstance(values, da.Array):
        return dd.from_dask_array(values)
    return values if isinstance(values, dd.Series) else pd.Series(values)


def _side_by_side(*columns: pd.Series, names: list[str]) -> pd.DataFrame:
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"A partition has {lengths} rows: labels and scores do not belong to the same rows. "
            "Take them from one frame."
        )
    return pd.DataFrame({name: column.array for name, column in zip(names, columns, strict=True)})


def _checked(
    part: pd.DataFrame, *, label: str, score: str, weight: str | None, loss: str | None
) -> LabelledScores:
    """Turn a partition into arrays, without the rows that no metric can take."""
    labels, scores = numbers(part[label]), numbers(part[score])
    weights = None if weight is None else numbers(part[weight])
    losses = None if loss is None else numbers(part[loss])
    positive = labels == 1
    checks = [*_label_checks(label, labels), _score_check(score, scores)]
    if weights is not None:
        checks.append(_weight_check(str(weight), weights))
    if losses is not None:
        checks.append(_loss_check(str(loss), losses, positive))
    bad = np.logical_or.reduce([check.bad for check in checks])
    if weights is not None:
        bad |= weights == 0
    faults = tuple(check.fault() for check in checks if check.bad.any())
    if not bad.any():
        return LabelledScores(positive, scores, weights, losses, None, faults)
    good = ~bad
    weights = None if weights is None else weights[good]
    losses = None if losses is None else losses[good]
    return LabelledScores(positive[good], scores[good], weights, losses, good, faults)


class _Check(NamedTuple):
    """Which values are bad, and how to say so."""

    bad: np.ndarray
    values: np.ndarray
    message: str

    def fault(self) -> Fault:
        return Fault(self.message, int(self.bad.sum()), f"{self.values[self.bad][0]:g}")


def _label_checks(name: str, labels: np.ndarray) -> list[_Check]:
    missing = np.isnan(labels)
    other = ~(missing | (labels == 0) | (labels == 1))
    drop = "Drop them, or give 0 or 1."
    return [
        _Check(missing, labels, f"{ROWS} rows have no label ({name!r}). {drop}"),
        _Check(other, labels, f"{ROWS} rows have a label ({name!r}) of {EXAMPLE}. {drop}"),
    ]


def _score_check(name: str, scores: np.ndarray) -> _Check:
    message = (
        f"{ROWS} rows have a score ({name!r}) of {EXAMPLE}. "
        "Look at what the model was given there, or drop them."
    )
    return _Check(~np.isfinite(scores), scores, message)


def _weight_check(name: str, weights: np.ndarray) -> _Check:
    message = f"{ROWS} rows have a weight ({name!r}) of {EXAMPLE}. Weights are 0 or more."
    return _Check(~(np.isfinite(weights) & (weights >= 0)), weights, message)


def _loss_check(name: str, losses: np.ndarray, positive: np.ndarray) -> _Check:
    message = (
        f"{ROWS} positives have a loss ({name!r}) of {EXAMPLE}. "
        "Fill it in, or give Costs(missed=...) a sum."
    )
    return _Check(positive & ~np.isfinite(losses), losses, message)


def _faults_of(rows: LabelledScores) -> list[Fault]:
    return list(rows.faults)


def _flatten(faults: list[list[Fault]]) -> list[Fault]:
    return [fault for some in faults for fault in some]


def _epsilon(dtype: Any) -> float:
    dtype = getattr(dtype, "numpy_dtype", dtype)
    floating = isinstance(dtype, np.dtype) and dtype.kind == "f"
    return float(np.finfo(dtype if floating else np.float64).eps)
