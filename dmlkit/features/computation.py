"""What is done with rows once those of an entity are together: sorted, and given features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.features.entity_key import EntityKey
from dmlkit.features.entity_step import EntityStep
from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import Gathered
from dmlkit.features.sorted_rows import SortedRows

__all__ = ["Computation", "SortedTable"]


@dataclass(frozen=True)
class Computation:
    """Computes the columns of steps on one entity and one time.

    Attributes
    ----------
    steps : tuple of EntityStep
    tables : tuple of int
        How many other tables each step looks at.
    key : EntityKey
    """

    steps: tuple[EntityStep, ...]
    tables: tuple[int, ...]
    key: EntityKey

    def features(
        self, gathered: Gathered, others: tuple[Gathered, ...]
    ) -> tuple[SortedRows, dict[str, Any]]:
        """Return the rows, sorted, and their features in that order."""
        rows = SortedRows(gathered.rows, self.key, gathered.context)
        left = iter(others)
        columns: dict[str, Any] = {}
        for step, tables in zip(self.steps, self.tables, strict=True):
            beside = [next(left).context for _ in range(tables)]
            columns |= step.compute(rows, *beside)
        return rows, columns

    def in_order(self, gathered: Gathered, *others: Gathered) -> Rows:
        """Return the features of rows, in the order in which these came."""
        rows, columns = self.features(gathered, others)
        back = np.empty(len(rows.places), np.int64)
        back[rows.places] = np.arange(len(back))
        return Rows(columns).take(back)


@dataclass(frozen=True)
class SortedTable:
    """Returns rows with their features, by the hash of the entity and by time."""

    computation: Computation

    def __call__(self, gathered: Gathered, *others: Gathered) -> pd.DataFrame:
        """Return all columns of the rows, and the features."""
        rows, columns = self.computation.features(gathered, others)
        return Rows(rows.rows.columns | columns).frame()
