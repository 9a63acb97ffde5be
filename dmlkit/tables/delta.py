"""Delta Lake tables: the Parquet files of a version as partitions."""

from datetime import datetime
from numbers import Integral, Real
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.tables.addresses import misread
from dmlkit.tables.folders import storage_options
from dmlkit.tables.parquet import ParquetPiece, plan_files
from dmlkit.tables.sources import Source, read_error

__all__ = ["plan_delta"]

#: With these, the Parquet files alone are not what the table holds.
UNREADABLE = ("deletionVectors", "columnMapping")


def plan_delta(
    source: Source, filters: Any, columns: Any, partition_bytes: int | None
) -> tuple[list[ParquetPiece], pa.Schema]:
    """List the files of a version, in the order of their names, and group row groups.

    The columns that the table is partitioned by are not in its files: files of different
    partitions are kept apart, and their pieces know the values.
    """
    schema, keys, actions = _version(source)
    files = []
    for action in sorted(actions, key=lambda action: str(action["path"])):
        constants = {key: action[f"partition.{key}"] for key in keys}
        files.append((f"{source.location.rstrip('/')}/{unquote(action['path'])}", constants))
    declared = pa.schema([field for field in schema if field.name not in keys])
    pieces, physical = plan_files(
        source.filesystem, files, filters, columns, partition_bytes, declared
    )
    nullable = {field.name for field in physical if field.nullable}
    nullable |= {key for key in keys if any(values[key] is None for _, values in files)}
    fields = [field.with_nullable(field.name in nullable) for field in schema]
    return pieces, pa.schema(fields)


def _version(source: Source) -> tuple[pa.Schema, list[str], list[dict[str, Any]]]:
    local = "://" not in source.path or source.path.startswith("file://")
    place = source.location if local else source.path
    if local and (found := misread(place)) and found not in "#?":  # of these, it can be read
        raise InputError(
            f"The Delta Lake table {source.path!r} can't be read: {found!r} in a path is misread. "
            "Rename the folder."
        )
    try:
        table = DeltaTable(place, storage_options=storage_options(place))
        _load(table, source)
        features = table.protocol().reader_features or []
        if unreadable := [feature for feature in UNREADABLE if feature in features]:
            raise InputError(
                f"The Delta Lake table {source.path!r} uses {unreadable[0]}, which cannot be read "
                "here. Write it anew without (in Spark: REORG TABLE ... APPLY (PURGE), or a copy)."
            )
        schema = pa.schema(table.schema().to_arrow())
        actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        return schema, table.metadata().partition_columns, actions
    except (DeltaError, OSError) as error:
        raise read_error(source.path, error) from None


def _load(table: Any, source: Source) -> None:
    """Go back to the version that is asked for."""
    wanted, newest = source.version, table.version()
    if wanted is None:
        return
    try:
        table.load_as_version(int(wanted) if isinstance(wanted, Integral) else _moment(wanted))
    except (DeltaError, OverflowError, TypeError, ValueError) as error:
        there = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        if isinstance(wanted, Integral) and not 0 <= int(wanted) <= newest:
            there = f"the newest is {newest}"
        raise ConfigurationError(
            f"{source.path!r} has no version={wanted!r}: {there}. Give the number of a version, or "
            "a time at which it was the newest; deltalake.DeltaTable(path).history() tells of all."
        ) from None


def _moment(wanted: Any) -> datetime:
    if isinstance(wanted, Real):
        raise TypeError("it is neither a whole number nor a time")
    moment = pd.Timestamp(wanted)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    found: datetime = moment.to_pydatetime()
    return found
