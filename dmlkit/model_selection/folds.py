"""Folds of rows, each tested on once: shuffled, and with the shares of classes kept."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.model_selection.columns import check_named
from dmlkit.model_selection.places import Places, Ranked, chosen, places_of

__all__ = ["KFold", "StratifiedKFold"]


@dataclass(frozen=True)
class KFold:
    """Folds of shuffled rows, each tested on once.

    Parameters
    ----------
    n_splits : int
    seed : int

    Notes
    -----
    Folds are as large as scikit-learn's: they differ by a row at most. Which fold a row is in
    follows from its position in the table, so that any partitions give the same; rows are counted
    in a pass for that, and nothing is moved. Where rows belong together, such as those of a
    patient, use `GroupKFold`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": range(10)})
    >>> [(len(train), len(test)) for train, test in KFold(3).split(table)]
    [(6, 4), (7, 3), (7, 3)]
    """

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _check_splits(self.n_splits)

    def get_n_splits(self) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, frame: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the rows to train on and those to test on, lazily, for each fold.

        Parameters
        ----------
        frame : dask or pandas DataFrame or Series

        Raises
        ------
        InputError
            There are fewer rows than folds.
        """
        (places,) = places_of(frame)
        if places.total < self.n_splits:
            raise InputError(
                f"There are {places.total:,} rows for {self.n_splits} folds. Take fewer folds."
            )
        yield from _folds(frame, places, self.n_splits, self.seed)


@dataclass(frozen=True)
class StratifiedKFold:
    """Folds of shuffled rows that each have a class's share of all rows, each tested on once.

    Parameters
    ----------
    n_splits : int
    seed : int

    Notes
    -----
    As many rows of each class are in a fold as with scikit-learn's: folds differ by a row of a
    class at most, and by a row in all. Otherwise as `KFold`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"label": [1] * 3 + [0] * 6})
    >>> [test["label"].sum() for _, test in StratifiedKFold(3).split(table, "label")]
    [np.int64(1), np.int64(1), np.int64(1)]
    """

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _check_splits(self.n_splits)

    def get_n_splits(self) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, frame: Any, label: str) -> Iterator[tuple[Any, Any]]:
        """Yield the rows to train on and those to test on, lazily, for each fold.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        label : str
            The column whose values are classes: at most 1,000.

        Raises
        ------
        MissingColumnError
        InputError
            No class has as many rows as there are folds, or a label is missing.

        Warns
        -----
        UserWarning
            A class has fewer rows than there are folds, so that some folds have none of it.
        """
        check_named(frame, label)
        (places,) = places_of(frame, labels=frame[label])
        _check_classes(places, label, self.n_splits)
        yield from _folds(frame, places, self.n_splits, self.seed)


def _check_splits(n_splits: int) -> None:
    if n_splits < 2:
        raise ConfigurationError(f"n_splits is {n_splits}; it must be 2 or more.")


def _check_classes(places: Places, label: str, n_splits: int) -> None:
    if not places.total or places.rows.max() < n_splits:
        raise InputError(
            f"No value of {label!r} has as many rows as there are folds, {n_splits}. Take fewer "
            "folds, or another column."
        )
    least = int(places.rows.argmin())
    if places.rows[least] < n_splits:
        warnings.warn(
            f"{places.rows[least]} rows have {places.classes[least]!r} in {label!r}: some of "
            f"{n_splits} folds have none.",
            stacklevel=3,
        )


def _folds(frame: Any, places: Places, n_splits: int, seed: int) -> Iterator[tuple[Any, Any]]:
    # Classes one after the other, dealt out in turn: so are whole folds of one size, too.
    offsets = np.cumsum(places.rows) - places.rows
    for fold in range(n_splits):
        test = partial(_in_fold, offsets, n_splits, fold)
        train = partial(_in_others, offsets, n_splits, fold)
        yield chosen(frame, places, seed, train), chosen(frame, places, seed, test)


def _in_fold(offsets: NDArray[np.int64], n_splits: int, fold: int, rows: Ranked) -> Any:
    return (offsets[rows.code] + rows.rank) % n_splits == fold


def _in_others(offsets: NDArray[np.int64], n_splits: int, fold: int, rows: Ranked) -> Any:
    return ~_in_fold(offsets, n_splits, fold, rows)
