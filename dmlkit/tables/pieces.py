"""Pieces of tables as pandas frames, and where the rows of a frame come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from dask.dataframe.dask_expr.io import FromMap

from dmlkit.cluster import tell_rows
from dmlkit.errors import InputError
from dmlkit.tables.parquet import ParquetPiece, read_parquet_piece
from dmlkit.tables.text import TextPiece, read_text_piece

__all__ = ["Origin", "PieceReader", "find_origin", "is_table_read", "to_pandas"]


@dataclass(frozen=True)
class PieceReader:
    """Reads a piece of the table at `path` as a frame: what a task of `read_table` does."""

    path: str
    schema: pa.Schema
    filters: Any

    def __call__(self, piece: ParquetPiece | TextPiece, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns of a piece."""
        read: Any = read_text_piece if isinstance(piece, TextPiece) else read_parquet_piece
        table = read(piece, self.schema, columns, self.filters)
        tell_rows("read", len(table), table.nbytes)
        try:
            return to_pandas(table)
        except pa.ArrowException as error:
            raise InputError(
                f"A column of {', '.join(map(repr, piece.files))} cannot be converted: {error}."
            ) from None


@dataclass(frozen=True)
class Origin:
    """Where a frame comes from, as far as known.

    Attributes
    ----------
    path : str
        Of the table, as the user wrote it.
    files : list of str
        For each partition of the frame; empty when not known.
    """

    path: str
    files: list[str]


def find_origin(frame: Any) -> Origin:
    """Return from which table, and by partition from which files, a Dask frame was read.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> find_origin(dd.from_pandas(pd.DataFrame({"a": [1]}), npartitions=1))
    Origin(path='the table', files=[])
    """
    reads = [read for read in frame.expr.find_operations(FromMap) if is_table_read(read)]
    if len(reads) != 1:
        return Origin("the table", [])
    pieces = reads[0].iterables[0]
    files = [", ".join(piece.files) for piece in pieces]
    return Origin(reads[0].func.path, files if len(files) == frame.npartitions else [])


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Convert to pandas with dtypes that the schema alone decides, not the values."""
    fields = [_pandas_friendly(field) for field in table.schema]
    table = table.cast(pa.schema(fields))
    frame = table.to_pandas(ignore_metadata=True, split_blocks=True)
    for field in fields:
        if not field.nullable:
            continue
        if pa.types.is_boolean(field.type):
            frame[field.name] = _nullable(table.column(field.name), pd.arrays.BooleanArray, False)
        elif pa.types.is_integer(field.type):
            frame[field.name] = _nullable(table.column(field.name), pd.arrays.IntegerArray, 0)
    return frame


def is_table_read(read: Any) -> bool:
    """Tell whether an expression of a Dask frame is what `read_table` returned."""
    return isinstance(read, FromMap) and isinstance(read.func, PieceReader)


def _pandas_friendly(field: pa.Field) -> pa.Field:
    kind = field.type
    if pa.types.is_dictionary(kind):
        field = field.with_type(kind.value_type)
        return _pandas_friendly(field)
    if pa.types.is_decimal(kind):
        return field.with_type(pa.float64())
    if pa.types.is_date(kind):
        return field.with_type(pa.timestamp("us"))
    if pa.types.is_null(kind):
        return field.with_type(pa.string())
    return field


def _nullable(column: pa.ChunkedArray, array: Any, filler: Any) -> Any:
    mask = column.is_null().to_numpy()
    values = np.array(column.fill_null(filler).to_numpy())  # a copy: Arrow's is read-only
    return array(values, mask)
