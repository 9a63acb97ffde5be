"""Columns that splits are told by name."""

from typing import Any

from dmlkit.errors import InputError, MissingColumnError

__all__ = ["check_named"]


def check_named(frame: Any, *names: Any) -> None:
    """Raise unless each name is that of a column.

    Raises
    ------
    InputError
        The column itself was given, as scikit-learn takes it.
    MissingColumnError
    """
    for name in names:
        if hasattr(name, "__array__") or isinstance(name, list):
            raise InputError(
                "A column is told by its name here, so that it goes with its rows wherever they "
                f"are: write split(frame, 'label'), not split(frame, {type(name).__name__})."
            )
        if name not in frame.columns:
            raise MissingColumnError.of("frame", name, frame.columns)
