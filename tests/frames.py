"""Frames that tests share."""

from typing import Any

import dask.dataframe as dd
import pandas as pd


def with_an_empty_part(table: pd.DataFrame, partitions: int) -> Any:
    """Return a table in so many partitions and an empty one, whose divisions nobody knows."""
    frame = dd.from_pandas(table, npartitions=partitions, sort=False)
    empty = dd.from_pandas(table.iloc[:0], npartitions=1, sort=False)
    return dd.concat([empty, frame], interleave_partitions=False).clear_divisions()
