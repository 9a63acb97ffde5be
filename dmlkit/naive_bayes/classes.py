"""Rows by class: what is added up of each class in one pass, whatever the labels are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import add_up, for_each
from dmlkit.linear_model.blocks import names_of, numbers_of, parts_beside, weights_in
from dmlkit.linear_model.labels import coded, union_of

__all__ = ["ByClass", "Rows", "class_priors", "learnt_by_class"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """The rows of a partition, class by class.

    Attributes
    ----------
    design : (n, features) float64 array
    weight : (n,) float64 array
    starts : (classes,) int64 array
        Where each class begins.
    codes : (n,) int64 array
        The number of each row's class.
    features : list of str
    """

    design: Array
    weight: Array
    starts: NDArray[np.int64]
    codes: NDArray[np.int64]
    features: list[str]

    def sums(self, values: Array) -> Array:
        """Add up what each row has, by class."""
        if not len(self.starts):
            return np.zeros((0, *values.shape[1:]))
        found: Array = np.add.reduceat(values, self.starts, axis=0)
        return found


class ByClass(NamedTuple):
    """What was learnt of each class.

    Attributes
    ----------
    labels : list
        Sorted.
    weight : (classes,) float64 array
    learnt : object
        Whatever the model adds up.
    """

    labels: list[Any]
    weight: Array
    learnt: Any


def learnt_by_class(
    X: Any,
    y: Any,
    sample_weight: Any,
    learn: Callable[[Rows], Any],
    add: Callable[[Sequence[Any], Sequence[NDArray[np.int64]], int], Any],
) -> ByClass:
    """Learn of each class in one pass.

    Parameters
    ----------
    X : dask or pandas DataFrame
    y, sample_weight : Series like X
    learn : callable
        From the rows of a partition to what is to be added up.
    add : callable
        Adds several of them up. Takes them, for each the number that each of its classes has
        among all, and how many there are.

    Raises
    ------
    InputError
        A column is no number, a value or label is missing, or there is no row.
    """
    names_of(X)
    columns = [y] if sample_weight is None else [y, sample_weight]
    look = partial(_look, learn)
    if isinstance(X, pd.DataFrame):
        found = look(X, *columns)
    else:
        parts = for_each(look, *parts_beside(X, columns))
        found = dask.compute(add_up(parts, partial(_together, add)))[0]
    if not found.labels:
        raise InputError("There is no row to train on. Look at the filters before it.")
    return found


def class_priors(weight: Array, given: Any, *, as_in_table: bool) -> Array:
    """Return the chance of each class before anything is known of a row.

    Raises
    ------
    ConfigurationError
        Chances are given, but not for each class, or they are no chances.
    """
    if given is None:
        return weight / weight.sum() if as_in_table else np.full(len(weight), 1 / len(weight))
    chances = np.asarray(given, dtype=np.float64)
    if len(chances) != len(weight):
        raise ConfigurationError(
            f"{len(chances)} priors are given for {len(weight)} classes. Give one "
            "for each, or none."
        )
    if (chances < 0).any() or not np.isclose(chances.sum(), 1):
        raise ConfigurationError(f"The priors {given} must be 0 or more, and 1 together.")
    return chances


def _look(learn: Callable[[Rows], Any], X: pd.DataFrame, y: Any, weight: Any = None) -> ByClass:
    codes, distinct = coded(y)
    weights = weights_in(weight, len(codes))
    if not len(X) == len(codes) == len(weights):
        raise InputError(f"A partition has {len(X):,} rows, but {len(codes):,} labels.")
    values = numbers_of(X)
    union, (places,) = union_of([distinct])
    codes = places[codes]
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    starts = np.searchsorted(codes, np.arange(len(union)))
    rows = Rows(values[order], weights[order], starts, codes, [str(name) for name in X.columns])
    return ByClass(union, rows.sums(rows.weight), learn(rows))


def _together(add: Callable[..., Any], parts: Sequence[ByClass]) -> ByClass:
    labels, places = union_of([part.labels for part in parts])
    weight = np.zeros(len(labels))
    for part, place in zip(parts, places, strict=True):
        weight[place] += part.weight
    return ByClass(labels, weight, add([part.learnt for part in parts], places, len(labels)))
