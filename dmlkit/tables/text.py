"""CSV and JSON-lines files as partitions of whole lines, with one set of types for all of them."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from dmlkit.errors import InputError
from dmlkit.tables.sources import Source, read_error

__all__ = ["PROBLEM", "TextPiece", "plan_text", "read_text_piece"]

#: Added to tables that are read as text: why a row could not be read, missing for good rows.
PROBLEM = "__problem"

#: From how much of the first file the types are taken.
SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class TextPiece:
    """The lines that start in ``[start, stop)`` of a file; all of a compressed file."""

    filesystem: Any
    file: str
    format: str
    start: int
    stop: int | None
    columns: tuple[str, ...]


def plan_text(
    source: Source, partition_bytes: int, *, as_text: bool
) -> tuple[list[TextPiece], pa.Schema]:
    """Cut files at line ends, and take the columns and types from a sample of the first.

    Parameters
    ----------
    source : Source
    partition_bytes : int
        Of a partition in memory; text is taken to be about as large.
    as_text : bool
        Leave the columns of CSV as text, so that each value can be checked for itself, and add
        the column `PROBLEM`.
    """
    schema = _sample_schema(source)
    if as_text and source.format == "csv":
        schema = pa.schema([pa.field(name, pa.string()) for name in (*schema.names, PROBLEM)])
    columns = tuple(name for name in schema.names if name != PROBLEM)
    pieces = []
    for name in source.files:
        if source.format == "csv":
            _check_header(source, name, columns)
        if name.endswith(".gz"):
            pieces.append(TextPiece(source.filesystem, name, source.format, 0, None, columns))
            continue
        size = source.filesystem.info(name)["size"]
        for start in range(0, size, partition_bytes):
            stop = min(start + partition_bytes, size)
            pieces.append(TextPiece(source.filesystem, name, source.format, start, stop, columns))
    return pieces, schema


def read_text_piece(
    piece: TextPiece, schema: pa.Schema, columns: Sequence[str], expression: Any
) -> pa.Table:
    """Read the columns of a piece, with the types of `schema`, rows filtered."""
    try:
        block = _block(piece)
        parse = _parse_csv if piece.format == "csv" else _parse_json
        table = parse(piece, block, schema)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise _conversion_error(piece.file, error) from None
    if expression is not None:
        table = table.filter(expression)
    return table.select(list(columns))


def _open(filesystem: Any, name: str) -> Any:
    return filesystem.open(name, "rb", compression="gzip" if name.endswith(".gz") else None)


def _block(piece: TextPiece) -> bytes:
    """Return whole lines: from the first that starts in the range to the last that does."""
    with _open(piece.filesystem, piece.file) as file:
        if piece.stop is None:
            block: bytes = file.read()
        else:
            file.seek(max(piece.start - 1, 0))
            if piece.start:
                file.readline()  # the rest of a line that started before
            start = file.tell()
            block = file.read(max(piece.stop - start, 0))
            if block and not block.endswith(b"\n"):
                block += file.readline()
    if piece.start == 0 and piece.format == "csv":
        block = block.partition(b"\n")[2]
    return block


def _parse_csv(piece: TextPiece, block: bytes, schema: pa.Schema) -> pa.Table:
    as_text = PROBLEM in schema.names
    ragged: list[str] = []

    def skip(row: Any) -> str:
        ragged.append(
            f"ragged row of {piece.file}: {row.actual_columns} fields instead of "
            f"{row.expected_columns}: {(row.text or '').strip()[:200]}"
        )
        return "skip"

    fields = [schema.field(name) for name in piece.columns]
    table = _csv_table(block, fields, skip) if block.strip() else pa.schema(fields).empty_table()
    if not as_text:
        if ragged:
            raise InputError(f"{len(ragged)} rows cannot be read, such as a {ragged[0]}.")
        return table
    good = table.append_column(PROBLEM, pa.nulls(len(table), pa.string()))
    bad = pa.table({PROBLEM: pa.array(ragged, pa.string())})
    return pa.concat_tables([good, bad], promote_options="default").cast(schema)


def _csv_table(block: bytes, fields: Sequence[pa.Field], skip: Callable[[Any], str]) -> pa.Table:
    return pyarrow.csv.read_csv(
        io.BytesIO(block),
        read_options=pyarrow.csv.ReadOptions(
            column_names=[field.name for field in fields], use_threads=False
        ),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=skip),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={field.name: field.type for field in fields},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _parse_json(_piece: TextPiece, block: bytes, schema: pa.Schema) -> pa.Table:
    if not block.strip():
        return schema.empty_table()
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=max(len(block) + 1, 1024))
    return pyarrow.json.read_json(io.BytesIO(block), read_options=read, parse_options=options)


def _sample_schema(source: Source) -> pa.Schema:
    first = source.files[0]
    with _open(source.filesystem, first) as file:
        sample = file.read(SAMPLE_BYTES)
        if not sample.endswith(b"\n"):
            sample += file.readline()
    try:
        if source.format == "csv":
            return _sample_csv(sample, first)
        return pyarrow.json.read_json(
            io.BytesIO(sample), read_options=pyarrow.json.ReadOptions(block_size=len(sample) + 1)
        ).schema
    except pa.ArrowException as error:
        raise _conversion_error(first, error) from None


def _sample_csv(sample: bytes, file: str) -> pa.Schema:
    header = _header(sample, file)
    options = pyarrow.csv.ParseOptions(invalid_row_handler=lambda _: "skip")
    schema = pyarrow.csv.read_csv(io.BytesIO(sample), parse_options=options).schema
    unknown = pa.types.is_null
    return pa.schema(
        [
            pa.field(name, pa.string() if unknown(field.type) else field.type)
            for name, field in zip(header, schema, strict=True)
        ]
    )


def _header(sample: bytes, file: str) -> list[str]:
    first_line = sample.partition(b"\n")[0].decode("utf-8-sig", errors="replace").strip("\r")
    names = first_line.split(",") if '"' not in first_line else _quoted(first_line)
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"The header of {file!r} has two columns {repeated[0]!r}.")
    if not all(names):
        raise InputError(f"The header of {file!r} has a column without a name: {first_line!r}.")
    return names


def _quoted(line: str) -> list[str]:
    return pyarrow.csv.read_csv(io.BytesIO(line.encode() + b"\n")).column_names


def _check_header(source: Source, name: str, columns: Sequence[str]) -> None:
    with _open(source.filesystem, name) as file:
        header = _header(file.readline(), name)
    if header != list(columns):
        raise InputError(
            f"The header of {name!r} is {', '.join(header)}, but that of {source.files[0]!r} is "
            f"{', '.join(columns)}. The files of a table must have the same columns."
        )


def _conversion_error(file: str, error: Exception) -> InputError:
    text = str(error)
    if "conversion error" in text or "changed from" in text:
        return InputError(
            f"A value in {file!r} does not fit its column: {text.splitlines()[0]}.\n"
            "Types are taken from the first rows; check the table with a schema to have such "
            "rows put in quarantine (dmlkit.tables.check_table)."
        )
    return read_error(file, error)
