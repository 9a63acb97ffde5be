"""CSV and JSON-lines files as partitions of whole lines, with one set of types for all of them.

How lines become columns is in `csv_lines` and `json_lines`.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from dmlkit.errors import DmlkitError, InputError
from dmlkit.tables import csv_lines, json_lines
from dmlkit.tables.partition_size import partition_size
from dmlkit.tables.sources import Source, read_error

__all__ = [
    "PROBLEM",
    "TextPiece",
    "bytes_of_line",
    "bytes_of_piece",
    "plan_text",
    "read_text_piece",
]

#: Added to tables that are read as text: why a row could not be read, missing for good rows.
PROBLEM = "__problem"

#: From how much of a file the types are taken.
SAMPLE_BYTES = 1 << 20

#: In how many files, beside the last, the types of numbers in JSON are looked for.
SAMPLED_FILES = 8

#: How much longer text is than the file it is compressed in.
COMPRESSION = 6

#: How much of a file is looked through at once for where rows end.
SCAN_BYTES = 1 << 24

LINES = {"csv": csv_lines, "json": json_lines}


@dataclass(frozen=True)
class TextPiece:
    """The lines that start in ``[start, stop)`` of a file; all of a compressed file."""

    filesystem: Any
    file: str
    format: str
    start: int
    stop: int | None

    @property
    def files(self) -> list[str]:
        """The file that rows of this piece are from."""
        return [self.file]


def plan_text(
    source: Source,
    partition_bytes: int | None,
    *,
    as_text: bool,
    kinds: Mapping[str, str] | None = None,
) -> tuple[list[TextPiece], pa.Schema]:
    """Cut files at line ends, and take the columns and types from a sample of the first.

    Parameters
    ----------
    source : Source
    partition_bytes : int or None
        Of a partition in memory, as for `partition_size`; text is taken to be about as large.
    as_text : bool
        Leave the columns of CSV as text, so that each value can be checked for itself, and add
        the column `PROBLEM`.
    kinds : mapping of str to str, optional
        The dtypes that a `Schema` has for columns: objects of JSON have one of them in all files,
        though the first rows may look like another.
    """
    names, schema, breaks = _sample_schema(source)
    if source.format == "json":
        for name in _spread(source.files):
            schema = json_lines.widened(schema, _types_in(source, name))
        schema = json_lines.fit_types(schema, kinds or {})
    if as_text:
        fields = schema if source.format == "json" else [pa.field(n, pa.string()) for n in names]
        schema = pa.schema([*fields, pa.field(PROBLEM, pa.string())])
    sizes = {name: int(source.filesystem.info(name)["size"]) for name in source.files}
    most = partition_size(sum(sizes.values()), partition_bytes)
    pieces = []
    for name, size in sizes.items():
        if source.format == "csv":
            _check_header(source, name, names)
        for start, stop in _ranges(source, name, size, most, breaks):
            pieces.append(TextPiece(source.filesystem, name, source.format, start, stop))
    return pieces, schema


def read_text_piece(
    piece: TextPiece, schema: pa.Schema, columns: Sequence[str], filters: Any
) -> pa.Table:
    """Read the columns of a piece, with the types of `schema`, rows filtered."""
    fields = pa.schema([field for field in schema if field.name != PROBLEM])
    try:
        block = _block(piece)
        table, bad = LINES[piece.format].parse(block, fields, piece.file)
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise _reading_error(piece, fields.names, error) from None
    if PROBLEM in schema.names:
        good = table.append_column(PROBLEM, pa.nulls(len(table), pa.string()))
        problems = pa.table({PROBLEM: pa.array([str(each) for each in bad], pa.string())})
        table = pa.concat_tables([good, problems], promote_options="default").cast(schema)
    elif bad:
        where = _line_number(piece, bad[0].line)
        raise InputError(
            f"Rows of {piece.file!r} that cannot be read: {len(bad):,}. First{where}: {bad[0]}\n"
            "Repair the file, or read it with a schema and a folder for quarantine "
            "(read_table(path, schema=..., quarantine=...))."
        )
    if filters is not None:
        table = table.filter(pyarrow.parquet.filters_to_expression(filters))
    return table.select(list(columns))


def bytes_of_piece(piece: TextPiece) -> int:
    """Return how much text a piece is: of a compressed file, about so much."""
    if piece.stop is not None:
        return piece.stop - piece.start
    return int(piece.filesystem.info(piece.file)["size"]) * COMPRESSION


def bytes_of_line(piece: TextPiece) -> float:
    """Return how long a line is, on average of the first ones of a file."""
    with _open(piece.filesystem, piece.file) as file:
        sample: bytes = file.read(SAMPLE_BYTES)
    return len(sample) / max(sample.count(b"\n"), 1)


def _is_compressed(name: str) -> bool:
    return name.lower().endswith(".gz")


def _open(filesystem: Any, name: str) -> Any:
    return filesystem.open(name, "rb", compression="gzip" if _is_compressed(name) else None)


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
        return block.partition(b"\n")[2]
    return block.removeprefix(b"\xef\xbb\xbf") if piece.start == 0 else block


def _ranges(
    source: Source, name: str, size: int, most: int, breaks: bool
) -> Iterator[tuple[int, int | None]]:
    """Return from where to where the partitions of a file reach."""
    if _is_compressed(name):
        yield 0, None
        return
    start = 0
    while start < size:
        stop = min(start + most, size)
        if breaks and stop < size:
            stop = _row_end(source.filesystem, name, start, stop)
        yield start, stop
        start = stop


def _row_end(filesystem: Any, name: str, start: int, stop: int) -> int:
    """Return the first end of a row at or after `stop`, a row starting at `start`.

    Where quoted values hold line breaks, a line's end is a row's if the quotes so far are even.
    """
    quotes, position = 0, start
    with filesystem.open(name, "rb") as file:
        file.seek(start)
        while position < stop:
            block = file.read(min(SCAN_BYTES, stop - position))
            quotes += block.count(b'"')
            position += len(block)
        while line := file.readline():
            quotes += line.count(b'"')
            position += len(line)
            if quotes % 2 == 0:
                break
    return position


def _sample_schema(source: Source) -> tuple[list[str], pa.Schema, bool]:
    """Return columns, types, and whether quoted values hold line breaks, by the first rows."""
    for name in source.files:
        try:
            with _open(source.filesystem, name) as file:
                sample = file.read(SAMPLE_BYTES)
                if len(sample) == SAMPLE_BYTES and not sample.endswith(b"\n"):
                    sample += file.readline()
            schema, rows, breaks = LINES[source.format].sample(sample, name)
        except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
            raise read_error(name, error) from None
        if rows:
            break
    return schema.names, schema, breaks


def _spread(names: Sequence[str]) -> Sequence[str]:
    """Return some files from all over the table: the first may have whole numbers by chance."""
    return [*names[:: -(-len(names) // SAMPLED_FILES)], names[-1]]


def _types_in(source: Source, name: str) -> pa.Schema:
    """Return the types by the first rows of a file of JSON lines; none where it is broken."""
    try:
        with _open(source.filesystem, name) as file:
            sample = file.read(SAMPLE_BYTES)
        return json_lines.sample(sample[: sample.rfind(b"\n") + 1] or sample, name)[0]
    except (DmlkitError, pa.ArrowException, OSError, EOFError, zlib.error):
        return pa.schema([])  # told when it is read


def _check_header(source: Source, name: str, names: Sequence[str]) -> None:
    try:
        with _open(source.filesystem, name) as file:
            header = csv_lines.header(file.readline(), name)
    except (OSError, EOFError, zlib.error) as error:
        raise read_error(name, error) from None
    if header != list(names):
        raise InputError(
            f"The header of {name!r} is {', '.join(header)}, but that of {source.files[0]!r} is "
            f"{', '.join(names)}. The files of a table must have the same columns."
        )


def _line_number(piece: TextPiece, line: int | None) -> str:
    """Return at which line of its file a line of a piece is."""
    if line is None:
        return ""
    before = 1 if piece.format == "csv" else 0
    if piece.start:
        with piece.filesystem.open(piece.file, "rb") as file:
            before = file.read(piece.start - 1).count(b"\n") + 1  # as `_block` skips one
    return f", at line {before + line:,}"


def _reading_error(piece: TextPiece, names: Sequence[str], error: Exception) -> InputError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if number := re.match(r"In CSV column #(\d+): ", text):
        text = f"column {names[int(number[1])]!r}, {text[number.end() :]}"
    if "UTF8" in text:
        return InputError(
            f"{piece.file!r} is not UTF-8 text ({text}). Convert it, for example with "
            "`iconv -f latin1 -t utf-8`."
        )
    if "conversion error" in text:
        return InputError(
            f"A value in {piece.file!r} does not fit its column: {text}.\n"
            "Types are taken from the first rows. Read the table with a schema, which says the "
            "type, and have such rows put in quarantine "
            "(read_table(path, schema=..., quarantine=...))."
        )
    return read_error(piece.file, error)
