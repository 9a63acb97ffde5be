"""From where to where a column's values reach in each partition of a table, by its footers.

And what may be done to a frame so that this still holds.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pandas.api.types import is_integer_dtype, is_string_dtype

from dmlkit.tables.parquet import ParquetPiece, footers_of
from dmlkit.tables.pieces import is_table_read

__all__ = ["Extent", "extents_of", "keeps_rows", "leaves_as_they_are"]

#: Parquet's names for units of time, and NumPy's.
UNITS: dict[str, Any] = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}

#: Types whose values are the same in any other of them.
KINDS = (is_integer_dtype, is_string_dtype)


@dataclass(frozen=True)
class Extent:
    """What is known of a column in a partition.

    Attributes
    ----------
    rows : int
        Of the partition, before any are filtered.
    least, greatest : value or None
        No value is below or above; None where all are missing. Times are NumPy's, in UTC.
    """

    rows: int
    least: Any
    greatest: Any


def extents_of(read: Any, columns: Sequence[str]) -> dict[str, list[Extent]]:
    """Tell from where to where columns reach in each partition, without reading any row.

    Parameters
    ----------
    read : dask expression
        Of a frame that `read_table` returned; of another nothing is known.
    columns : sequence of str

    Returns
    -------
    dict of str to list of Extent
        Without columns of which files don't tell: in text files, without statistics, of
        floating-point numbers.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from dmlkit import read_table
    >>> file = f"{tempfile.mkdtemp()}/table.parquet"
    >>> pd.DataFrame({"card": [3, 1, 2], "amount": [5.0, 7.0, 6.0]}).to_parquet(file)
    >>> extents_of(read_table(file).expr, ["card", "amount"])
    {'card': [Extent(rows=3, least=1, greatest=3)]}
    """
    if not is_table_read(read):
        return {}
    pieces = list(read.iterables[0])
    if not all(isinstance(piece, ParquetPiece) for piece in pieces):
        return {}
    footers = footers_of(pieces)
    told = {name: [_of_piece(piece, footers, name) for piece in pieces] for name in columns}
    return {name: known for name in told if (known := _all_known(told[name]))}


def keeps_rows(function: Any) -> Any:
    """Mark a function for `map_partitions` that leaves rows where they are, or drops some.

    Columns keep their values, but for new ones and those that become of another kind.
    """
    function.keeps_rows = True
    return function


def leaves_as_they_are(mapped: Any, columns: Iterable[str]) -> bool:
    """Tell whether an expression of `map_partitions` leaves rows and the values of columns.

    A whole number stays one of any width, and text is text; where text becomes a number, "1" and
    "01" are two values before and one after.
    """
    if not hasattr(mapped.func, "keeps_rows"):
        return False
    before, after = mapped.frame._meta.dtypes, mapped._meta.dtypes
    return all(
        before[name] == after[name]
        or any(is_kind(before[name]) and is_kind(after[name]) for is_kind in KINDS)
        for name in columns
    )


def _all_known(extents: Sequence[Extent | None]) -> list[Extent]:
    known = [extent for extent in extents if extent is not None]
    return known if len(known) == len(extents) else []


def _of_piece(piece: ParquetPiece, footers: dict[str, Any], column: str) -> Extent | None:
    groups = [(footers[name], number) for name, numbers in piece.parts for number in numbers]
    rows = sum(footer.row_group(number).num_rows for footer, number in groups)
    if column in piece.constants:
        return Extent(rows, piece.constants[column], piece.constants[column])
    bounds = [_bounds(footer, number, column) for footer, number in groups]
    known = [pair for pair in bounds if pair is not None]
    if len(known) < len(bounds):
        return None
    values = [value for pair in known for value in pair]
    return Extent(rows, min(values), max(values)) if values else Extent(rows, None, None)


def _bounds(footer: Any, number: int, column: str) -> tuple[Any, ...] | None:
    """Return the least and the greatest value of a row group, or nothing where there are none."""
    group = footer.row_group(number)
    places = (i for i in range(group.num_columns) if group.column(i).path_in_schema == column)
    place = next(places, None)
    statistics = None if place is None else group.column(place).statistics
    if statistics is None:
        return None
    if statistics.has_null_count and statistics.null_count == group.num_rows:
        return ()
    if not statistics.has_min_max:
        return None
    return tuple(_values(footer.schema.column(place), statistics)) or None


def _values(column: Any, statistics: Any) -> Iterator[Any]:
    """Yield the least and the greatest value where values of such a column can be compared."""
    kind = json.loads(column.logical_type.to_json())
    raw = statistics.min_raw, statistics.max_raw
    if kind["Type"] == "Timestamp" and kind.get("timeUnit") in UNITS:
        yield from (np.datetime64(value, UNITS[kind["timeUnit"]]) for value in raw)
    elif kind["Type"] == "Date":
        yield from (np.datetime64(value, "D") for value in raw)
    elif kind["Type"] == "String" or (
        kind["Type"] in ("None", "Int") and column.physical_type in ("INT32", "INT64")
    ):
        yield from (statistics.min, statistics.max)
