"""Checking a table against a schema: one pass, bad rows to quarantine, good rows go on."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.tables.rules import cast_column, key_hashes, problems
from dmlkit.tables.schema import Column, Schema
from dmlkit.tables.text import PROBLEM

__all__ = ["DEFAULT_MAX_BAD_SHARE", "CheckedTable", "check_table"]

DEFAULT_MAX_BAD_SHARE = 0.01

#: Of each reason, for the message and the report.
EXAMPLES = 3

#: At most as many tasks look for duplicate keys.
MOST_BUCKETS = 64

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


@dataclass
class _Summary:
    """What one partition, or several put together, hold."""

    rows: int = 0
    bad_rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    times: list[pd.Timestamp] = field(default_factory=list)

    def add(self, other: "_Summary") -> None:
        self.rows += other.rows
        self.bad_rows += other.bad_rows
        self.reasons.update(other.reasons)
        for reason, rows in other.examples.items():
            self.examples[reason] = (self.examples.get(reason, []) + rows)[:EXAMPLES]
        self.times += other.times


def check_table(
    frame: Any,
    schema: Schema,
    *,
    quarantine: str | None = None,
    max_bad_share: float = DEFAULT_MAX_BAD_SHARE,
    now: pd.Timestamp | None = None,
) -> CheckedTable:
    """Check all rows of a table in one pass.

    A row is bad if a value is missing where it must not be, can't be converted to the column's
    dtype, is out of range or not allowed, if its time is in the future, if the row could not be
    read, or if an earlier good row has the same unique key.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        Such as from `read_table`, best with ``as_text=True``.
    schema : Schema
    quarantine : str, optional
        A folder for the bad rows as Parquet files, with the column ``reason``. An earlier one is
        replaced. Without bad rows, none is written.
    max_bad_share : float
        More bad rows than this share of all are an error.
    now : Timestamp, optional
        What comes later (UTC) is in the future; the current time without.

    Returns
    -------
    CheckedTable

    Raises
    ------
    MissingColumnError
        A column of the schema is not in the table.
    InputError
        A column's type can't become the schema's, too many rows are bad, or there are none.

    Examples
    --------
    >>> import dask.dataframe as dd, pandas as pd
    >>> table = pd.DataFrame({"card": [1, 2, 2], "amount": [5.0, -1.0, 3.0]})
    >>> schema = Schema([Column("card", "int64"), Column("amount", "float64", minimum=0)])
    >>> checked = check_table(dd.from_pandas(table, npartitions=1), schema, max_bad_share=0.5)
    >>> checked.rows, checked.bad_rows, checked.reasons
    (3, 1, {'amount: below 0': 1})
    """
    _check_columns(frame, schema)
    now = pd.Timestamp.now("UTC").tz_localize(None) if now is None else now
    parts = frame.to_delayed()
    with _Quarantine(quarantine) as folder:
        summary, duplicates = _one_pass(parts, schema, now, folder)
        summary.add(_take_out_duplicates(parts, duplicates, schema, folder))
    _check_share(summary, max_bad_share, quarantine)
    good = [
        dask.delayed(_good_rows)(part, schema, now, duplicates.get(number))
        for number, part in enumerate(parts)
    ]
    meta = _good_rows(frame._meta, schema, now, None)
    return CheckedTable(
        frame=dd.from_delayed(good, meta=meta, verify_meta=False, prefix="good-rows"),
        rows=summary.rows,
        bad_rows=summary.bad_rows,
        reasons=dict(summary.reasons),
        examples=summary.examples,
        time_minimum=min(summary.times, default=None),
        time_maximum=max(summary.times, default=None),
    )


class _Quarantine:
    """A folder that appears under its name when the pass is over, or not at all."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._folder: Path | None = None

    def __enter__(self) -> str | None:
        if self._path is None:
            return None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{self._path.name}-"
        self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._path.parent))
        return str(self._folder)

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._path is None or self._folder is None:
            return
        if kind is not None or not any(self._folder.iterdir()):
            shutil.rmtree(self._folder)
        if kind is None:
            shutil.rmtree(self._path, ignore_errors=True)
            if self._folder.exists():
                self._folder.chmod(0o755)
                self._folder.rename(self._path)


