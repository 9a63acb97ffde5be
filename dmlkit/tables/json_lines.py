"""Lines of JSON, an object on each: their types, and what they hold. Files are not opened here."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.json

from dmlkit.errors import InputError

__all__ = ["BadLine", "fit_types", "parse", "sample", "widened"]


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
    """Return the fields with the types that fit these rows, if there are rows (1 or 0), and False.

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
    return schema, 1, False


def widened(sampled: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Return the types of a sample so that the numbers of another one fit them, too.

    Examples
    --------
    >>> widened(pa.schema([("amount", pa.int64())]), pa.schema([("amount", pa.float64())]))
    amount: double
    """
    fields = []
    for field in sampled:
        there = other.field(field.name).type if field.name in other.names else pa.null()
        to_float = pa.types.is_integer(field.type) and pa.types.is_floating(there)
        fields.append(field.with_type(there) if to_float or pa.types.is_null(field.type) else field)
    return pa.schema(fields)


def fit_types(sampled: pa.Schema, kinds: Mapping[str, str]) -> pa.Schema:
    """Return the types that later rows fit too: those of a sample, as far as a `Schema` lets them.

    Examples
    --------
    >>> fit_types(pa.schema([("amount", pa.int64()), ("day", pa.null())]), {"amount": "float32"})
    amount: double
    day: string
    """
    fields = [
        pa.field(each.name, _general(each.type, kinds.get(each.name, ""))) for each in sampled
    ]
    return pa.schema(fields)


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


def _general(sampled: pa.DataType, kind: str) -> pa.DataType:
    """Return the type in which a column is read, its values being checked for `kind` later."""
    if pa.types.is_timestamp(sampled):  # or text, which looked like times so far
        return pa.string() if kind in ("string", "datetime") else pa.timestamp("us", sampled.tz)
    if pa.types.is_null(sampled):
        numbers = pa.int64() if kind.startswith("int") else pa.bool_() if kind == "bool" else None
        return pa.float64() if kind.startswith("float") else numbers or pa.string()
    whole = pa.types.is_integer(sampled)
    return pa.float64() if whole and kind.startswith("float") else sampled
