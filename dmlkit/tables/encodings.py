"""How columns are encoded in Parquet files: by a look at a few rows of each."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

__all__ = ["encodings_of"]

#: So many rows are looked at, in as long stretches of neighbours.
SAMPLE, STRETCH = 4096, 32
#: More distinct values than this are numbered by more than 16 bits, and soon don't fit into a
#: dictionary, which holds 1 MiB.
MOST_DISTINCT = 65_536

#: Of zstd. What is random in its last bits is found out fast by the lower one, which compresses
#: such numbers as well.
LEVEL, LEVEL_OF_FLOATS = 1, -1


def encodings_of(table: pa.Table) -> dict[str, Any]:
    """Return what `pyarrow.parquet.write_table` should know to write a table fast.

    A dictionary is best for values that come again. Of those that don't (means, sums, times,
    identifiers), building one takes half of the time, only to be given up when it is full. They
    are written as they are (floats) or as differences (whole numbers and times, which makes them
    smaller), and are read faster then.

    Splitting floats into the streams of their bytes (BYTE_STREAM_SPLIT) would be faster still, but
    Spark's usual reader has known that since 2026 only.

    Examples
    --------
    >>> numbers = np.arange(10_000)
    >>> table = pa.table({"id": numbers, "day": numbers % 7, "mean": numbers / 7})
    >>> encodings = encodings_of(table)
    >>> encodings["use_dictionary"], encodings["column_encoding"]
    (['day'], {'id': 'DELTA_BINARY_PACKED', 'mean': 'PLAIN'})
    """
    chosen = _without_dictionary(table)
    if not chosen:
        return {"compression": "zstd", "compression_level": LEVEL}
    floats = [name for name, encoding in chosen.items() if encoding == "PLAIN"]
    return {
        "compression": "zstd",
        "compression_level": dict.fromkeys(table.column_names, LEVEL)
        | dict.fromkeys(floats, LEVEL_OF_FLOATS),
        "use_dictionary": [name for name in table.column_names if name not in chosen],
        "column_encoding": chosen,
    }


def _without_dictionary(table: pa.Table) -> dict[str, str]:
    """Return the encodings of the columns that are better off without a dictionary."""
    if any(pa.types.is_nested(field.type) for field in table.schema):
        return {}  # of such columns the writer knows parts only, by names of its own
    encodings = {field.name: encoding for field in table.schema if (encoding := _encoding(field))}
    some = table.select(list(encodings)).take(_rows(len(table)))
    return {name: encoding for name, encoding in encodings.items() if _rarely_repeats(some[name])}


def _encoding(field: pa.Field) -> str | None:
    """Return the encoding of numbers that hardly come again, for types that have one."""
    kind = field.type
    if pa.types.is_float64(kind) or pa.types.is_float32(kind):
        return "PLAIN"
    if pa.types.is_int64(kind) or pa.types.is_int32(kind) or pa.types.is_timestamp(kind):
        return "DELTA_BINARY_PACKED"
    return None


def _rows(count: int) -> np.ndarray:
    """Return the numbers of rows to look at: neighbours, that runs be seen, in many places."""
    if count <= SAMPLE:
        return np.arange(count)
    starts = np.linspace(0, count - STRETCH, SAMPLE // STRETCH).astype(np.int64)
    return (starts[:, None] + np.arange(STRETCH)).ravel()


def _rarely_repeats(some: Any) -> bool:
    """Return whether some values seem to be of more than `MOST_DISTINCT`.

    Of n values out of d, about n^2 / 2d are there already (as birthdays are).
    """
    count = len(some) - some.null_count
    again = count - pa.compute.count_distinct(some).as_py()
    return count**2 > 2 * MOST_DISTINCT * max(again, 1)