def _check_columns(frame: Any, schema: Schema) -> None:
    for column in schema.columns:
        if column.name not in frame.columns:
            raise MissingColumnError.of("frame", column.name, frame.columns)
        dtype = frame._meta[column.name].dtype
        if not _convertible(dtype, column):
            values = frame[column.name].head(1, npartitions=-1).tolist()
            raise InputError(
                f"Column {column.name!r} is {dtype} (such as {values[0] if values else None!r}), "
                f"but {column.dtype} is expected. Write it as {column.dtype}, or name another "
                "column in [columns] of the configuration."
            )


def _convertible(dtype: Any, column: Column) -> bool:
    is_time = pd.api.types.is_datetime64_any_dtype(dtype)
    if column.dtype == "datetime":
        return is_time or not pd.api.types.is_numeric_dtype(dtype)
    return not is_time or column.dtype == "string"


def _one_pass(
    parts: Sequence[Any], schema: Schema, now: pd.Timestamp, folder: str | None
) -> tuple[_Summary, dict[int, np.ndarray]]:
    """Return what the table holds, and the rows of each partition whose key came before."""
    buckets = min(len(parts), MOST_BUCKETS) if schema.unique else 0
    check = dask.delayed(_check_partition, nout=1 + buckets, pure=False)
    checked = [
        check(part, number, schema, now, buckets, folder) for number, part in enumerate(parts)
    ]
    find = dask.delayed(_find_duplicates)
    found = [find([part[1 + bucket] for part in checked]) for bucket in range(buckets)]
    summaries, by_bucket = dask.compute([part[0] for part in checked], found)
    total = _Summary()
    for summary in summaries:
        total.add(summary)
    duplicates: dict[int, list[np.ndarray]] = {}
    for of_bucket in by_bucket:
        for number, positions in of_bucket.items():
            duplicates.setdefault(number, []).append(positions)
    return total, {number: np.sort(np.concatenate(p)) for number, p in duplicates.items()}


def _check_partition(
    frame: pd.DataFrame,
    number: int,
    schema: Schema,
    now: pd.Timestamp,
    buckets: int,
    folder: str | None,
) -> tuple[Any, ...]:
    """Return the partition's summary, then for each bucket number, keys and positions."""
    found = [(reason, mask) for reason, mask in problems(frame, schema, now) if mask.any()]
    bad = np.zeros(len(frame), dtype=bool)
    for _, mask in found:
        bad |= mask
    if bad.any():
        _write_bad_rows(frame, found, bad, folder, f"part-{number:05d}.parquet")
    summary = _Summary(
        rows=len(frame),
        bad_rows=int(bad.sum()),
        reasons=Counter({reason: int(mask.sum()) for reason, mask in found}),
        examples={reason: _examples(frame, mask) for reason, mask in found},
    )
    positions = np.flatnonzero(~bad)
    good = frame.take(positions)
    if schema.time and len(good):
        column = next(column for column in schema.columns if column.name == schema.time)
        times = cast_column(good[schema.time], column)
        summary.times = [times.min(), times.max()]
    if not buckets:
        return (summary,)
    keys = key_hashes(good, schema)
    bucket = keys % np.uint64(buckets)
    split = [(number, keys[bucket == b], positions[bucket == b]) for b in range(buckets)]
    return summary, *split


