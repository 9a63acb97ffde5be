"""`train_test_split`: some rows held out, exactly as many as asked for, on any partitions."""

from functools import partial
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmlkit.declared import seed_of
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.model_selection.places import Places, Ranked, chosen, places_of

__all__ = ["train_test_split"]

Rows = NDArray[np.int64]


def train_test_split(
    *arrays: Any,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    random_state: Any = 0,
    stratify: Any = None,
) -> list[Any]:
    """Split tables into rows to train on and rows to test on, drawn at random.

    Parameters
    ----------
    *arrays : dask or pandas DataFrames or Series
        Of the same rows, in the same order.
    test_size, train_size : float or int, optional
        Shares, or numbers of rows. Without both a quarter is tested on; what one leaves is the
        other.
    random_state : int, None, RandomState or Generator
        With another one, other rows are tested on; with None, others each time.
    stratify : Series or str, optional
        Classes whose shares are kept, partitioned like the tables: a series, or the name of a
        column of the first table.

    Returns
    -------
    list
        Of each table the rows to train on and the rows to test on, in the order of the table,
        lazily where it is lazy.

    Raises
    ------
    ConfigurationError
        A size is no share and no number of rows.
    InputError
        Tables are of different lengths, a class has a single row, or a part would be empty.

    Notes
    -----
    The parts have as many rows as scikit-learn's, and of each class as many but for one where
    shares tie. Rows are counted in one pass; which part a row is in follows from its position, so
    that any partitions give the same, and no row is moved or gathered.

    Examples
    --------
    >>> import pandas as pd
    >>> X, y = pd.DataFrame({"x": range(8)}), pd.Series([0, 1] * 4)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y)
    >>> len(X_train), len(X_test), y_test.tolist() == (X_test["x"] % 2).tolist()
    (6, 2, True)
    """
    if not arrays:
        raise ConfigurationError("There is no table to split: name one at least.")
    seed = seed_of(random_state)
    each = places_of(*arrays, labels=_labels(arrays[0], stratify))
    totals = [places.total for places in each]
    if len(set(totals)) > 1:
        raise InputError(
            f"The tables have {', '.join(f'{rows:,}' for rows in totals)} rows. Take them from one "
            "frame."
        )
    train, test = _sizes(totals[0], test_size, train_size)
    tested, trained = _by_class(each[0], train, test)
    parts: list[Any] = []
    for rows, places in zip(arrays, each, strict=True):
        for low, high in ((tested, tested + trained), (np.zeros_like(tested), tested)):
            parts.append(chosen(rows, places, seed, partial(_between, low, high)))
    return parts


def _labels(first: Any, stratify: Any) -> Any:
    if not isinstance(stratify, str):
        return stratify
    if stratify not in getattr(first, "columns", []):
        raise MissingColumnError.of("frame", stratify, getattr(first, "columns", []))
    return first[stratify]


def _sizes(rows: int, test_size: Any, train_size: Any) -> tuple[int, int]:
    """Return how many rows to train and to test on, as scikit-learn counts them."""
    _check_size("test_size", test_size, rows)
    _check_size("train_size", train_size, rows)
    if test_size is None and train_size is None:
        test_size = 0.25
    test = ceil(test_size * rows) if isinstance(test_size, float) else test_size
    train = floor(train_size * rows) if isinstance(train_size, float) else train_size
    test = rows - train if test is None else test
    train = rows - test if train is None else train
    if train < 1 or test < 1 or train + test > rows:
        raise InputError(
            f"Of {rows:,} rows {train:,} would be trained on and {test:,} tested on. Change "
            "test_size and train_size, or take more rows."
        )
    return train, test


def _check_size(name: str, size: Any, rows: int) -> None:
    if size is None:
        return
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    if not (0 < size < rows if whole else isinstance(size, float) and 0 < size < 1):
        raise ConfigurationError(
            f"{name} is {size!r}; it must be a share between 0 and 1, or a number of rows from 1 "
            f"to {rows - 1:,}."
        )


def _by_class(places: Places, train: int, test: int) -> tuple[Rows, Rows]:
    """Return how many rows of each class are tested and trained on."""
    if places.labels is None:
        return np.array([test]), np.array([train])
    least = int(places.rows.argmin())
    if places.rows[least] < 2:
        raise InputError(
            f"The class {places.classes[least]!r} has a single row, which cannot be in both parts. "
            "Drop it, or join it with another class."
        )
    if min(train, test) < len(places.classes):
        raise InputError(
            f"{len(places.classes)} classes cannot all be in {min(train, test)} rows. Change "
            "test_size and train_size."
        )
    trained = _shared_out(places.rows, train)
    return _shared_out(places.rows - trained, test), trained


def _shared_out(rows: Rows, wanted: int) -> Rows:
    """Share rows out by classes; what is left goes where most of a row is missing."""
    exact = rows / rows.sum() * wanted
    shares = np.floor(exact).astype(np.int64)
    most = np.argsort(shares - exact, kind="stable")[: wanted - int(shares.sum())]
    shares[most] += 1
    return shares


def _between(low: Rows, high: Rows, rows: Ranked) -> Any:
    return (rows.rank >= low[rows.code]) & (rows.rank < high[rows.code])
