"""Lines of JSON, an object on each: their types, and what they hold. Files are not opened here."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.json

from dmlkit.errors import InputError

__all__ = ["BadLine", "parse", "sample"]


@dataclass(frozen=True)
class BadLine:
    """A line that is no object, or has a value of another type than its column."""

    problem: str
    text: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"broken line of {self.file}: {self.problem}: {self.text[:200]}"


def sample(block: bytes, file: str) -> tuple[pa.Schema, int, bool]:
    """Return the fields with the types that fit, if there are rows (1 or 0), and False.

    Broken lines are passed over, as long as the first is a good one.
    """
    block = block.removeprefix(b"\xef\xbb\xbf")
    if block.lstrip().startswith(b"["):
        raise InputError(
            f"{file!r} is one JSON array. Write an object on each line instead (JSON lines), for "
            "example with `jq -c '.[]'`."
        )
    if not block.strip():
        return pa.schema([]), 0, False
    schema = _schema_of_good_start(block, file)
    if not schema.names:
        raise InputError(f"The objects in {file!r} have no fields. Each line must be an object.")
    return pa.schema([pa.field(field.name, _general(field.type)) for field in schema]), 1, False


def parse(block: bytes, schema: pa.Schema, file: str) -> tuple[pa.Table, list[BadLine]]:
    """Return the rows of the lines that fit the schema, and the other lines."""
    tables: list[pa.Table] = []
    bad: list[BadLine] = []
    for result in _halve(block, 1, schema, file):
        if isinstance(result, BadLine):
            bad.append(result)
        else:
            tables.append(result)
    return pa.concat_tables(tables) if tables else schema.empty_table(), bad


def _halve(
    block: bytes, first_line: int, schema: pa.Schema, file: str
) -> Iterator[pa.Table | BadLine]:
    """Read a block at once, or where that fails its halves, until a bad line stands alone."""
    if not block.strip():
        return
    try:
        yield _read(block, schema)
    except pa.ArrowInvalid as error:
        middle = block.rfind(b"\n", 0, len(block) // 2) + 1 or block.find(b"\n") + 1
        if middle in (0, len(block)):
            text = block.decode("utf-8", errors="replace").strip()
            problem = str(error).splitlines()[0].removeprefix("JSON parse error: ")
            yield BadLine(problem.replace(" in row 0", ""), text, file, first_line)
            return
        yield from _halve(block[:middle], first_line, schema, file)
        lines = block.count(b"\n", 0, middle)
        yield from _halve(block[middle:], first_line + lines, schema, file)


def _schema_of_good_start(block: bytes, file: str) -> pa.Schema:
    """Return the types by the block, or where that fails its first half, and so on."""
    end = len(block)
    while end:
        try:
            return _read(block[:end], None).schema
        except pa.ArrowInvalid:
            end = block.rfind(b"\n", 0, end // 2) + 1 or _end_of_first_line(block, end)
    first = block.splitlines()[0].decode("utf-8", errors="replace")
    raise InputError(
        f"The first line of {file!r} is no JSON object: {first[:200]}\n"
        "Each line must be an object. Repair the file, or move it out of the table."
    )


def _end_of_first_line(block: bytes, tried: int) -> int:
    end = block.find(b"\n") + 1
    return end if end < tried else 0


def _read(block: bytes, schema: pa.Schema | None) -> pa.Table:
    others = "infer" if schema is None else "ignore"
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others)
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=max(len(block) + 1, 1024))
    return pyarrow.json.read_json(io.BytesIO(block), read_options=read, parse_options=options)


def _general(kind: pa.DataType) -> pa.DataType:
    """Return the type that later rows of such a column fit too."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.string() if pa.types.is_null(kind) else kind
