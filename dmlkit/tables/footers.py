"""What the footers of Parquet files tell: one schema for all files, and what rows will take up."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dmlkit.errors import InputError

__all__ = ["memory_of_row_group", "unite_schemas"]

#: Of a text in memory beside its characters.
TEXT_OFFSET_BYTES = 8

#: What a text is taken to be long when the footer does not say.
UNKNOWN_TEXT_BYTES = 16


def unite_schemas(
    files: Sequence[str], footers: Sequence[Any], declared: pa.Schema | None = None
) -> pa.Schema:
    """Return the schema that fits all files: wider numbers where they differ.

    A column is nullable if a file holds missing values in it, or does not say whether it does.
    With a declared schema, of a table that keeps one, files may lack columns: they are missing.

    Raises
    ------
    InputError
        Files have different columns, or types that no type holds both of.
    """
    schemas = [footer.schema.to_arrow_schema().remove_metadata() for footer in footers]
    united = schemas[0] if declared is None else declared
    for name, schema in zip(files, schemas, strict=True):
        if declared is None:
            _check_columns(united, schema, files[0], name)
            for field in schema:
                united = _widen(united, field, files[0], name)
    nulls = {column for footer in footers for column in _columns_with_nulls(footer, united.names)}
    nulls |= {name for name in united.names if not all(name in each.names for each in schemas)}
    return pa.schema([field.with_nullable(field.name in nulls) for field in united])


def memory_of_row_group(group: Any, types: Mapping[str, pa.DataType]) -> int:
    """Estimate the bytes that columns of a row group take in memory.

    The footer has bytes as encoded, which may be a hundredth of that: numbers are counted by their
    width, and texts by the lengths of the least and greatest one.

    Parameters
    ----------
    group : pyarrow.parquet.RowGroupMetaData
    types : mapping of str to pyarrow.DataType
        Of the wanted columns.
    """
    rows, total = group.num_rows, 0
    for index in range(group.num_columns):
        chunk = group.column(index)
        name = chunk.path_in_schema
        if name in types and (width := _width(types[name])):
            total += rows * width
        elif name in types or name.split(".")[0] in types:
            total += max(chunk.total_uncompressed_size, rows * _text_bytes(chunk))
    return total


def _width(kind: pa.DataType) -> int | None:
    if pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return 8  # they become float64 and timestamps
    if pa.types.is_boolean(kind):
        return 1
    return kind.bit_width // 8 if pa.types.is_primitive(kind) else None


def _text_bytes(chunk: Any) -> int:
    statistics = chunk.statistics
    if chunk.physical_type != "BYTE_ARRAY":
        return TEXT_OFFSET_BYTES
    if statistics is None or not statistics.has_min_max:
        return TEXT_OFFSET_BYTES + UNKNOWN_TEXT_BYTES
    lengths = len(statistics.min_raw) + len(statistics.max_raw)
    return TEXT_OFFSET_BYTES + int(lengths // 2)


def _check_columns(united: pa.Schema, other: pa.Schema, first_file: str, file: str) -> None:
    if twice := [name for name in other.names if other.names.count(name) > 1]:
        raise InputError(f"{file!r} has two columns {twice[0]!r}. Write it with different names.")
    missing = sorted(set(united.names) ^ set(other.names))
    if missing:
        there, lacking = (file, first_file) if missing[0] in other.names else (first_file, file)
        raise InputError(
            f"The files of a table must have the same columns: {missing[0]!r} is in {there!r}, "
            f"but not in {lacking!r}. Write that file again, or read a part with a glob."
        )


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


def _columns_with_nulls(footer: Any, names: Sequence[str]) -> set[str]:
    """Return the columns that hold missing values, or whose footer does not say."""
    found: set[str] = set()
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for index in range(group.num_columns if group.num_rows else 0):
            column = group.column(index)
            statistics = column.statistics
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                found.add(_column_of(column.path_in_schema, names))
    return found


def _column_of(path: str, names: Sequence[str]) -> str:
    """Return the column that a path such as ``a.list.element`` is of; names may have dots."""
    if path in names:
        return path
    return max((name for name in names if path.startswith(f"{name}.")), key=len, default=path)
