"""How large the partitions of a table are where nobody says, and how large a row is."""

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["bytes_per_row", "partition_size"]

#: Bytes of memory that a partition of a large table takes, and at least one of a smaller table: a
#: partition costs some milliseconds wherever it goes.
LARGE, SMALL = 128 << 20, 32 << 20

#: Partitions that a table has, if these are not small then: all workers have something to do.
FEWEST = 6

#: Assumed of a value whose size its dtype does not tell, such as a text.
BYTES_OF_TEXT = 24


def partition_size(table_bytes: int, asked: int | None = None) -> int:
    """Return how many bytes of memory a partition shall take: what is asked for, if anything is.

    It depends on the table alone, so that its partitions are the same on any cluster.

    Examples
    --------
    >>> [partition_size(size << 20) >> 20 for size in (1, 384, 10_000)]
    [32, 64, 128]
    """
    return min(max(table_bytes // FEWEST, SMALL), LARGE) if asked is None else asked


def bytes_per_row(meta: pd.DataFrame) -> int:
    """Return how large a row of a frame like this is in memory, more or less."""
    return sum(_bytes_of(dtype) for dtype in meta.dtypes) or 1


def _bytes_of(dtype: Any) -> int:
    known = isinstance(dtype, np.dtype) and dtype.kind != "O"
    return int(dtype.itemsize) if known else BYTES_OF_TEXT
