"""Folds that keep groups whole and the shares of classes as alike as groups allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.hashing import hash_values
from dmlkit.graph import add_up, for_each
from dmlkit.model_selection.columns import check_named
from dmlkit.model_selection.grouped import check_all_there
from dmlkit.model_selection.kernels import dealt_out

__all__ = ["StratifiedGroupKFold"]

#: What is known of a group takes some ten bytes: more of them are not gathered.
MOST_GROUPS = 2_000_000


@dataclass(frozen=True)
class StratifiedGroupKFold:
    """Folds by group, in each of which classes have about their share of all rows.

    Parameters
    ----------
    n_splits : int
    seed : int
        Where groups are alike, another one deals them out otherwise.

    Notes
    -----
    Groups are dealt out as scikit-learn does it: those whose classes are least alike first, each
    to the fold that this leaves most alike. For that the rows of each class are counted by group,
    in one pass, and these counts (no rows) come to the client: of 2,000,000 groups at most. With
    more of them, or classes that are not rare, `GroupKFold` needs no pass and has shares about as
    equal.

    Examples
    --------
    >>> stays = pd.DataFrame({"patient": [i // 2 for i in range(40)]})
    >>> stays["died"] = (stays["patient"] % 4 == 0).astype(int)
    >>> folds = StratifiedGroupKFold(5).split(stays, "died", "patient")
    >>> [int(test["died"].sum()) for _, test in folds]
    [2, 2, 2, 2, 2]
    """

    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_splits < 2:
            raise ConfigurationError(f"n_splits is {self.n_splits}; it must be 2 or more.")

    def get_n_splits(self) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, frame: Any, label: str, group: str) -> Iterator[tuple[Any, Any]]:
        """Yield the rows to train on and those to test on, lazily, for each fold.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        label, group : str
            The columns of the classes, and of what must not be torn apart.

        Raises
        ------
        MissingColumnError
        InputError
            A group or label is missing, or there are fewer groups than folds, or too many.
        """
        check_named(frame, label, group)
        groups, fold = self._dealt(_counts_of(frame[[label, group]], label, group))
        if isinstance(frame, pd.DataFrame):
            told: Any = (groups, fold)
        else:  # once for each worker, and not with each task
            told = dask.delayed((groups, fold), traverse=False)
        for number in range(self.n_splits):
            yield (
                _rows(frame, group, told, number, others=True),
                _rows(frame, group, told, number, others=False),
            )

    def _dealt(self, counts: pd.DataFrame) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return groups (their hashes, sorted) and the fold of each."""
        groups, place = np.unique(counts["group"].to_numpy(), return_inverse=True)
        if len(groups) < self.n_splits:
            raise InputError(
                f"There are {len(groups):,} groups for {self.n_splits} folds. Take fewer folds."
            )
        code, classes = pd.factorize(counts["label"], sort=False)
        table = np.zeros((len(groups), len(classes)), np.int64)
        np.add.at(table, (place, code), counts["rows"].to_numpy())
        salted = hash_values(pd.Series(groups ^ np.uint64(self.seed)))
        # The least alike first; alike ones in an order that is of no meaning.
        order = np.lexsort([salted, -table.std(axis=1)])
        return groups, dealt_out(table, order, self.n_splits)


def _counts_of(columns: Any, label: str, group: str) -> pd.DataFrame:
    if isinstance(columns, pd.DataFrame):
        return _add([_count(columns, label, group)])
    parts = for_each(_count, columns.to_delayed(), label, group)
    counts: pd.DataFrame = add_up(parts, _add).compute()
    return counts


def _count(part: pd.DataFrame, label: str, group: str) -> pd.DataFrame:
    check_all_there(part[group])
    check_all_there(part[label])
    found = pd.DataFrame(
        {"group": hash_values(part[group]), "label": part[label].astype(object).array}
    )
    return (
        found.groupby(["group", "label"], as_index=False, sort=False)
        .size()
        .rename(columns={"size": "rows"})
    )


def _add(parts: list[pd.DataFrame]) -> pd.DataFrame:
    counts = pd.concat(parts, ignore_index=True)
    counts = counts.groupby(["group", "label"], as_index=False, sort=True)[["rows"]].sum()
    if len(counts) > MOST_GROUPS:
        raise InputError(
            f"There are more than {MOST_GROUPS:,} groups with their classes, which are not "
            "gathered. Use GroupKFold, which counts nothing."
        )
    return counts


def _rows(frame: Any, group: str, told: Any, fold: int, *, others: bool) -> Any:
    if isinstance(frame, pd.DataFrame):
        return _rows_of(frame, group, told, fold, others)
    return frame.map_partitions(_rows_of, group, told, fold, others, meta=frame._meta)


def _rows_of(
    part: pd.DataFrame,
    group: str,
    told: tuple[NDArray[np.uint64], NDArray[np.int64]],
    fold: int,
    others: bool,
) -> pd.DataFrame:
    groups, folds = told
    places = np.searchsorted(groups, hash_values(part[group]))
    return part[(folds[places] == fold) != others]
