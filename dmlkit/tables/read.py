"""`read_table`: a lazy frame from the files of a table."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from dask.utils import parse_bytes

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.tables.check import DEFAULT_MAX_BAD_SHARE, check_table
from dmlkit.tables.delta import plan_delta
from dmlkit.tables.parquet import plan_parquet, read_parquet_piece
from dmlkit.tables.schema import Schema
from dmlkit.tables.sources import Source, find_source
from dmlkit.tables.text import PROBLEM, TextPiece, plan_text, read_text_piece

__all__ = ["read_table"]


def read_table(
    path: str | os.PathLike[str],
    *,
    schema: Schema | None = None,
    columns: Sequence[str] | None = None,
    filters: Any = None,
    quarantine: str | None = None,
    as_text: bool = False,
    partition_bytes: str | int = "128MiB",
) -> Any:
    r"""Read a table lazily: Parquet, CSV, JSON lines or Delta Lake.

    Parameters
    ----------
    path : str
        A file, a folder, a glob, or a URL of a store that fsspec knows.
    schema : Schema, optional
        Check the table against it now, in one pass (see `check_table`), and return good rows.
    columns : sequence of str, optional
        Only these are read.
    filters : list of tuple, optional
        Such as ``[("time", ">=", start)]``, or a list of such lists of which one must hold (as
        pyarrow has it). Row groups without such rows are not read.
    quarantine : str, optional
        With a schema, the folder for bad rows; without one, a bad row is an error.
    as_text : bool
        Leave the columns of CSV as text and keep rows that can't be read, for `check_table` to
        convert and to put in quarantine. Otherwise such a row is an error.
    partition_bytes : str or int
        Memory that a partition shall take; whole row groups or lines are put together up to it.

    Returns
    -------
    dask.dataframe.DataFrame
        Integers with missing values are ``Int64``, text is an Arrow string.

    Raises
    ------
    MissingFileError
        Nothing is there.
    MissingColumnError
        A column is not in the table.
    InputError
        A file is empty, damaged, or of another format or schema than the others. What only
        shows when data is read is raised from `compute`.

    Notes
    -----
    A line break within a quoted CSV value is read only where the file is one partition.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from dmlkit import read_table
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("card,amount\n1,9.5\n2,3.0\n")
    >>> read_table(folder, columns=["amount"]).amount.sum().compute()
    np.float64(12.5)
    """
    if schema is not None:
        raw = read_table(
            path, columns=columns, filters=filters, as_text=True, partition_bytes=partition_bytes
        )
        share = 0.0 if quarantine is None else DEFAULT_MAX_BAD_SHARE
        return check_table(raw, schema, quarantine=quarantine, max_bad_share=share).frame
    source = find_source(path)
    size = parse_bytes(partition_bytes) if isinstance(partition_bytes, str) else partition_bytes
    pieces, arrow_schema = _plan(source, filters, size, as_text)
    names = arrow_schema.names
    columns = list(names if columns is None else _with_problem(columns, names))
    for column in columns:
        if column not in names:
            raise MissingColumnError.of(str(path), column, names)
    meta = _to_pandas(arrow_schema.empty_table())[columns]
    expression = None if filters is None else pyarrow.parquet.filters_to_expression(filters)
    if not pieces:
        return dd.from_pandas(meta, npartitions=1)
    read = partial(_read_piece, schema=arrow_schema, expression=expression)
    return dd.from_map(read, pieces, columns=columns, meta=meta, label="read-table")


def _plan(
    source: Source, filters: Any, partition_bytes: int, as_text: bool
) -> tuple[Sequence[Any], pa.Schema]:
    if source.format == "delta":
        return plan_delta(source, filters, partition_bytes)
    if source.format == "parquet":
        return plan_parquet(source, filters, partition_bytes)
    return plan_text(source, partition_bytes, as_text=as_text)


def _with_problem(columns: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    return [*columns, PROBLEM] if PROBLEM in names and PROBLEM not in columns else columns


def _read_piece(
    piece: Any, columns: Sequence[str], schema: pa.Schema, expression: Any
) -> pd.DataFrame:
    read = read_text_piece if isinstance(piece, TextPiece) else read_parquet_piece
    return _to_pandas(read(piece, schema, columns, expression))


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """Convert to pandas with dtypes that the schema alone decides, not the values."""
    fields = [_pandas_friendly(field) for field in table.schema]
    try:
        table = table.cast(pa.schema(fields))
    except pa.ArrowException as error:
        raise InputError(f"A column cannot be converted: {error}.") from None
    frame = table.to_pandas(ignore_metadata=True, split_blocks=True)
    for field in fields:
        if field.nullable and pa.types.is_boolean(field.type):
            values = table.column(field.name).to_pylist()
            frame[field.name] = pd.array(values, dtype="boolean")
        elif field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = _nullable_integers(table.column(field.name))
    return frame


def _pandas_friendly(field: pa.Field) -> pa.Field:
    if pa.types.is_decimal(field.type):
        return field.with_type(pa.float64())
    if pa.types.is_date(field.type):
        return field.with_type(pa.timestamp("us"))
    return field


def _nullable_integers(column: pa.ChunkedArray) -> Any:
    mask = column.is_null().to_numpy()
    values = column.fill_null(0).to_numpy()
    return pd.arrays.IntegerArray(values.copy(), mask)
