"""What is known of a table without reading its rows: from the footers of its Parquet files."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
from dask.dataframe.dask_expr.io import FromMap

from dmlkit.errors import InputError
from dmlkit.tables.footers import memory_of_row_group
from dmlkit.tables.parquet import ParquetPiece, footers_of
from dmlkit.tables.pieces import is_table_read
from dmlkit.tables.text import TextPiece, bytes_of_line, bytes_of_piece

__all__ = ["PartFacts", "TableFacts", "table_facts"]

#: When: a time without a zone, or the number of a step or cycle.
_When = Any
#: Of a row group: its rows, and from when to when they reach.
_Span = tuple[int, _When, _When]


@dataclass(frozen=True)
class PartFacts:
    """A partition: its rows, its bytes in memory and in files, and what footers say of times."""

    rows: int
    bytes: int
    stored: int
    spans: tuple[_Span, ...] = ()


@dataclass(frozen=True)
class TableFacts:
    """A table, as far as its metadata tell.

    Attributes
    ----------
    parts : tuple of PartFacts
    meta : pd.DataFrame
        Without rows.
    exact : bool
        Whether rows are counted; those of text files are estimated from their first lines.
    """

    parts: tuple[PartFacts, ...]
    meta: pd.DataFrame
    exact: bool

    @property
    def rows(self) -> int:
        """Of all partitions."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        """In memory, of all partitions."""
        return sum(part.bytes for part in self.parts)

    @property
    def packed(self) -> float | None:
        """How large it is in files, as a share of what it takes in memory; None for text."""
        return sum(part.stored for part in self.parts) / (self.bytes or 1) if self.exact else None

    @property
    def largest(self) -> int:
        """The bytes of the largest partition in memory."""
        return max((part.bytes for part in self.parts), default=0)

    @property
    def period(self) -> tuple[Any, Any] | None:
        """From when to when rows reach (times, or numbers); None where that is not known."""
        spans = [span for part in self.parts for span in part.spans]
        if not spans:
            return None
        return min(first for _, first, _ in spans), max(last for _, _, last in spans)

    def rows_between(self, start: Any, end: Any) -> int:
        """Estimate the rows in ``[start, end)``, as if those of a row group lay evenly in time.

        Where times are not known, all rows may be.
        """
        if self.period is None:
            return self.rows
        return round(
            sum(
                rows * _share(first, last, start, end)
                for part in self.parts
                for rows, first, last in part.spans
            )
        )


def table_facts(frame: Any, time: str | None = None) -> TableFacts:
    """Tell what is known of a table.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        From `read_table`; its columns may have been renamed.
    time : str, optional
        What the files call the column of times or steps, for `TableFacts.rows_between`.

    Returns
    -------
    TableFacts

    Raises
    ------
    InputError
        The frame is not one of `read_table`.

    Examples
    --------
    >>> import tempfile
    >>> from dmlkit import read_table
    >>> file = f"{tempfile.mkdtemp()}/table.parquet"
    >>> pd.DataFrame({"card": [1, 2, 3], "amount": [5.0, 1.0, 3.0]}).to_parquet(file)
    >>> facts = table_facts(read_table(file))
    >>> facts.rows, facts.bytes, len(facts.parts)
    (3, 48, 1)
    """
    reads = [each for each in frame.expr.find_operations(FromMap) if is_table_read(each)]
    if len(reads) != 1:
        raise InputError("What is known of a table can be told of one that read_table returned.")
    read = reads[0]
    pieces = list(read.iterables[0])
    types = {name: read.func.schema.field(name).type for name in read.kwargs["columns"]}
    if pieces and isinstance(pieces[0], TextPiece):
        line = bytes_of_line(pieces[0])
        sizes = [bytes_of_piece(piece) for piece in pieces]
        parts = [PartFacts(max(round(size / line), 1), size, size) for size in sizes]
        return TableFacts(tuple(parts), frame._meta, exact=False)
    footers = footers_of(pieces)
    parts = [_of_parquet(piece, footers, types, time) for piece in pieces]
    return TableFacts(tuple(parts), frame._meta, exact=True)


def _of_parquet(
    piece: ParquetPiece,
    footers: Mapping[str, Any],
    types: Mapping[str, pa.DataType],
    time: str | None,
) -> PartFacts:
    groups = [
        footers[name].row_group(number) for name, numbers in piece.parts for number in numbers
    ]
    in_files = {name: kind for name, kind in types.items() if name not in piece.constants}
    rows = sum(group.num_rows for group in groups)
    size = sum(memory_of_row_group(group, in_files) for group in groups)
    size += 8 * rows * (len(types) - len(in_files))
    stored = sum(_stored(group, in_files) for group in groups)
    spans = [_span(group, time) for group in groups] if time else []
    known = [span for span in spans if span is not None]
    return PartFacts(rows, size, stored, tuple(known) if len(known) == len(spans) else ())


def _stored(group: Any, wanted: Container[str]) -> int:
    columns = (group.column(index) for index in range(group.num_columns))
    return sum(
        column.total_compressed_size
        for column in columns
        if column.path_in_schema.partition(".")[0] in wanted
    )


def _span(group: Any, time: str) -> _Span | None:
    for index in range(group.num_columns):
        column = group.column(index)
        statistics = column.statistics if column.path_in_schema == time else None
        if statistics is None or not statistics.has_min_max:
            continue
        if isinstance(statistics.min, date | int | float):
            return group.num_rows, _plain(statistics.min), _plain(statistics.max)
    return None


def _plain(when: Any) -> Any:
    """Return a time without its zone (as in UTC, which is what Parquet keeps), a day as a time."""
    if isinstance(when, date) and not isinstance(when, datetime):
        return datetime(when.year, when.month, when.day)
    return when.replace(tzinfo=None) if isinstance(when, datetime) else when


def _share(first: Any, last: Any, start: Any, end: Any) -> float:
    """Return the share of what reaches from `first` to `last` that lies in ``[start, end)``."""
    if first == last:
        return float(start <= first < end)
    inside: float = (min(last, end) - max(first, start)) / (last - first)
    return max(inside, 0.0)
