"""Frames of pandas where frames of Dask are worked on: one partition in, a frame of pandas out."""

from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd

from dmlkit.errors import InputError

__all__ = ["as_given", "lazily"]


def lazily(frame: Any) -> Any:
    """Return a frame as Dask has it; a frame of pandas is one partition, with the same types.

    Raises
    ------
    InputError
        It is neither.
    """
    if frame is None or hasattr(frame, "_meta"):
        return frame
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"A frame of Dask or pandas is needed, and this is {type(frame).__name__!r}. Convert "
            "it first (of polars or Arrow: to_pandas), or read files with read_table."
        )
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_pandas(frame, npartitions=1, sort=False)


def as_given(made: Any, given: Any) -> Any:
    """Return a frame of Dask, or a frame of pandas where that is what was given."""
    if not isinstance(given, pd.DataFrame):
        return made
    return made.compute(scheduler="sync")  # the rows are here, and no worker need have them
