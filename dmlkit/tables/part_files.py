"""What a worker does when a table is published: one partition becomes Parquet files.

Which files then make up the table is decided by the client, in `publish`.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from dmlkit.cluster import tell_rows
from dmlkit.errors import InputError, OutputError
from dmlkit.tables.commit import partition_text
from dmlkit.tables.encodings import encodings_of
from dmlkit.tables.folders import OWNER, Folder

__all__ = ["PartWriter", "delta_type", "empty_file_list"]

ROWS_PER_GROUP = 1_048_576
#: A partition of the frame that falls into more folders than this was partitioned by mistake.
MAX_FOLDERS = 10_000
#: Of longer texts the statistics tell the beginning.
MAX_STATISTICS_TEXT = 64
NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
    pa.float16(): pa.float32(),
}


def delta_type(column: str, kind: pa.DataType) -> pa.DataType:
    """Return the Arrow type in which Delta Lake holds a column of type `kind`.

    Raises
    ------
    InputError
        Delta Lake has no such type.

    Examples
    --------
    >>> delta_type("time", pa.timestamp("ns"))
    TimestampType(timestamp[us])
    """
    if pa.types.is_dictionary(kind):
        return delta_type(column, kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz="UTC" if kind.tz else None)
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()  # the same in the file, and no limit of 2 GiB before it
    if pa.types.is_date64(kind):
        return pa.date32()
    if kind in WIDER:
        return WIDER[kind]
    if pa.types.is_duration(kind) or pa.types.is_time(kind) or pa.types.is_interval(kind):
        raise InputError(
            f"Column {column!r} is of type {kind}, which Delta Lake can't hold. "
            f"Turn it into a number, for instance frame[{column!r}].dt.total_seconds()."
        )
    return kind


def empty_file_list() -> pd.DataFrame:
    """Return the table of written files without a row: what `PartWriter` returns rows of."""
    kinds = {"path": "str", "values": "str", "statistics": "str", "rows": "int64", "bytes": "int64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


@dataclass(frozen=True)
class PartWriter:
    """Writes the partitions of a frame as files of one write.

    A file is written under a name of its own in `staging` and then renamed, so that a task that
    runs twice leaves one file, and one that outlives its write (the client has removed `staging`)
    leaves none.

    Parameters
    ----------
    folder : Folder
        Of the table.
    staging : str
        A folder below it for files that are not whole yet.
    name : str
        Of the files of this write; ``{number}`` stands for the number of the partition.
    schema : pyarrow.Schema
        Of the table.
    partition_by : tuple of str
        Columns whose values are in the names of folders instead of the files.
    """

    folder: Folder
    staging: str
    name: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()

    def __call__(self, frame: pd.DataFrame, number: int) -> pd.DataFrame:
        """Write one partition; return a row for each file: path, values, statistics, size."""
        if not self.folder.exists(f"{self.staging}/{OWNER}"):
            raise OutputError(
                f"A worker doesn't see the folder {self.staging!r}: either the write was "
                "cancelled, or the worker is on a machine without it. Write to a folder that "
                "all workers share."
            )
        name = self.name.format(number=number)
        table = to_arrow(frame, self.schema)
        files = [
            self._write_file(part, values, name)
            for values, part in _split(table, self.partition_by)
            if len(part)
        ]
        tell_rows("written", len(table), sum(file["bytes"] for file in files))
        return pd.DataFrame(files) if files else empty_file_list()

    def _write_file(
        self, table: pa.Table, values: Mapping[str, str | None], name: str
    ) -> dict[str, Any]:
        path = "/".join([*(_folder_name(*item) for item in values.items()), name])
        footers: list[Any] = []
        try:
            size = self.folder.put(
                path, lambda target: _write_parquet(table, target, footers), self.staging
            )
        except OSError as error:
            raise OutputError(f"Cannot write {f'{self.folder.uri}/{path}'!r}: {error}.") from None
        return {
            "path": path,
            "values": json.dumps(values),
            "statistics": json.dumps(_statistics(footers[0], table.schema)),
            "rows": len(table),
            "bytes": size,
        }


def to_arrow(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Convert a partition to the types of the table; say which column doesn't fit, and why."""
    arrays = [_column_to_arrow(frame, field) for field in schema]
    return pa.table(arrays, schema=schema)


def _column_to_arrow(frame: pd.DataFrame, field: pa.Field) -> Any:
    if field.name not in frame.columns:
        raise InputError(
            f"A partition has no column {field.name!r}, though the frame declares it. "
            "Check the function that makes the partitions and its meta."
        )
    values = frame[field.name]
    try:
        array = _as_array(values)
        _check_categories(array, field)
        # Nanoseconds are cut to microseconds; all other conversions must keep the values.
        both_times = pa.types.is_timestamp(array.type) and pa.types.is_timestamp(field.type)
        return array.cast(field.type, safe=not both_times)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise InputError(
            f"Column {field.name!r} is declared as {field.type}, but a partition holds "
            f"{values.dtype} that doesn't fit: {error}. Convert it with astype first."
        ) from None


