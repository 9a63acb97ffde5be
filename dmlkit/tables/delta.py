"""Delta Lake tables: the Parquet files of a version as partitions."""

from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from dmlkit.tables.parquet import ParquetPiece, plan_parquet
from dmlkit.tables.sources import Source, read_error

__all__ = ["plan_delta"]


def plan_delta(
    source: Source, filters: Any, partition_bytes: int
) -> tuple[list[ParquetPiece], pa.Schema]:
    """List the files of the newest version, in the order of their names, and group row groups.

    The columns that the table is partitioned by are not in its files: files of different
    partitions are kept apart, and their pieces know the values.
    """
    try:
        table = DeltaTable(source.path)
        schema = pa.schema(table.schema().to_arrow())
        partition_columns = table.metadata().partition_columns
        actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    except (DeltaError, OSError) as error:
        raise read_error(source.path, error) from None
    groups: dict[tuple[Any, ...], list[str]] = {}
    _, root = _split_protocol(source)
    for action in sorted(actions, key=lambda action: str(action["path"])):
        key = tuple(action[f"partition.{column}"] for column in partition_columns)
        groups.setdefault(key, []).append(f"{root}/{action['path']}")
    pieces: list[ParquetPiece] = []
    nullable: set[str] = set()
    for key, files in groups.items():
        of_files = Source(source.path, source.filesystem, tuple(files), "parquet")
        found, physical = plan_parquet(of_files, filters, partition_bytes)
        constants = dict(zip(partition_columns, key, strict=True))
        pieces += [ParquetPiece(piece.filesystem, piece.parts, constants) for piece in found]
        nullable |= {field.name for field in physical if field.nullable}
    fields = [field.with_nullable(field.name in nullable) for field in schema]
    return pieces, pa.schema(fields)


def _split_protocol(source: Source) -> tuple[str, str]:
    protocol, _, rest = source.path.rpartition("://")
    return protocol, source.filesystem._strip_protocol(source.path).rstrip("/") or rest
