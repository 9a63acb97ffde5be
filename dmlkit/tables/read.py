"""`read_table`: a lazy frame from the files of a table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from dask.utils import parse_bytes

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.tables.check import DEFAULT_MAX_BAD_SHARE, check_table
from dmlkit.tables.delta import plan_delta
from dmlkit.tables.parquet import ParquetPiece, filter_columns, plan_parquet
from dmlkit.tables.pieces import PieceReader, to_pandas
from dmlkit.tables.schema import Schema
from dmlkit.tables.sources import Source, find_source
from dmlkit.tables.text import PROBLEM, plan_text

__all__ = ["read_table"]


def read_table(
    path: str | os.PathLike[str],
    *,
    schema: Schema | None = None,
    columns: Sequence[str] | None = None,
    filters: Any = None,
    quarantine: str | None = None,
    as_text: bool = False,
    partition_bytes: str | int | None = None,
    version: int | str | datetime | None = None,
) -> Any:
    r"""Read a table lazily: Parquet, CSV, JSON lines or Delta Lake.

    Parameters
    ----------
    path : str
        A file, a folder, a glob, or a URL of a store that fsspec knows.
    schema : Schema, optional
        Check the table against it now, in one pass (see `check_table`), and return good rows.
    columns : sequence of str, optional
        Only these are read, and with a schema also those that it names, to be checked.
    filters : list of tuple, optional
        Such as ``[("time", ">=", start)]``, or a list of such lists of which one must hold (as
        pyarrow has it). Row groups without such rows are not read. With a schema, rows of text
        files are checked first, since only then their values have types.
    quarantine : str, optional
        With a schema, the folder for bad rows, of which 1% are borne; without one, a bad row is
        an error.
    as_text : bool
        Leave the columns of CSV as text and keep rows that can't be read, for `check_table` to
        convert and to put in quarantine. Otherwise such a row is an error.
    partition_bytes : str or int, optional
        Memory that a partition shall take; whole row groups or lines are put together up to it.
        Without it 128 MiB, or as few as 32 where there would be less than six partitions. A
        compressed text file is one partition.
    version : int, str or datetime, optional
        Of a Delta Lake table, an earlier version: its number (`WrittenTable.version`), or a time
        such as ``"2026-03-01 12:00"``, in UTC where it has no zone, at which it was the newest.

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
    An empty value of CSV is missing, and so are NA, NaN, N/A, null and None where numbers, times
    or truth values are expected. The types of text files are taken from the first rows; fields of
    JSON that come up later only are left out. Where a quoted value with a line break is cut by the
    end of a partition (looked for in the first rows), an error says so.

    The values of folders such as ``day=2025-01-01/`` become columns.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from dmlkit import read_table
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("card,amount\n1,9.5\n2,3.0\n")
    >>> read_table(folder, columns=["amount"]).amount.sum().compute()
    np.float64(12.5)
    """
    size = None if partition_bytes is None else _bytes(partition_bytes)
    source = _at(find_source(path), version)
    if schema is not None:
        return _checked(source, schema, columns, filters, quarantine, size)
    return _read(source, columns, filters, size, as_text=as_text)


def _at(source: Source, version: Any) -> Source:
    if version is not None and source.format != "delta":
        raise ConfigurationError(
            f"version={version!r}, and {source.path!r} is no Delta Lake table: only these (such as "
            "`write_table` writes) keep earlier versions. Leave it out."
        )
    return replace(source, version=version)


def _read(
    source: Source,
    columns: Sequence[str] | None,
    filters: Any,
    partition_bytes: int | None,
    *,
    as_text: bool,
    kinds: Mapping[str, str] | None = None,
) -> Any:
    _check_filters(filters)
    pieces, arrow_schema = _plan(source, columns, filters, partition_bytes, as_text, kinds)
    names = arrow_schema.names
    columns = list(names if columns is None else _with_problem(columns, names))
    for column in (*columns, *sorted(filter_columns(filters))):
        if column not in names:
            there = [name for name in names if name != PROBLEM]
            raise MissingColumnError.of(source.path, column, there)
    try:
        meta = to_pandas(arrow_schema.empty_table())[columns]
    except pa.ArrowException as error:
        raise InputError(f"A column of {source.path!r} cannot be read: {error}.") from None
    pieces = pieces or [ParquetPiece(None, ())]
    reader = PieceReader(source.path, arrow_schema, filters)
    # Text is of Arrow already; Dask would make lists and the like text too.
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(reader, pieces, columns=columns, meta=meta, label="read-table")


def _checked(
    source: Source,
    schema: Schema,
    columns: Sequence[str] | None,
    filters: Any,
    quarantine: str | None,
    partition_bytes: int | None,
) -> Any:
    """Return the good rows, of text files filtered only after the check has given them types."""
    is_text = source.format in ("csv", "json")
    wanted = None
    if columns is not None:
        names = [*columns, *schema.names, *(sorted(filter_columns(filters)) if is_text else ())]
        wanted = list(dict.fromkeys(names))
    early, late = (None, filters) if is_text else (filters, None)
    kinds = {column.name: column.dtype for column in schema.columns}
    raw = _read(source, wanted, early, partition_bytes, as_text=True, kinds=kinds)
    share = 0.0 if quarantine is None else DEFAULT_MAX_BAD_SHARE
    frame = check_table(raw, schema, quarantine=quarantine, max_bad_share=share).frame
    if late is not None:
        frame = frame.map_partitions(_filtered, late, meta=frame._meta)
    return frame if columns is None else frame[list(columns)]


def _filtered(frame: pd.DataFrame, filters: Any) -> pd.DataFrame:
    looked_at = frame[sorted(filter_columns(filters))].reset_index(drop=True)
    table = pa.Table.from_pandas(looked_at, preserve_index=False)
    table = table.append_column("__row", pa.array(range(len(table)), pa.int64()))
    rows = table.filter(pyarrow.parquet.filters_to_expression(filters)).column("__row")
    return frame.take(rows.to_numpy()).reset_index(drop=True)


def _plan(
    source: Source,
    columns: Sequence[str] | None,
    filters: Any,
    partition_bytes: int | None,
    as_text: bool,
    kinds: Mapping[str, str] | None,
) -> tuple[Sequence[Any], pa.Schema]:
    if source.format == "delta":
        return plan_delta(source, filters, columns, partition_bytes)
    if source.format == "parquet":
        return plan_parquet(source, filters, columns, partition_bytes)
    return plan_text(source, partition_bytes, as_text=as_text, kinds=kinds)


def _bytes(size: str | int) -> int:
    try:
        number = parse_bytes(size) if isinstance(size, str) else int(size)
    except ValueError:
        number = 0
    if number <= 0:
        raise ConfigurationError(f"partition_bytes is {size!r}. Give a size such as '128MiB'.")
    return number


def _check_filters(filters: Any) -> None:
    if filters is None:
        return
    try:
        pyarrow.parquet.filters_to_expression(filters)
    except (ValueError, TypeError, IndexError) as error:
        raise ConfigurationError(
            f"filters is {filters!r}: {error}. Give tuples such as ('amount', '>=', 10)."
        ) from None


def _with_problem(columns: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    return [*columns, PROBLEM] if PROBLEM in names and PROBLEM not in columns else columns