def _check_categories(array: Any, field: pa.Field) -> None:
    """Raise where numbers or times would become text since Dask does not know the categories."""
    if not pa.types.is_dictionary(array.type) or field.type != pa.large_string():
        return
    kind = array.type.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if len(array) > array.null_count and not any(test(kind) for test in texts):
        name = field.name
        raise InputError(
            f"Column {name!r} is of categories that Dask does not know, so that they were taken "
            f"for text, but a partition holds {kind}. Write frame[{name!r}] as numbers or times "
            f"with astype, or have Dask look first: frame[{name!r}].cat.as_known()."
        )


def _as_array(values: pd.Series) -> Any:
    """Return a column as an Arrow array in which NaN is missing, without copying floats."""
    if values.dtype not in (np.dtype("float32"), np.dtype("float64")):
        return pa.array(values, from_pandas=True)
    # What pyarrow does itself takes ten times as long: it looks at each value and copies all.
    numbers = np.ascontiguousarray(values.to_numpy())
    missing = np.isnan(numbers)
    there = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, len(numbers), [there, pa.py_buffer(numbers)])


def _split(
    table: pa.Table, partition_by: Sequence[str]
) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
    """Yield the rows of each folder, without the columns that its name tells."""
    if not partition_by:
        yield {}, table
        return
    keys = table.select(list(partition_by)).to_pandas(ignore_metadata=True)
    folders = keys.groupby(list(partition_by), dropna=False).ngroup().to_numpy()
    rows = np.bincount(folders)
    if len(rows) > MAX_FOLDERS:
        raise InputError(
            f"One partition of the frame has {len(rows):,} distinct values of "
            f"{', '.join(partition_by)}: each would be a folder. Partition by fewer values."
        )
    ordered = table.take(np.argsort(folders, kind="stable"))
    rest = ordered.drop_columns(list(partition_by))
    for start, length in zip(np.cumsum(rows) - rows, rows, strict=True):
        first = ordered.slice(start, 1).select(list(partition_by)).to_pylist()[0]
        values = {name: partition_text(value) for name, value in first.items()}
        yield values, rest.slice(start, length)


def _folder_name(column: str, value: str | None) -> str:
    text = NULL_FOLDER if value is None else quote(value, safe="")
    return f"{quote(column, safe='')}={text}"


def _write_parquet(table: pa.Table, target: Any, footers: list[Any]) -> None:
    """Write the Parquet file of a table to a path or an open file, and append its footer."""
    try:
        pyarrow.parquet.write_table(
            table,
            target,
            row_group_size=ROWS_PER_GROUP,
            store_schema=False,
            metadata_collector=footers,
            **encodings_of(table),
        )
    except RuntimeError as error:  # closing after a failed write hides that the disk is full
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _statistics(footer: Any, schema: pa.Schema) -> dict[str, Any]:
    """Gather rows, missing values, least and greatest of each column from a Parquet footer."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    missing: dict[str, int] = {}
    bounds: dict[str, tuple[Any, Any]] = {}
    for index in range(footer.num_columns):
        chunks = [group.column(index) for group in groups]
        name = chunks[0].path_in_schema
        if name not in schema.names or not all(chunk.is_stats_set for chunk in chunks):
            continue
        missing[name] = sum(chunk.statistics.null_count for chunk in chunks)
        if found := _bounds([chunk.statistics for chunk in chunks]):
            bounds[name] = found
    statistics = {"numRecords": footer.num_rows, "nullCount": missing}
    # deltalake takes a column without bounds, in a file with bounds, for one without values, and
    # leaves the file out when the column is filtered: bounds for all, or for none.
    if all(name in bounds or missing.get(name) == footer.num_rows for name in schema.names):
        statistics["minValues"] = {name: low for name, (low, _) in bounds.items()}
        statistics["maxValues"] = {name: high for name, (_, high) in bounds.items()}
    return statistics


def _bounds(statistics: Sequence[Any]) -> tuple[Any, Any] | None:
    """Return the least and the greatest value as JSON has them, or None where it can't."""
    known = [chunk for chunk in statistics if chunk.num_values]
    if not known or not all(chunk.has_min_max for chunk in known):
        return None
    try:
        low, high = min(chunk.min for chunk in known), max(chunk.max for chunk in known)
    except (OverflowError, ValueError):  # times that Python has no word for
        return None
    if isinstance(low, str):
        return low[:MAX_STATISTICS_TEXT], _shortest_above(high)
    low, high = _as_json(low), _as_json(high)
    return None if low is None or high is None else (low, high)


def _shortest_above(text: str) -> str | None:
    """Return the text, or a short one that sorts behind it."""
    if len(text) <= MAX_STATISTICS_TEXT:
        return text
    head = text[:MAX_STATISTICS_TEXT].rstrip(chr(sys.maxunicode))
    following = ord(head[-1]) + 1 if head else 0
    following = 0xE000 if following == 0xD800 else following  # no halves of pairs
    return head[:-1] + chr(following)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return utc.isoformat(timespec="microseconds") + ("Z" if value.tzinfo else "")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return None
