"""`Condition`: which rows count, such as ``amount > 100 and channel in ["web", "app"]``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from dask.dataframe.utils import has_known_categories

from dmlkit.errors import ConfigurationError
from dmlkit.features.comparisons import Part
from dmlkit.features.condition_text import read_condition
from dmlkit.features.step import check_columns

__all__ = ["Condition"]


@dataclass(frozen=True)
class Condition:
    """Which rows of a table count, told by its columns; made by `parse`.

    ==================================== ====================================================
    ``amount > 100``, ``a != b``         a column against a number, text, truth value or column
    ``0 < amount <= 5``                  both
    ``channel in ["web", "app"]``        one of them; ``not in``: none of them
    ``country is None``                  where it is missing; ``is not None``: where it is not
    ``online``                           a column of truth values
    ``time >= "2025-01-31T12:00"``       a time; one without a zone is in UTC
    ``and``, ``or``, ``not``, ``( )``    as in Python
    ```card type` == "debit"``           a column with any name
    ==================================== ====================================================

    Any comparison with a missing value is false, ``!=`` and ``not in`` too. ``not`` turns what is
    false into true, whatever the reason: ``not amount > 100`` holds where the amount is missing,
    and ``amount <= 100`` does not. Numbers are compared by their values, those of float32 columns
    too: one that was stored as 0.1 is a little more than 0.1. Text, also that of categoricals, is
    compared by code points.

    Conditions come from files: they are read, never run as Python.

    Attributes
    ----------
    text : str

    Examples
    --------
    >>> import pandas as pd
    >>> condition = Condition.parse('amount > 100 and channel in ["web", "app"]')
    >>> condition.columns
    ['amount', 'channel']
    >>> table = pd.DataFrame({"amount": [150.0, 150.0, None], "channel": ["web", "shop", "app"]})
    >>> condition.mask(table).tolist()
    [True, False, False]
    >>> condition.holds({"amount": 150.0, "channel": "web"})
    True
    """

    text: str
    _expression: Part = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read a condition.

        Raises
        ------
        ConfigurationError
            It is none; tells where, and why.
        """
        if not isinstance(text, str) or not text.strip():
            raise ConfigurationError(
                f"The condition {text!r} is none: write a text such as 'amount > 100'."
            )
        return _parsed(text.strip())

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return list(dict.fromkeys(self._expression.columns))

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame with the columns of `meta` lacks one, or compares unlike types.

        Raises
        ------
        MissingColumnError
        InputError
            A number is compared with text, say.
        """
        check_columns(meta, self.columns)
        self._expression.mask({name: _empty(meta[name]) for name in self.columns})

    def mask(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return for which rows it holds.

        Parameters
        ----------
        columns : mapping of str to pd.Series or array
            Equally long; a data frame will do.

        Returns
        -------
        (n,) bool array
        """
        return self._expression.mask(columns)

    def holds(self, event: Mapping[str, Any]) -> bool:
        """Return whether it holds for one event, as `mask` tells of a row with these values.

        Parameters
        ----------
        event : mapping of str to value
            Values of the types that the columns have: a time is a ``datetime``, not a text.
        """
        return self._expression.holds(event)


@lru_cache(maxsize=1000)
def _parsed(text: str) -> Condition:
    return Condition(text, read_condition(text))


def _empty(column: pd.Series) -> pd.Series:
    """Return a column without rows; of a categorical, with its levels where they are known."""
    if isinstance(column.dtype, pd.CategoricalDtype) and not has_known_categories(column):
        return pd.Series([], dtype=object, name=column.name)
    return column.iloc[:0]
