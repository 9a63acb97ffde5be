"""`write_table`: publish a frame as a Delta Lake table, all of it or nothing.

Workers write files that nobody sees (`part_files`, `staging`); then one commit by the client makes
them the table (`commit`).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
from dask.dataframe.utils import meta_nonempty

from dmlkit.chains import chained
from dmlkit.errors import InputError, MissingColumnError
from dmlkit.graph import for_each
from dmlkit.tables.commit import Mode, Write, check_target, commit_files, spelt_alike
from dmlkit.tables.folders import find_folder
from dmlkit.tables.part_files import PartWriter, delta_type, empty_file_list
from dmlkit.tables.staging import foreign_file, staged_write

__all__ = ["WrittenTable", "write_table"]

FOLDER_TYPES = (
    pa.types.is_integer,
    pa.types.is_large_string,
    pa.types.is_boolean,
    pa.types.is_date,
)


@dataclass(frozen=True)
class WrittenTable:
    """What a write has published.

    Attributes
    ----------
    path : str
    rows, bytes, files : int
        Of this write.
    version : int
        Of the table, from 0.
    """

    path: str
    rows: int
    bytes: int
    files: int
    version: int


def write_table(
    frame: Any,
    path: str | os.PathLike[str],
    *,
    mode: Mode = "error",
    partition_by: str | Sequence[str] | None = None,
    new_columns: bool = False,
) -> WrittenTable:
    """Compute a frame and publish it as a Delta Lake table.

    A reader sees the table as it was or as it is after, never a part: the files that the workers
    have written become the table by one commit. When anything fails before it, or on Ctrl-C, the
    files are removed.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame or pandas.DataFrame
        Each partition becomes a file, and the names of the files sort as the partitions do. An
        index with a name becomes a column, another one is left out.
    path : str
        A folder that all workers see, or a prefix in an object store such as
        ``s3://bucket/table``, for which client and workers have credentials in their environment.
    mode : {"error", "append", "overwrite", "overwrite_partitions"}
        What to do when there is a table. ``"overwrite_partitions"`` replaces the partitions (the
        combinations of values of `partition_by`) that the frame has rows of, and leaves others as
        they are. Files that were replaced stay for readers of older versions until `vacuum_table`.
    partition_by : str or sequence of str, optional
        Columns whose values become folders (``day=2025-01-01/``): of few distinct values.
    new_columns : bool
        Add to a table also where only it or only the frame has some of the columns: rows without
        them are empty there. Types never change, but with ``"overwrite"``, which takes all from
        the frame. The table gets its columns in a commit of their own, right before the rows.

    Returns
    -------
    WrittenTable

    Raises
    ------
    OutputError
        There is a table already, or the folder can't be written to, or two writers could not be
        kept apart in the store.
    InputError
        A column has a type that Delta Lake can't hold, or not that of the table that is added to.
    ConfigurationError
        `mode` is not known, or wants `partition_by`.

    Notes
    -----
    Times are held in microseconds, those with a time zone in UTC; categories as text; unsigned
    integers as the next wider signed ones. NaN becomes a missing value, and so does an empty text
    in a column of `partition_by`. Readers of plain Parquet can read the folder of a table that was
    never overwritten.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> from dmlkit import read_table, write_table
    >>> folder = tempfile.mkdtemp()
    >>> write_table(pd.DataFrame({"card": [1, 2]}), folder).rows
    2
    >>> write_table(pd.DataFrame({"card": [3]}), folder, mode="append").version
    1
    >>> read_table(folder).card.sum().compute()
    np.int64(6)
    """
    frame = _as_columns(frame)
    keys = (partition_by,) if isinstance(partition_by, str) else tuple(partition_by or ())
    write = Write(find_folder(path), _arrow_schema(frame), keys, mode, new_columns)
    _check_keys(write)
    write.folder.check()
    check_target(write, foreign_file(write.folder))
    with staged_write(write.folder) as (staging, token):
        files = _write_files(frame, write, staging, token)
        version = commit_files(write, files, token)
    rows, size = int(files["rows"].sum()), int(files["bytes"].sum())
    return WrittenTable(os.fspath(path), rows, size, len(files), version)


def _as_columns(frame: Any) -> Any:
    """Return a Dask frame whose columns are all that shall be written."""
    if isinstance(frame, pd.DataFrame):
        frame = dd.from_pandas(frame, npartitions=1, sort=False)
    if not isinstance(frame, dd.DataFrame):
        raise InputError(
            f"write_table takes a Dask or pandas DataFrame, not {type(frame).__name__}. "
            "Turn a Series into one with to_frame()."
        )
    if frame.index.name is not None and frame.index.name not in frame.columns:
        frame = frame.reset_index()
    names = list(frame.columns)
    wrong = [name for name in names if not isinstance(name, str) or names.count(name) > 1]
    if wrong:
        raise InputError(f"Column names must be text, each used once: {wrong[0]!r} is not.")
    if not names:
        raise InputError("The frame has no columns: there is nothing to write.")
    if alike := spelt_alike(names):
        raise InputError(
            f"Delta Lake takes the columns {alike[0]!r} and {alike[1]!r} for one: capitals don't "
            "tell its names apart. Rename one."
        )
    return frame


def _arrow_schema(frame: Any) -> pa.Schema:
    declared = pa.Schema.from_pandas(meta_nonempty(frame._meta), preserve_index=False)
    fields = [pa.field(field.name, delta_type(field.name, field.type)) for field in declared]
    return pa.schema(fields)


def _check_keys(write: Write) -> None:
    """Raise unless the values of the columns to partition by can be names of folders."""
    for name in write.partition_by:
        if name not in write.schema.names:
            raise MissingColumnError.of(write.folder.uri, name, write.schema.names)
        kind = write.schema.field(name).type
        if not any(test(kind) for test in FOLDER_TYPES):
            raise InputError(
                f"Cannot partition by {name!r}, which is {kind}: its values become names of "
                "folders. Partition by text, whole numbers, truth values or dates."
            )
    if len(write.partition_by) >= len(write.schema):
        raise InputError("partition_by names all columns; leave one that is in the files.")


def _write_files(frame: Any, write: Write, staging: str, token: str) -> pd.DataFrame:
    """Compute the frame; return the table of the files that the workers have written."""
    # Optimised first: Dask may put small partitions together, and files are numbered by them.
    frame = frame.optimize()
    width = max(5, len(str(frame.npartitions)))
    writer = PartWriter(
        folder=write.folder,
        staging=staging,
        name=f"part-{token}-{{number:0{width}d}}.parquet",
        schema=write.schema,
        partition_by=write.partition_by,
    )
    parts = frame.to_delayed(optimize_graph=False)
    written = dask.compute(chained(for_each(writer, parts, list(range(len(parts))))))[0]
    return pd.concat([files for files in written if len(files)] or [empty_file_list()])
