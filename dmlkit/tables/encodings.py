"""How columns are encoded in Parquet files: by a look at a few rows of each."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

__all__ = ["encodings_of"]

#: So many rows are looked at, in as long stretches of neighbours.
SAMPLE, STRETCH = 4096, 32
#: More distinct values than this are better off without a dictionary: their numbers in it take more
#: than 16 bits, and soon it is larger than the 1 MiB that it may be.
MOST_DISTINCT = 65_536
#: The same where values are written about as small without one: floats of which most equal their
#: neighbour, since zstd finds runs, and whole numbers of a narrow range, in no runs.
FEWER_DISTINCT, NARROW = 8_192, 1 << 20

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


def _rarely_repeats(some: pa.ChunkedArray) -> bool:
    """Return whether some values seem to be of more than a dictionary is good for.

    Of n values out of d, about n^2 / 2d are there already (as birthdays are). A value that goes on
    from row to row is taken once.
    """
    known = some.drop_null().combine_chunks()
    goes_on = pa.compute.equal(known[1:], known[:-1])
    starts = known[1:].filter(pa.compute.invert(goes_on))
    again = len(starts) - pa.compute.count_distinct(starts).as_py()
    in_runs = 2 * len(starts) < len(known)
    small = in_runs if pa.types.is_floating(known.type) else not in_runs and _is_narrow(starts)
    most = FEWER_DISTINCT if small else MOST_DISTINCT
    return len(starts) ** 2 > 2 * most * max(again, 1)


def _is_narrow(some: pa.Array) -> bool:
    """Return whether whole numbers or times lie near each other."""
    if not len(some):
        return False
    least, most = pa.compute.min_max(some.cast(pa.int64())).as_py().values()
    return bool(most - least < NARROW)
