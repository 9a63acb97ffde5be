"""Parquet files (those of Delta Lake tables too) as partitions of whole row groups."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet

from dmlkit.errors import InputError
from dmlkit.tables.footers import memory_of_row_group, unite_schemas
from dmlkit.tables.partition_size import partition_size
from dmlkit.tables.sources import Source, read_error

__all__ = [
    "ParquetPiece",
    "filter_columns",
    "footers_of",
    "plan_files",
    "plan_parquet",
    "read_parquet_piece",
]

FORMAT = pyarrow.dataset.ParquetFileFormat()

#: How a folder is called whose files have no value in the column that they are apart by.
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

_Part = tuple[str, tuple[int, ...]]


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
    parts: tuple[_Part, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """The files that rows of this piece are from."""
        return [name for name, _ in self.parts]


def plan_parquet(
    source: Source, filters: Any, columns: Sequence[str] | None, partition_bytes: int | None
) -> tuple[list[ParquetPiece], pa.Schema]:
    """Plan the partitions of a file, or of a folder with folders such as ``day=2025-01-01/``.

    Returns
    -------
    pieces : list of ParquetPiece
        In the order of files and row groups.
    schema : pyarrow.Schema
        Of all files, then the columns that folders have the values of.
    """
    groups: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
    for name in source.files:
        groups.setdefault(_folder_values(name, source.location), []).append(name)
    _check_folders(groups)
    fields = _folder_fields(groups)
    files = [
        (name, {key: _typed(value, fields[key].type) for key, value in values})
        for values, names in groups.items()
        for name in names
    ]
    pieces, schema = plan_files(source.filesystem, files, filters, columns, partition_bytes)
    return pieces, pa.schema([*schema, *fields.values()])


def plan_files(
    filesystem: Any,
    files: Sequence[tuple[str, Mapping[str, Any]]],
    filters: Any,
    columns: Sequence[str] | None,
    partition_bytes: int | None,
    declared: pa.Schema | None = None,
) -> tuple[list[ParquetPiece], pa.Schema]:
    """Read the footers, leave out row groups that filters rule out, and group the others.

    Parameters
    ----------
    filesystem : fsspec.AbstractFileSystem
    files : sequence of (str, mapping)
        Each with its constants; files with different constants are kept apart.
    partition_bytes : int or None
        As for `partition_size`.
    declared : pyarrow.Schema, optional
        Of the columns in files, where the table keeps it.
    """
    filesystem = _arrow_filesystem(filesystem)
    names = [name for name, _ in files]
    with ThreadPoolExecutor(8) as pool:
        footers = list(pool.map(lambda name: _footer(filesystem, name), names))
    schema = unite_schemas(names, footers, declared) if files else declared or pa.schema([])
    wanted = set(schema.names if columns is None else columns) | filter_columns(filters)
    types = {field.name: field.type for field in schema if field.name in wanted}
    groups = [
        (name, constants, number, memory_of_row_group(footer.row_group(number), types))
        for (name, constants), footer in zip(files, footers, strict=True)
        for number in _row_groups(filesystem, name, footer, constants, filters, schema)
    ]
    most = partition_size(sum(size for *_, size in groups), partition_bytes)
    pieces: list[ParquetPiece] = []
    parts: list[_Part] = []
    of, total = None, 0
    for name, constants, number, size in groups:
        if parts and (constants != of or total + size > most):
            pieces.append(ParquetPiece(filesystem, _by_file(parts), of or {}))
            parts, total = [], 0
        parts.append((name, (number,)))
        of, total = constants, total + size
    if parts:
        pieces.append(ParquetPiece(filesystem, _by_file(parts), of or {}))
    return pieces, schema


def read_parquet_piece(
    piece: ParquetPiece, schema: pa.Schema, columns: Sequence[str], filters: Any
) -> pa.Table:
    """Read the columns of a piece, with the types of `schema`, rows filtered."""
    needed = list(dict.fromkeys([*columns, *filter_columns(filters)]))
    in_files = pa.schema([schema.field(name) for name in needed if name not in piece.constants])
    parts = [_read_part(piece.filesystem, *part, in_files) for part in piece.parts]
    parts = parts or [in_files.empty_table()]  # of a table without rows
    rows = sum(map(len, parts))
    arrays = dict(zip(in_files.names, pa.concat_tables(parts).columns, strict=True))
    for name, value in piece.constants.items():
        if name in needed:
            constant = pa.scalar(value).cast(schema.field(name).type)
            arrays[name] = pa.chunked_array([pa.repeat(constant, rows)])
    fields = [schema.field(name) for name in needed]
    table = pa.Table.from_arrays([arrays[name] for name in needed], schema=pa.schema(fields))
    if filters is not None:
        table = table.filter(pyarrow.parquet.filters_to_expression(filters))
    return table.select(list(columns))


def filter_columns(filters: Any) -> set[str]:
    """Return the columns that filters look at.

    Examples
    --------
    >>> sorted(filter_columns([[("day", ">", 3), ("card", "==", 1)], [("amount", "<", 5)]]))
    ['amount', 'card', 'day']
    """
    found: set[str] = set()
    for condition in filters or ():
        found |= filter_columns(condition) if isinstance(condition, list) else {condition[0]}
    return found


def _read_part(filesystem: Any, name: str, groups: tuple[int, ...], wanted: pa.Schema) -> pa.Table:
    try:
        fragment = FORMAT.make_fragment(name, filesystem, row_groups=list(groups))
        there = [name for name in wanted.names if name in fragment.physical_schema.names]
        table = fragment.to_table(columns=there, use_threads=False)
        for field_ in wanted:
            if field_.name not in there:
                table = table.append_column(field_, pa.nulls(len(table), field_.type))
        return table.select(wanted.names).cast(wanted) if wanted.names else table
    except (pa.ArrowException, OSError, ValueError) as error:
        raise read_error(name, error) from None


def _arrow_filesystem(filesystem: Any) -> Any:
    protocols = filesystem.protocol
    if "file" in ([protocols] if isinstance(protocols, str) else protocols):
        return pyarrow.fs.LocalFileSystem()
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem))


def footers_of(pieces: Iterable[ParquetPiece]) -> dict[str, Any]:
    """Return the metadata of each file that pieces are of, by its name."""
    files = {name: piece.filesystem for piece in pieces for name in piece.files}
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: _footer(files[name], name), files)
    return dict(zip(files, found, strict=True))


def _footer(filesystem: Any, name: str) -> Any:
    try:
        with filesystem.open_input_file(name) as file:
            return pyarrow.parquet.ParquetFile(file).metadata
    except (pa.ArrowException, OSError) as error:
        raise read_error(name, error) from None


def _row_groups(
    filesystem: Any,
    name: str,
    footer: Any,
    constants: Mapping[str, Any],
    filters: Any,
    schema: pa.Schema,
) -> Iterable[int]:
    """Return the numbers of the row groups that may hold wanted rows."""
    numbers = [n for n in range(footer.num_row_groups) if footer.row_group(n).num_rows]
    if filters is None or not numbers:
        return numbers
    known = footer.schema.to_arrow_schema().remove_metadata()
    for column, value in constants.items():
        known = known.append(pa.field(column, pa.scalar(value).type))
    for field_ in schema:  # columns that other files have
        known = known if field_.name in known.names else known.append(field_)
    if not filter_columns(filters) <= set(known.names):
        return numbers
    expression = pyarrow.parquet.filters_to_expression(filters)
    fragment = FORMAT.make_fragment(name, filesystem, partition_expression=_guarantee(constants))
    split = fragment.split_by_row_group(expression, schema=known)
    kept = {group.id for part in split for group in part.row_groups}
    return [number for number in numbers if number in kept]


def _guarantee(constants: Mapping[str, Any]) -> Any:
    """Return what is true of all rows of a file: its constants; None without any."""
    guarantee = None
    for name, value in constants.items():
        column = pyarrow.dataset.field(name)
        fact = column.is_null() if value is None else column == pa.scalar(value)
        guarantee = fact if guarantee is None else guarantee & fact
    return guarantee


def _by_file(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    """Put row groups of the same file together: it is opened once."""
    together: dict[str, tuple[int, ...]] = {}
    for name, groups in parts:
        together[name] = together.get(name, ()) + groups
    return tuple(together.items())


def _folder_values(name: str, root: str) -> tuple[tuple[str, str | None], ...]:
    """Return the columns and values in a file's folders: ``day=2025-01-01/`` is a day."""
    before = root.partition("*")[0].partition("?")[0]
    if before != root:  # a folder whose name a glob cuts is one that it chooses
        root = before.rpartition("/")[0]
    root = root.rstrip("/")
    folders = name.removeprefix(root).split("/")[:-1]
    pairs = [folder.partition("=") for folder in folders if "=" in folder]
    return tuple((key, None if value == NO_VALUE else unquote(value)) for key, _, value in pairs)


def _check_folders(groups: Mapping[tuple[tuple[str, str | None], ...], list[str]]) -> None:
    (first, names), *others = groups.items()
    for values, other_names in others:
        if [key for key, _ in values] != [key for key, _ in first]:
            raise InputError(
                f"The files of a table must lie in folders of the same kind: {names[0]!r} and "
                f"{other_names[0]!r} do not. Read a part with a glob."
            )


def _folder_fields(
    groups: Iterable[tuple[tuple[str, str | None], ...]],
) -> dict[str, pa.Field]:
    """Return the columns that folders have the values of: whole numbers, or text."""
    texts: dict[str, set[str | None]] = {}
    for values in groups:
        for key, value in values:
            texts.setdefault(key, set()).add(value)
    return {
        key: pa.field(
            key,
            pa.int64() if all(text is None or _is_integer(text) for text in found) else pa.string(),
            nullable=None in found,
        )
        for key, found in texts.items()
    }


def _is_integer(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and str(int(text)) == text


def _typed(text: str | None, kind: pa.DataType) -> Any:
    return int(text) if text is not None and kind == pa.int64() else text
