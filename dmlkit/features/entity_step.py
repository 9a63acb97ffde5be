"""`EntityStep`: what is asked of a step that looks at the other rows of an entity."""

from typing import Any, Protocol

import pandas as pd

from dmlkit.features.rows import Rows
from dmlkit.features.shuffle import Source
from dmlkit.features.sorted_rows import SortedRows

__all__ = ["EntityStep"]


class EntityStep(Protocol):
    """What is asked of a step that looks at the other rows of an entity."""

    @property
    def time(self) -> str:
        """The column that tells when a row happened."""
        ...

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that name the entity together."""
        ...

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        ...

    @property
    def history(self) -> pd.Timedelta:
        """How far back the step looks at rows of the table itself."""
        ...

    def others(self, unit: str) -> list[Source]:
        """Return the other tables that the step looks at."""
        ...

    def other_times(self) -> list[Any]:
        """Return the types of these tables' times."""
        ...

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the features."""
        ...

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame like `meta` lacks what is needed."""
        ...

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        ...

    def for_workers(self) -> Any:
        """Return what computes the features: the step, without the other tables."""
        ...

    def compute(self, rows: SortedRows, *others: Rows) -> dict[str, Any]:
        """Return the features of sorted rows."""
        ...
