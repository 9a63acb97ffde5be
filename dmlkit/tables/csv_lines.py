"""Lines of CSV: their header, their types, and what they hold. Opening files is not done here."""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from dmlkit.errors import InputError

__all__ = ["RaggedRow", "header", "parse", "sample"]

#: What separates values where it is no comma.
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}

#: Written for a missing value; an empty value is missing too.
MISSING = ["", "NaN", "nan", "NA", "N/A", "n/a", "null", "NULL", "Null", "None", "#N/A"]

_ENDED = "\0ended"


@dataclass(frozen=True)
class RaggedRow:
    """A row with another number of fields than the header."""

    fields: int
    expected: int
    text: str
    file: str
    line: int | None

    def __str__(self) -> str:
        return (
            f"ragged row of {self.file}: {self.fields} fields instead of {self.expected}: "
            f"{self.text[:200]}"
        )


def header(first_line: bytes, file: str) -> list[str]:
    """Return the names of the columns.

    Raises
    ------
    InputError
        The line is no header: a name is missing or stands twice, it is not UTF-8, or values are
        not separated by commas.
    """
    if first_line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{file!r} is UTF-16. Convert it with `iconv -f utf-16 -t utf-8`.")
    try:
        text = first_line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(
            f"The header of {file!r} is not UTF-8. Convert the file, for example with "
            "`iconv -f latin1 -t utf-8`."
        ) from None
    if "\r" in text:
        raise InputError(
            f"The lines of {file!r} end with CR only. Convert them, with `tr '\\r' '\\n'`."
        )
    if text.count('"') % 2:
        raise InputError(f"A name in the header of {file!r} has a line break or an open quote.")
    names = next(csv.reader([text]), [])
    _check_names(names, text, file)
    return names


def sample(block: bytes, file: str) -> tuple[pa.Schema, int, bool]:
    """Return the columns with the types that fit, the rows, and if values have line breaks."""
    first_line, _, rest = block.partition(b"\n")
    names = header(first_line, file)
    if not rest.strip():
        return pa.schema([pa.field(name, pa.string()) for name in names]), 0, False
    table = pyarrow.csv.read_csv(
        io.BytesIO(rest),
        read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
        parse_options=_parse_options(rest, []),
        convert_options=pyarrow.csv.ConvertOptions(null_values=MISSING),
    )
    breaks = b'"' in rest and any(map(_holds_line_break, table.columns))
    fields = [pa.field(field.name, _general(field.type)) for field in table.schema]
    return pa.schema(fields), len(table), breaks


def parse(block: bytes, schema: pa.Schema, file: str) -> tuple[pa.Table, list[RaggedRow]]:
    """Return the rows that have the right number of fields, and the others.

    Raises
    ------
    InputError
        The block ends within quotes.
    pyarrow.ArrowInvalid
        A value does not fit its column.
    """
    if not block.strip():
        return schema.empty_table(), []
    if block.count(b'"') % 2 and _ends_within_quotes(block):
        raise InputError(
            f"A quoted value in {file!r} does not end where a partition does: either its closing "
            "quote is missing, or it has a line break. If it is a line break, read the file as "
            "one partition, with a partition_bytes above its size, and write it as Parquet."
        )
    ragged: list[RaggedRow] = []
    table = pyarrow.csv.read_csv(
        io.BytesIO(block),
        read_options=pyarrow.csv.ReadOptions(
            column_names=schema.names, use_threads=False, block_size=1 << 24
        ),
        parse_options=_parse_options(block, ragged, file),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={field.name: field.type for field in schema}, null_values=MISSING
        ),
    )
    return _without_empty_text(table), ragged


def _check_names(names: list[str], text: str, file: str) -> None:
    if len(names) <= 1:
        for delimiter, word in OTHER_DELIMITERS.items():
            if delimiter in text:
                raise InputError(
                    f"The values of {file!r} seem to be separated by {word}: its header is "
                    f"{text[:100]!r}. Write it with commas."
                )
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"The header of {file!r} has two columns {repeated[0]!r}.")
    if not names or not all(names):
        raise InputError(f"The header of {file!r} has a column without a name: {text[:100]!r}.")


def _parse_options(block: bytes, ragged: list[RaggedRow], file: str = "") -> Any:
    def skip(row: Any) -> str:
        text = (row.text or "").strip()
        ragged.append(RaggedRow(row.actual_columns, row.expected_columns, text, file, row.number))
        return "skip"

    return pyarrow.csv.ParseOptions(invalid_row_handler=skip, newlines_in_values=b'"' in block)


def _general(kind: pa.DataType) -> pa.DataType:
    """Return the type that later rows of such a column fit too."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_date(kind):
        return pa.timestamp("us")
    if pa.types.is_null(kind) or pa.types.is_time(kind) or pa.types.is_binary(kind):
        return pa.string()
    return kind


def _holds_line_break(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(column.type):
        return False
    return bool(pyarrow.compute.any(pyarrow.compute.match_substring(column, "\n")).as_py())


def _without_empty_text(table: pa.Table) -> pa.Table:
    """Return the table with empty texts missing; words such as NA are values of a text."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = table.column(index)
            empty = pyarrow.compute.equal(texts, "")
            texts = pyarrow.compute.if_else(empty, pa.scalar(None, pa.string()), texts)
            table = table.set_column(index, field, texts)
    return table


def _ends_within_quotes(block: bytes) -> bool:
    """Tell by the rules of CSV: quotes within a value that is not quoted mean nothing."""
    lines = _lines(block.decode("utf-8", errors="replace"))
    try:
        last = deque(csv.reader(lines), maxlen=1)
    except csv.Error:  # a value without end
        return True
    return last[0] != [_ENDED]


def _lines(text: str) -> Iterator[str]:
    yield from (match.group() for match in re.finditer(r"[^\n]*\n|[^\n]+$", text))
    yield _ENDED
