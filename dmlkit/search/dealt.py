"""Which rows each fold of a search trains and tests on, as marks in the workers' memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client
from numpy.typing import NDArray

from dmlkit.boosting.training_data import wait_for
from dmlkit.errors import InputError
from dmlkit.graph import for_each, partitions_of
from dmlkit.model_selection.assigned import places_of_folds
from dmlkit.search.folded import TESTED, TRAINED

__all__ = ["Dealt", "deal_out"]


@dataclass(frozen=True)
class Dealt:
    """The marks of all rows.

    Attributes
    ----------
    parts : list of Future
        An (n, folds) int8 array for each partition.
    rows : list of [int, int]
        Of each fold, those that are trained on and those that are tested on.
    """

    parts: list[Any]
    rows: list[list[int]]


def deal_out(
    cv: Any, y: Any, client: Client, patience: float, *, groups: Any = None, time: Any = None
) -> Dealt:
    """Deal rows out to folds.

    Parameters
    ----------
    cv : splitter
    y, groups, time : dask or pandas Series
    client : distributed.Client
    patience : float
        Seconds without a sign of life, twice as many of which make a worker a frozen one.

    Raises
    ------
    ConfigurationError
        The splitter asks for what is not there, or does not look at what is.
    InputError
        Series are not partitioned alike, or a fold has no rows to train or to test on.
    """
    y, groups, time = map(_lazy, (y, groups, time))
    folds = places_of_folds(cv, y, groups=groups, time=time)
    places = [partitions_of(each) for pair in folds for each in pair]
    parts = client.compute(for_each(_marks_of, partitions_of(y), *places))
    counts = client.map(_counted, parts, pure=False)
    wait_for([*parts, *counts], client, 2 * patience)
    rows = np.sum(client.gather(counts), axis=0).tolist()
    for number, (trained, tested) in enumerate(rows):
        if not trained or not tested:
            raise InputError(
                f"Fold {number} of {len(rows)} would be trained on {trained:,} rows and tested on "
                f"{tested:,}. Take fewer folds, or more rows."
            )
    return Dealt(parts, rows)


def _lazy(series: Any) -> Any:
    if isinstance(series, pd.Series):
        return dd.from_pandas(series.reset_index(drop=True), npartitions=1)
    return series


def _marks_of(y: pd.Series, *places: pd.Series) -> NDArray[np.int8]:
    marks = np.zeros((len(y), len(places) // 2), np.int8)
    for fold in range(marks.shape[1]):
        marks[places[2 * fold].to_numpy(), fold] = TRAINED
        marks[places[2 * fold + 1].to_numpy(), fold] = TESTED
    return marks


def _counted(marks: NDArray[np.int8]) -> Sequence[tuple[int, int]]:
    return [(int((of == TRAINED).sum()), int((of == TESTED).sum())) for of in marks.T]
