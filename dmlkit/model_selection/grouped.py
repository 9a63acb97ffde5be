"""Splits by group: all rows of a patient, a machine or a customer are in one part.

Which part a group is in follows from a hash of it, so that no row is moved or counted, new rows of
a group go where its others are, and any machine and partitioning gives the same parts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.hashing import hash_integers, hash_values
from dmlkit.graph import add_up, for_each
from dmlkit.model_selection.columns import check_named
from dmlkit.model_selection.temporal import TrainValidationTest

__all__ = ["GroupKFold", "GroupSplit", "check_all_there", "count_parts", "group_places"]


def group_places(groups: pd.Series, seed: int) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each row: the same for all rows of a group, uniform over all.

    Raises
    ------
    InputError
        A group is missing.

    Examples
    --------
    >>> first, second, third = group_places(pd.Series([7, 8, 7]), seed=0)
    >>> first == third, first == second
    (np.True_, np.False_)
    """
    check_all_there(groups)
    salt = hash_integers(np.array([seed + 1], dtype=np.int64))
    mixed = hash_integers((hash_values(groups) ^ salt).view(np.int64))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def check_all_there(column: pd.Series) -> None:
    """Raise an InputError that counts missing values, if there are any."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"{missing:,} of {len(column):,} rows of a partition have no {column.name!r}. Drop "
            "them, or fill them in."
        )


@dataclass(frozen=True)
class GroupSplit:
    """One split by group into train, validation and test.

    Parameters
    ----------
    test_share, validation_share : float
        Of the groups; without a validation share that part is None.
    seed : int
        With another one, other groups are tested on.

    Raises
    ------
    ConfigurationError
        Nothing is left to train on.

    Examples
    --------
    >>> stays = pd.DataFrame({"patient": [1, 1, 2, 3, 4, 5, 6, 7, 8, 9]})
    >>> train, validation, test = GroupSplit(test_share=0.3).split(stays, "patient")
    >>> len(train) + len(test), set(train["patient"]) & set(test["patient"])
    (10, set())
    """

    test_share: float = 0.2
    validation_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        least, most = min(self.test_share, self.validation_share), 1.0
        if least < 0 or self.test_share == 0 or self.test_share + self.validation_share >= most:
            raise ConfigurationError(
                f"test_share is {self.test_share} and validation_share {self.validation_share}: "
                "there must be groups to test on, and some must be left to train on."
            )

    def split(self, frame: Any, group: str) -> TrainValidationTest:
        """Return the rows of each part, lazily.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        group : str
            The column that names what must not be torn apart.
        """
        check_named(frame, group)
        test, watched = self.test_share, self.test_share + self.validation_share
        return TrainValidationTest(
            _between(frame, group, self.seed, watched, 1.0),
            _between(frame, group, self.seed, test, watched) if self.validation_share else None,
            _between(frame, group, self.seed, 0.0, test),
        )


@dataclass(frozen=True)
class GroupKFold:
    """Folds by group, each tested on once.

    Parameters
    ----------
    n_splits : int
    seed : int

    Notes
    -----
    Which fold a group is in is drawn: of few groups, folds differ in size, and one may have none.
    `cross_validate` and searches raise an `InputError` then.

    Examples
    --------
    >>> stays = pd.DataFrame({"patient": range(30)})
    >>> tested = [test for _, test in GroupKFold(3).split(stays, "patient")]
    >>> sum(map(len, tested))
    30
    """

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_splits < 2:
            raise ConfigurationError(f"n_splits is {self.n_splits}; it must be 2 or more.")

    def get_n_splits(self) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, frame: Any, group: str) -> Iterator[tuple[Any, Any]]:
        """Yield the rows to train on and those to test on, lazily, for each fold."""
        check_named(frame, group)
        for fold in range(self.n_splits):
            low, high = fold / self.n_splits, (fold + 1) / self.n_splits
            test = _between(frame, group, self.seed, low, high)
            yield _between(frame, group, self.seed, low, high, outside=True), test


def count_parts(parts: TrainValidationTest, label: str) -> dict[str, dict[str, int]]:
    """Count rows and positives of each part that is there, in one pass.

    Raises
    ------
    InputError
        A part has no rows, or rows of one class only.
    """
    there = {name: part for name, part in parts._asdict().items() if part is not None}
    found = dask.compute({name: _counts(part[label]) for name, part in there.items()})[0]
    for name, (rows, positives) in found.items():
        if positives in (0, rows):
            raise InputError(
                f"The {name} part has {rows:,} rows, {positives:,} of them positive. Give it a "
                "larger share, or more rows."
            )
    return {name: {"rows": rows, "positives": some} for name, (rows, some) in found.items()}


def _counts(labels: Any) -> Any:
    if isinstance(labels, pd.Series):
        return _count(labels)
    return add_up(for_each(_count, labels.to_delayed()), _add)


def _count(labels: pd.Series) -> tuple[int, int]:
    return len(labels), int(labels.sum())


def _add(counts: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(rows for rows, _ in counts), sum(positives for _, positives in counts)


def _between(
    frame: Any, group: str, seed: int, low: float, high: float, *, outside: bool = False
) -> Any:
    if isinstance(frame, pd.DataFrame):
        return _rows_between(frame, group, seed, low, high, outside)
    return frame.map_partitions(_rows_between, group, seed, low, high, outside, meta=frame._meta)


def _rows_between(
    part: pd.DataFrame, group: str, seed: int, low: float, high: float, outside: bool
) -> pd.DataFrame:
    places = group_places(part[group], seed)
    return part[((places >= low) & (places < high)) != outside]
