"""Parquet files (those of Delta Lake tables too) as partitions of whole row groups."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet

from dmlkit.errors import InputError
from dmlkit.tables.sources import Source, read_error

__all__ = ["ParquetPiece", "plan_parquet", "read_parquet_piece"]

FORMAT = pyarrow.dataset.ParquetFileFormat()


@dataclass(frozen=True)
class ParquetPiece:
    """Row groups of one or more files that make a partition.

    Attributes
    ----------
    filesystem : pyarrow.fs.FileSystem
    parts : tuple of (file, row groups)
    constants : mapping of str to value
        Columns that are the same in all rows and not in the file (of a partitioned table).
    """

    filesystem: Any
    parts: tuple[tuple[str, tuple[int, ...]], ...]
    constants: Mapping[str, Any] = field(default_factory=dict)


def plan_parquet(
    source: Source, filters: Any, partition_bytes: int
) -> tuple[list[ParquetPiece], pa.Schema]:
    """Read the footers, leave out row groups that filters rule out, and group the others.

    Returns
    -------
    pieces : list of ParquetPiece
        In the order of files and row groups.
    schema : pyarrow.Schema
        Of all files; columns that hold missing values somewhere are nullable.
    """
    filesystem = _arrow_filesystem(source.filesystem)
    with ThreadPoolExecutor(8) as pool:
        footers = list(pool.map(lambda name: _footer(filesystem, name), source.files))
    schema = _unite(source.files, footers)
    expression = None if filters is None else pyarrow.parquet.filters_to_expression(filters)
    pieces: list[ParquetPiece] = []
    parts: list[tuple[str, tuple[int, ...]]] = []
    size = 0
    for name, footer in zip(source.files, footers, strict=True):
        for group, group_size in _row_groups(filesystem, name, footer, expression):
            if size and size + group_size > partition_bytes:
                pieces.append(ParquetPiece(filesystem, tuple(parts)))
                parts, size = [], 0
            if parts and parts[-1][0] == name:
                parts[-1] = (name, (*parts[-1][1], group))
            else:
                parts.append((name, (group,)))
            size += group_size
    if parts:
        pieces.append(ParquetPiece(filesystem, tuple(parts)))
    return pieces, schema


def read_parquet_piece(
    piece: ParquetPiece, schema: pa.Schema, columns: Sequence[str], expression: Any
) -> pa.Table:
    """Read the columns of a piece, with the types of `schema`, rows filtered."""
    wanted = pa.schema([schema.field(name) for name in columns])
    tables = [
        _read_part(piece.filesystem, name, groups, schema, columns, expression)
        for name, groups in piece.parts
    ]
    table = pa.concat_tables(tables) if tables else wanted.empty_table()
    for name, value in piece.constants.items():
        if name in columns:
            constant = pa.array([value] * len(table)).cast(schema.field(name).type)
            table = table.append_column(schema.field(name), constant)
    return table.select(list(columns))


def _read_part(
    filesystem: Any,
    name: str,
    groups: tuple[int, ...],
    schema: pa.Schema,
    columns: Sequence[str],
    expression: Any,
) -> pa.Table:
    try:
        fragment = FORMAT.make_fragment(name, filesystem, row_groups=list(groups))
        there = [column for column in columns if column in fragment.physical_schema.names]
        table = fragment.to_table(columns=there, filter=expression, use_threads=False)
        for index, column in enumerate(there):
            target = schema.field(column)
            if table.schema.field(index).type != target.type:
                cast = table.column(index).cast(target.type)
                table = table.set_column(index, target, cast)
        return table
    except (pa.ArrowException, OSError) as error:
        raise read_error(name, error) from None


def _arrow_filesystem(filesystem: Any) -> Any:
    protocol = filesystem.protocol if isinstance(filesystem.protocol, str) else None
    protocols = (protocol,) if protocol else filesystem.protocol
    if "file" in protocols or "local" in protocols:
        return pyarrow.fs.LocalFileSystem()
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem))


def _footer(filesystem: Any, name: str) -> Any:
    try:
        with filesystem.open_input_file(name) as file:
            return pyarrow.parquet.ParquetFile(file).metadata
    except (pa.ArrowException, OSError) as error:
        raise read_error(name, error) from None


def _row_groups(filesystem: Any, name: str, footer: Any, expression: Any) -> list[tuple[int, int]]:
    """Return number and uncompressed bytes of the row groups that may hold wanted rows."""
    numbers = range(footer.num_row_groups)
    if expression is not None:
        fragment = FORMAT.make_fragment(name, filesystem)
        split = fragment.split_by_row_group(expression)
        numbers = [group.id for part in split for group in part.row_groups]
    return [(number, footer.row_group(number).total_byte_size) for number in numbers]


def _unite(files: Sequence[str], footers: Sequence[Any]) -> pa.Schema:
    """Return the schema that fits all files: wider numbers where they differ."""
    united = footers[0].schema.to_arrow_schema().remove_metadata()
    for name, footer in zip(files[1:], footers[1:], strict=True):
        schema = footer.schema.to_arrow_schema().remove_metadata()
        missing = sorted(set(united.names) ^ set(schema.names))
        if missing:
            holder = name if missing[0] in schema.names else files[0]
            raise InputError(
                f"The files of a table must have the same columns: {missing[0]!r} is in "
                f"{holder!r}, but not in {(files[0] if holder == name else name)!r}."
            )
        for field_ in schema:
            united = _widen(united, field_, files[0], name)
    nulls = {column for footer in footers for column in _columns_with_nulls(footer)}
    return pa.schema([field_.with_nullable(field_.name in nulls) for field_ in united])


def _widen(united: pa.Schema, other: pa.Field, first_file: str, file: str) -> pa.Schema:
    index = united.get_field_index(other.name)
    mine = united.field(index)
    if mine.type == other.type:
        return united
    try:
        pair = [pa.schema([mine]), pa.schema([other])]
        wide = pa.unify_schemas(pair, promote_options="permissive").field(0)
    except pa.ArrowException:
        raise InputError(
            f"Column {other.name!r} is {mine.type} in {first_file!r} but {other.type} in "
            f"{file!r}. Write the files with one type."
        ) from None
    return united.set(index, wide)


def _columns_with_nulls(footer: Any) -> set[str]:
    """Return the columns that hold missing values, or whose footer does not say."""
    found: set[str] = set()
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for index in range(group.num_columns):
            column = group.column(index)
            statistics = column.statistics
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                found.add(column.path_in_schema.split(".")[0])
    return found
