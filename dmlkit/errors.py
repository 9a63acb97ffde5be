"""Exceptions that users meet: each says what was found, where, and what to do.

Every one derives from `DmlkitError` and from the built-in that fits, so that both
``except DmlkitError`` and ``except ValueError`` work.
"""

import difflib
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

__all__ = [
    "BundleError",
    "ClusterError",
    "ConfigurationError",
    "DmlkitError",
    "InputError",
    "MissingColumnError",
    "MissingFileError",
    "NotFittedError",
    "OutputError",
    "PlanError",
    "TrainingError",
    "nearest",
]


class DmlkitError(Exception):
    """Base of all errors that dmlkit raises on purpose."""


class InputError(DmlkitError, ValueError):
    """A table holds what it must not: wrong types, bad rows, a damaged file."""


class MissingColumnError(InputError):
    """A column that is asked for is not in the table."""

    @classmethod
    def of(cls, table: str, column: str, columns: Iterable[str]) -> "MissingColumnError":
        """Name the missing column, the nearest one there is, and the way out.

        Examples
        --------
        >>> print(MissingColumnError.of("tx/", "amount", ["TX_AMOUNT", "TX_TIME"]))
        Table 'tx/' has no column 'amount' (nearest: 'TX_AMOUNT'). Columns: TX_AMOUNT, TX_TIME.
        Name it in [columns] of the configuration, or rename it.
        """
        columns = list(columns)
        guess = nearest(column, columns)
        hint = f" (nearest: {guess!r})" if guess else ""
        return cls(
            f"Table {table!r} has no column {column!r}{hint}. Columns: {', '.join(columns)}.\n"
            "Name it in [columns] of the configuration, or rename it."
        )


class MissingFileError(DmlkitError, FileNotFoundError):
    """A path holds nothing that can be read."""


class OutputError(DmlkitError, OSError):
    """A result cannot be written where it was asked for."""


class ConfigurationError(DmlkitError, ValueError):
    """A setting is unknown, of the wrong type, or contradicts another one."""


class BundleError(DmlkitError, ValueError):
    """A model bundle is damaged, was altered, or is of a newer version."""


class NotFittedError(DmlkitError, ValueError, AttributeError):
    """An estimator or feature step is used before `fit`.

    It is scikit-learn's error of that name, too, so that both can be caught.

    Examples
    --------
    >>> import sklearn.exceptions
    >>> try:
    ...     raise NotFittedError("Call fit first.")
    ... except sklearn.exceptions.NotFittedError as error:
    ...     print(error)
    Call fit first.
    """

    def __new__(cls, *args: object) -> "NotFittedError":
        """Make it of a class that derives from scikit-learn's, where somebody could know that."""
        return super().__new__(_with_sklearn() if cls is NotFittedError else cls, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        # By its public name: the class with scikit-learn's may not be there yet where it goes.
        return NotFittedError, self.args, self.__dict__ or None


def _with_sklearn() -> type[NotFittedError]:
    """Return the error as a class of scikit-learn's besides, if that was imported.

    Importing it takes longer than all that a command line needs to show its help, and where it was
    not imported nobody can catch its error.
    """
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", None)
    return NotFittedError if theirs is None else _derived(theirs)


@cache
def _derived(theirs: type[Exception]) -> type[NotFittedError]:
    named = {"__module__": __name__, "__doc__": NotFittedError.__doc__}
    return type("NotFittedError", (NotFittedError, theirs), named)


class TrainingError(DmlkitError, RuntimeError):
    """A model cannot be trained, or its training was lost."""


class PlanError(DmlkitError, MemoryError):
    """A job does not fit into the workers that it is to run on."""


class ClusterError(DmlkitError, ConnectionError):
    """A cluster cannot be started or reached."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name most like `name`, whatever the case, or None when none is near.

    Examples
    --------
    >>> nearest("split.trainstart", ["split.train_start", "split.test_days"])
    'split.train_start'
    >>> nearest("zebra", ["amount"]) is None
    True
    """
    folded = {str(other).casefold(): str(other) for other in names}
    wanted = name.casefold()
    found = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.5)
    if not found:
        found = [other for other in folded if wanted in other or other in wanted][:1]
    return folded[found[0]] if found else None
