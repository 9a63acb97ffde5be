"""Checking a table against a schema: one pass, bad rows to quarantine, good rows go on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.graph import for_each
from dmlkit.local_frames import as_given, lazily
from dmlkit.tables.duplicates import bucket_count, find_duplicates, split_keys
from dmlkit.tables.extents import keeps_rows
from dmlkit.tables.findings import Findings, describe, examples_of
from dmlkit.tables.partition_size import bytes_per_row
from dmlkit.tables.pieces import Origin, find_origin
from dmlkit.tables.quarantine import Quarantine, write_bad_rows
from dmlkit.tables.rules import key_hashes, problems
from dmlkit.tables.schema import Column, Schema, first_rows
from dmlkit.tables.text import PROBLEM
from dmlkit.tables.values import cast_column

__all__ = ["DEFAULT_MAX_BAD_SHARE", "CheckedTable", "check_table", "good_rows_meta"]

DEFAULT_MAX_BAD_SHARE = 0.01

DUPLICATE = "duplicate key"


@dataclass(frozen=True)
class CheckedTable:
    """What `check_table` found.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
        The good rows with the schema's dtypes, lazily; columns outside the schema stay.
    rows, bad_rows : int
    reasons : dict of str to int
        Bad rows by reason; a row may have several.
    examples : dict of str to list of str
        A few bad rows of each reason, the first in table order.
    time_minimum, time_maximum : Timestamp or None
        Of the schema's time column, over good rows.
    """

    frame: Any
    rows: int
    bad_rows: int
    reasons: dict[str, int]
    examples: dict[str, list[str]]
    time_minimum: pd.Timestamp | None
    time_maximum: pd.Timestamp | None

    def describe(self) -> str:
        """Return the finding in words: how many rows are bad, by reason, each with an example."""
        return describe(self.rows, self.bad_rows, self.reasons, self.examples)


def check_table(
    frame: Any,
    schema: Schema,
    *,
    quarantine: str | Path | None = None,
    max_bad_share: float = DEFAULT_MAX_BAD_SHARE,
    now: pd.Timestamp | None = None,
) -> CheckedTable:
    """Check all rows of a table in one pass.

    A row is bad if a value is missing where it must not be, can't be converted to the column's
    dtype, is out of range or not allowed, if its time is in the future, if the row could not be
    read, or if an earlier good row has the same unique key.

    Parameters
    ----------
    frame : dask or pandas DataFrame
        Such as from `read_table`, best with ``as_text=True``.
    schema : Schema
    quarantine : str or Path, optional
        A folder for the bad rows as Parquet files, with the column ``reason``, and ``file`` where
        known; `read_table` reads it. An earlier one is replaced, when the new one is whole.
        Without bad rows, none is there afterwards.
    max_bad_share : float
        More bad rows than this share of all are an error.
    now : Timestamp, optional
        What comes later is in the future; the current time without. Times without a zone may then
        be up to 14 hours ahead of UTC, as clocks are somewhere.

    Returns
    -------
    CheckedTable

    Raises
    ------
    MissingColumnError
        A column of the schema is not in the table.
    InputError
        A column's type can't become the schema's, too many rows are bad, or there are none.
    OutputError
        The quarantine can't be written.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"card": [1, 2, 2], "amount": [5.0, -1.0, 3.0]})
    >>> schema = Schema([Column("card", "int64"), Column("amount", "float64", minimum=0)])
    >>> checked = check_table(table, schema, max_bad_share=0.5)
    >>> checked.rows, checked.bad_rows, checked.reasons
    (3, 1, {'amount: below 0': 1})
    """
    # Optimised first: Dask may put small partitions together, and bad rows are known by partition.
    table = lazily(frame).optimize(fuse=False)
    origin = find_origin(table)
    _check_columns(table, schema, origin)
    now = pd.Timestamp.now("UTC") if now is None else now
    parts = table.to_delayed()
    with Quarantine(quarantine) as folder:
        row = bytes_per_row(table._meta)
        found = _find_bad_rows(parts, schema, now, folder, origin, row)
    _check_share(found, max_bad_share, quarantine, origin)
    return CheckedTable(
        frame=as_given(_good_rows(table, schema, found.bad), frame),
        rows=found.rows,
        bad_rows=found.bad_rows,
        reasons=dict(found.reasons),
        examples=found.examples,
        time_minimum=min(found.times, default=None),
        time_maximum=max(found.times, default=None),
    )


def _check_columns(frame: Any, schema: Schema, origin: Origin) -> None:
    for column in schema.columns:
        if column.name not in frame.columns:
            raise MissingColumnError.of(
                origin.path, column.name, [name for name in frame.columns if name != PROBLEM]
            )
        dtype = frame.dtypes[column.name]
        if not _convertible(dtype, column):
            named = frame[[column.name]].dropna()
            named = named if isinstance(named, pd.DataFrame) else first_rows(named, 1)
            values = named[column.name].tolist()
            example = f", such as {values[0]}" if values else ""
            raise InputError(
                f"Column {column.name!r} of {origin.path!r} is {dtype}{example}, but "
                f"{column.dtype} is expected. Write it as {column.dtype}, or name another column "
                "in [columns] of the configuration."
            )


def _convertible(dtype: Any, column: Column) -> bool:
    is_time = pd.api.types.is_datetime64_any_dtype(dtype)
    if column.dtype == "datetime":
        return is_time or not pd.api.types.is_numeric_dtype(dtype)
    return not is_time or column.dtype == "string"


def _find_bad_rows(
    parts: Sequence[Any],
    schema: Schema,
    now: pd.Timestamp,
    folder: str | None,
    origin: Origin,
    row: int,
) -> Findings:
    """Look at each partition once, and again at those where a key came before."""
    numbers = list(range(len(parts)))
    files: list[str | None] = [*origin.files] or [None] * len(parts)
    buckets = bucket_count(len(parts), row) if schema.unique else 0
    checked = for_each(_check_partition, list(parts), numbers, files, schema, now, buckets, folder)
    by_bucket = find_duplicates(for_each(_second, checked), buckets)
    summaries, by_bucket = dask.compute(for_each(_first, checked), by_bucket)
    total = Findings()
    for summary in summaries:
        total.add(summary)
    again: dict[int, list[np.ndarray]] = {}
    for of_bucket in by_bucket:
        for number, positions in of_bucket.items():
            again.setdefault(number, []).append(positions)
    total.add(_look_at_duplicates(parts, again, schema, folder, files))
    return total


def _first(results: tuple[Any, Any]) -> Any:
    return results[0]


def _second(results: tuple[Any, Any]) -> Any:
    return results[1]


def _check_partition(
    frame: pd.DataFrame,
    number: int,
    file: str | None,
    schema: Schema,
    now: pd.Timestamp,
    buckets: int,
    folder: str | None,
) -> tuple[Findings, list[Any]]:
    """Return what the partition holds, and for each bucket its keys with their rows."""
    masks = [(reason, mask) for reason, mask in problems(frame, schema, now) if mask.any()]
    bad = np.zeros(len(frame), dtype=bool)
    for _, mask in masks:
        bad |= mask
    if folder is not None and bad.any():
        write_bad_rows(frame, masks, bad, file, folder, f"bad-{number:06d}.parquet")
    found = Findings(
        rows=len(frame),
        reasons=Counter({reason: int(mask.sum()) for reason, mask in masks}),
        examples={reason: examples_of(frame, mask, file) for reason, mask in masks},
        bad={number: np.flatnonzero(bad).astype("uint32")} if bad.any() else {},
    )
    positions = np.flatnonzero(~bad)
    looked_at = frame[[name for name in schema.names if name in {*schema.unique, schema.time}]]
    good = looked_at.take(positions) if bad.any() else looked_at
    if schema.time and len(good):
        column = next(column for column in schema.columns if column.name == schema.time)
        times = cast_column(good[schema.time], column).dropna()
        found.times = [times.min(), times.max()] if len(times) else []
    if not buckets:
        return found, []
    return found, split_keys(number, key_hashes(good, schema), positions, buckets)


def _look_at_duplicates(
    parts: Sequence[Any],
    again: Mapping[int, list[np.ndarray]],
    schema: Schema,
    folder: str | None,
    files: Sequence[str | None],
) -> Findings:
    """Put rows with a duplicate key into quarantine: a second look at their partitions only."""
    total = Findings()
    if not again:
        return total
    reason = f"{DUPLICATE} ({', '.join(schema.unique)})"
    numbers = sorted(again)
    positions = [np.sort(np.concatenate(again[number])) for number in numbers]
    chosen = [parts[number] for number in numbers]
    chosen_files = [files[number] for number in numbers]
    looks = for_each(_duplicate_rows, chosen, numbers, chosen_files, positions, reason, folder)
    for found in dask.compute(*looks):
        total.add(found)
    return total


def _duplicate_rows(
    frame: pd.DataFrame,
    number: int,
    file: str | None,
    positions: np.ndarray,
    reason: str,
    folder: str | None,
) -> Findings:
    mask = np.zeros(len(frame), dtype=bool)
    mask[positions] = True
    if folder is not None:
        name = f"duplicates-{number:06d}.parquet"
        write_bad_rows(frame, [(reason, mask)], mask, file, folder, name)
    examples = {reason: examples_of(frame, mask, file)}
    return Findings(0, Counter({reason: len(positions)}), examples, bad={number: positions})


def _good_rows(frame: Any, schema: Schema, bad: Mapping[int, np.ndarray]) -> Any:
    """Return the rows that no reason speaks against, lazily."""
    none = np.zeros(0, dtype="uint32")
    positions = [bad.get(number, none) for number in range(frame.npartitions)]
    meta = pd.Series([], dtype="uint32")
    of_parts = dd.from_map(pd.Series, positions, meta=meta, label="bad-rows")
    # Meta is given: as inferred, it would be of made-up values that the schema may not know.
    return frame.map_partitions(
        _pick_good,
        of_parts,
        schema,
        meta=good_rows_meta(frame._meta, schema),
        align_dataframes=False,
        enforce_metadata=False,
    )


def good_rows_meta(
    meta: pd.DataFrame, schema: Schema, path: str | None = "the table"
) -> pd.DataFrame:
    """Return what good rows look like, without rows, of a table that looks like `meta`.

    Raises
    ------
    MissingColumnError
        A column of the schema is not in the table, which errors call `path`.
    InputError
        A column's type can't become the schema's.
    """
    _check_columns(meta, schema, Origin(path or "the table", []))
    return _pick_good(meta, pd.Series([], dtype="uint32"), schema)


@keeps_rows
def _pick_good(frame: pd.DataFrame, bad: pd.Series, schema: Schema) -> pd.DataFrame:
    if len(bad):
        keep = np.ones(len(frame), dtype=bool)
        keep[bad.to_numpy()] = False
        frame = frame[keep]
    cast = {column.name: cast_column(frame[column.name], column) for column in schema.columns}
    return frame.assign(**cast).drop(columns=PROBLEM, errors="ignore").reset_index(drop=True)


def _check_share(
    found: Findings, max_bad_share: float, quarantine: str | Path | None, origin: Origin
) -> None:
    if found.rows == 0:
        raise InputError(f"{_capital(origin.path)} has no rows. Check that its files are whole.")
    bad_rows = found.bad_rows
    if bad_rows <= max_bad_share * found.rows and bad_rows < found.rows:
        return
    kept = f"They are in {str(quarantine)!r}. " if quarantine else ""
    raise InputError(
        f"{_capital(origin.path)}: {describe(found.rows, bad_rows, found.reasons, found.examples)}"
        f"\nAllowed are {max_bad_share:.2%}. {kept}"
        "Repair the table or its schema, or allow more (validation.max_bad_share)."
    )


def _capital(path: str) -> str:
    return "The table" if path == "the table" else f"The table {path!r}"