def _find_duplicates(
    parts: Sequence[tuple[int, np.ndarray, np.ndarray]],
) -> dict[int, np.ndarray]:
    """Return, by partition, the positions of rows whose key stands in an earlier row."""
    keys = np.concatenate([keys for _, keys, _ in parts])
    numbers = np.repeat([number for number, *_ in parts], [len(keys) for _, keys, _ in parts])
    positions = np.concatenate([positions for *_, positions in parts])
    order = np.argsort(keys, kind="stable")  # parts come in table order, and so do their rows
    again = np.zeros(len(keys), dtype=bool)
    again[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return {int(n): positions[again & (numbers == n)] for n in np.unique(numbers[again])}


def _take_out_duplicates(
    parts: Sequence[Any], duplicates: Mapping[int, np.ndarray], schema: Schema, folder: str | None
) -> _Summary:
    """Put rows with a duplicate key into quarantine: a second look at their partitions only."""
    reason = f"{DUPLICATE} ({', '.join(schema.unique)})"
    look = dask.delayed(_duplicate_rows)
    summaries = dask.compute(
        [look(parts[n], n, duplicates[n], reason, folder) for n in sorted(duplicates)]
    )[0]
    total = _Summary()
    for summary in summaries:
        total.add(summary)
    return total


def _duplicate_rows(
    frame: pd.DataFrame, number: int, positions: np.ndarray, reason: str, folder: str | None
) -> _Summary:
    mask = np.zeros(len(frame), dtype=bool)
    mask[positions] = True
    _write_bad_rows(frame, [(reason, mask)], mask, folder, f"duplicates-{number:05d}.parquet")
    count = len(positions)
    return _Summary(0, count, Counter({reason: count}), {reason: _examples(frame, mask)})


def _write_bad_rows(
    frame: pd.DataFrame,
    found: Sequence[tuple[str, np.ndarray]],
    bad: np.ndarray,
    folder: str | None,
    name: str,
) -> None:
    if folder is None:
        return
    reasons = np.full(len(frame), "", dtype=object)
    for reason, mask in found:
        reasons[mask] = [f"{said}; {reason}" if said else reason for said in reasons[mask]]
    rows = frame.assign(reason=pd.array(reasons, dtype="str"))[bad]
    if PROBLEM in rows.columns:
        rows = rows.rename(columns={PROBLEM: "problem"})
    rows.to_parquet(Path(folder) / name, index=False)


def _examples(frame: pd.DataFrame, mask: np.ndarray) -> list[str]:
    rows = frame.take(np.flatnonzero(mask)[:EXAMPLES])
    if PROBLEM in rows.columns and rows[PROBLEM].notna().all():
        return [str(problem) for problem in rows[PROBLEM]]
    return [
        ", ".join(f"{name}={value}" for name, value in row.items() if name != PROBLEM)
        for row in rows.to_dict("records")
    ]


def _good_rows(
    frame: pd.DataFrame, schema: Schema, now: pd.Timestamp, duplicates: np.ndarray | None
) -> pd.DataFrame:
    bad = np.zeros(len(frame), dtype=bool)
    for _, mask in problems(frame, schema, now):
        bad |= mask
    if duplicates is not None:
        bad[duplicates] = True
    good = frame if not bad.any() else frame[~bad]
    cast = {column.name: cast_column(good[column.name], column) for column in schema.columns}
    return good.assign(**cast).drop(columns=PROBLEM, errors="ignore").reset_index(drop=True)


def _check_share(summary: _Summary, max_bad_share: float, quarantine: str | None) -> None:
    if summary.rows == 0:
        raise InputError("The table has no rows.")
    if summary.bad_rows <= max_bad_share * summary.rows:
        return
    lines = [
        f"{count:>12,}  {reason}\n{'':>14}such as {summary.examples[reason][0]}"
        for reason, count in summary.reasons.most_common()
    ]
    kept = f"They are in {quarantine!r}. " if quarantine else ""
    raise InputError(
        f"{summary.bad_rows:,} of {summary.rows:,} rows are bad "
        f"({summary.bad_rows / summary.rows:.1%}, allowed are {max_bad_share:.1%}):\n"
        + "\n".join(lines)
        + f"\n{kept}Repair the table or its schema, or allow more (validation.max_bad_share)."
    )
