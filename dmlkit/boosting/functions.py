"""Objectives and metrics that are functions of the user's, as the processes that train take them.

They are packed by cloudpickle, as Dask packs functions, so that those of a notebook work too. They
go from client to workers only, and are never kept in a file.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle
from xgboost import DMatrix

from dmlkit.boosting.all_rows import AllRows

__all__ = ["FunctionMetrics", "native_objective", "packed", "unpacked"]

Function = Callable[..., Any]


def packed(objective: Any, metrics: Sequence[Function]) -> bytes:
    """Return those that are functions as bytes; no bytes where none is."""
    function = objective if callable(objective) else None
    if function is None and not metrics:
        return b""
    return bytes(cloudpickle.dumps((function, tuple(metrics))))


def unpacked(data: bytes) -> tuple[Function | None, tuple[Function, ...]]:
    """Return the objective and the metrics that were packed.

    Examples
    --------
    >>> unpacked(packed("reg:squarederror", [max]))
    (None, (<built-in function max>,))
    """
    if not data:
        return None, ()
    objective, metrics = cloudpickle.loads(data)
    return objective, metrics


def native_objective(function: Function) -> Function:
    """Return an objective of labels and margins as `xgboost.Booster.update` calls it.

    Weights are given to a function that has a parameter ``sample_weight``; else gradient and
    Hessian are multiplied by them.
    """
    takes_weight = _takes_weight(function)

    def gradient_and_hessian(margin: Any, matrix: DMatrix) -> tuple[Any, Any]:
        label, weight = matrix.get_label(), matrix.get_weight()
        if not len(weight):
            return function(label, margin)
        if takes_weight:
            return function(label, margin, sample_weight=weight)
        gradient, hessian = function(label, margin)
        column = weight if gradient.ndim == 1 else weight[:, None]
        return gradient * column, hessian * column

    return gradient_and_hessian


class FunctionMetrics:
    """Metrics of labels and predictions, over the rows of all workers: exact on any layout."""

    def __init__(self, functions: Sequence[Function]) -> None:
        self._functions, self._rows = functions, AllRows()

    def __call__(self, score: Any, matrix: DMatrix) -> list[tuple[str, float]]:
        """Return name and value of each; the same on each worker."""
        label, score, weight = self._rows.judged(score, matrix)
        weighted = len(matrix.get_weight()) > 0
        found = []
        for function in self._functions:
            weights = {"sample_weight": weight} if weighted and _takes_weight(function) else {}
            found.append((function.__name__, float(function(label, score, **weights))))
        return found


def _takes_weight(function: Function) -> bool:
    return "sample_weight" in inspect.signature(function).parameters
