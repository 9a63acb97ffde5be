"""The commit that makes written files a Delta Lake table, and what must hold before it.

The files before the commit are the business of `staging`; writing them, of `part_files`.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from dmlkit.errors import ConfigurationError, InputError, OutputError
from dmlkit.tables.folders import Folder, storage_options

__all__ = [
    "Mode",
    "Write",
    "check_target",
    "commit_files",
    "is_committed",
    "is_table",
    "open_table",
    "partition_text",
    "spelt_alike",
]

Mode = Literal["error", "append", "overwrite", "overwrite_partitions"]
MODES = ("error", "append", "overwrite", "overwrite_partitions")
#: How often a commit is tried when other writers are quicker.
COMMIT_TRIES = 10
#: Under this key of the commit's record a write finds itself again.
TOKEN = "dmlkitWrite"
#: How many versions back a write that was just made is looked for.
RECENT = 100


@dataclass(frozen=True)
class Write:
    """What is to be published where."""

    folder: Folder
    schema: pa.Schema
    partition_by: tuple[str, ...]
    mode: Mode
    new_columns: bool = False

    @property
    def adds(self) -> bool:
        """Whether rows that are there stay, all or some of them."""
        return self.mode in ("append", "overwrite_partitions")

    def delta_schema(self) -> Any:
        """Return the schema in Delta Lake's types."""
        return DeltaSchema.from_arrow(self.schema)


def check_target(write: Write, foreign_file: str | None = None) -> Any:
    """Raise unless what is at the target now lets the write go on.

    Parameters
    ----------
    write : Write
    foreign_file : str, optional
        A file that is there and of no table.

    Returns
    -------
    DeltaTable or None
        The table as it was checked; None when there is none.
    """
    folder = write.folder.uri
    if write.mode not in MODES:
        raise ConfigurationError(f"mode is {write.mode!r}; it must be one of {', '.join(MODES)}.")
    if write.mode == "overwrite_partitions" and not write.partition_by:
        raise ConfigurationError(
            "mode='overwrite_partitions' replaces the partitions that the frame has rows of: say "
            "by which columns the table is partitioned (partition_by=), or write all of it with "
            "mode='overwrite'."
        )
    if not is_table(write.folder):
        if foreign_file:
            raise OutputError(
                f"The folder {folder!r} holds files that are no Delta Lake table, such as "
                f"{foreign_file!r}. Write to an empty folder, or move them away."
            )
        return None
    if write.mode == "error":
        raise OutputError(
            f"There is a table in {folder!r} already. Pass mode='append' to add rows to it, "
            "mode='overwrite' to replace it ('overwrite_partitions': parts of it), or write to "
            "another folder."
        )
    table = open_table(write.folder)
    if write.adds:
        _check_columns(write, table)
    return table


def commit_files(write: Write, files: pd.DataFrame, token: str) -> int:
    """Make the files the table, or part of it, in one commit.

    Parameters
    ----------
    write : Write
    files : pandas.DataFrame
        Their paths in the folder, partition values, statistics and bytes.
    token : str
        Recorded with the commit.

    Returns
    -------
    int
        The version of the table that the commit made.

    Raises
    ------
    OutputError
        The table can't be changed; it is as it was.
    """
    if write.adds and files.empty and is_table(write.folder):
        return open_table(write.folder).version()
    actions = [_add_action(file) for file in files.to_dict("records")]
    reason = "its log doesn't tell of this write."
    for attempt in range(COMMIT_TRIES):
        table = check_target(write)
        try:
            _commit(write, table, actions, {TOKEN: token})
            break
        except DeltaError as error:
            reason = str(error)
            if not _another_was_quicker(error) or is_committed(write.folder, token):
                break
            time.sleep(min(0.05 * 2**attempt, 1.0))
    version = _find_version(write.folder, token, RECENT)
    if version is None:
        raise OutputError(
            f"Cannot commit to the table {write.folder.uri!r}: {reason}\n"
            "The table is as it was. If others write to it at the same time, write again."
        )
    return version


def is_committed(folder: Folder, token: str) -> bool:
    """Tell whether the table holds a write, or has held it."""
    if not is_table(folder):
        return False
    # The record of an old commit may be gone from the log while its files are still in use.
    in_use = any(token in file for file in open_table(folder).file_uris())
    return in_use or _find_version(folder, token, None) is not None


def spelt_alike(names: Iterable[str]) -> tuple[str, str] | None:
    """Return two names that differ in capitals only, of which a table can have one.

    Examples
    --------
    >>> spelt_alike(["amount", "day", "Amount"])
    ('amount', 'Amount')
    """
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            return other, name
    return None


def partition_text(value: Any) -> str | None:
    """Write a partition value as the Delta Lake protocol has it.

    Examples
    --------
    >>> partition_text(True), partition_text("")
    ('true', None)
    """
    if value is None or value == "":
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _commit(write: Write, table: Any, actions: list[AddAction], record: dict[str, str]) -> None:
    if write.adds and table is not None:
        there = {field.name for field in table.schema().fields}
        if added := [each for each in write.delta_schema().fields if each.name not in there]:
            table.alter.add_columns(added)  # a commit of its own: all rows that are there lack them
        # What is replaced was there when it was looked at: others may have added to it since.
        tries = 0 if write.mode == "overwrite_partitions" else None
        # The table as it was checked: the commit fails when its columns have changed since.
        table.create_write_transaction(
            [*_replaced(write, table, actions), *actions],
            "append",
            table.schema(),
            list(write.partition_by),
            commit_properties=CommitProperties(custom_metadata=record, max_commit_retries=tries),
        )
        return
    create_table_with_add_actions(
        write.folder.uri,
        write.delta_schema(),
        actions,
        mode="overwrite" if write.mode == "overwrite" else "error",
        partition_by=list(write.partition_by),
        storage_options=storage_options(write.folder.uri),
        # Tried again by itself, it would come on top of what another writer has just committed.
        commit_properties=CommitProperties(custom_metadata=record, max_commit_retries=0),
    )


def _replaced(write: Write, table: Any, actions: list[AddAction]) -> list[RemoveAction]:
    """Return what takes the files out of the table whose partitions are written anew."""
    if write.mode != "overwrite_partitions":
        return []
    written = {
        tuple(action.partition_values[key] for key in write.partition_by) for action in actions
    }
    removed = []
    for file in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        values = {key: partition_text(file[f"partition.{key}"]) for key in write.partition_by}
        if tuple(values.values()) in written:
            path, now = unquote(file["path"]), time.time_ns() // 1_000_000
            removed.append(RemoveAction(path, True, now, file["size_bytes"], values))
    return removed


def _another_was_quicker(error: DeltaError) -> bool:
    return isinstance(error, CommitFailedError) or "already exists" in str(error)


def _add_action(file: dict[Any, Any]) -> AddAction:
    now = time.time_ns() // 1_000_000
    values = json.loads(file["values"])
    return AddAction(file["path"], file["bytes"], values, now, True, file["statistics"])


def is_table(folder: Folder) -> bool:
    """Tell whether there is a Delta Lake table in a folder."""
    try:
        return bool(DeltaTable.is_deltatable(folder.uri, storage_options(folder.uri)))
    except (DeltaError, OSError) as error:
        raise OutputError(f"{folder.uri!r} can't be looked at: {error}.") from None


def open_table(folder: Folder) -> Any:
    """Return the newest version of the table in a folder."""
    try:
        return DeltaTable(folder.uri, storage_options=storage_options(folder.uri))
    except (DeltaError, OSError) as error:
        raise OutputError(
            f"The log of the table {folder.uri!r} can't be read: {error}. "
            "Write to another folder, or restore the table's _delta_log."
        ) from None


def _find_version(folder: Folder, token: str, versions_back: int | None) -> int | None:
    """Return the version that a write made, or None when it has not been committed."""
    if not is_table(folder):
        return None
    entries = open_table(folder).history(versions_back)
    return next((entry["version"] for entry in entries if entry.get(TOKEN) == token), None)


def _check_columns(write: Write, table: Any) -> None:
    """Raise unless rows of the frame can stand beside those that are in the table."""
    there, new = _types(table.schema()), _types(write.delta_schema())
    required = {field.name for field in table.schema().fields if not field.nullable}
    beyond = [f"{name!r} is not in the table" for name in new if name not in there]
    lacking = [name for name in there if name not in new]
    found = [
        *([] if write.new_columns else beyond),
        *(f"{name!r} is missing" for name in lacking if name in required or not write.new_columns),
    ]
    found += [
        f"{name!r} is {there[name]} in the table but {new[name]} in the frame"
        for name in there
        if name in new and there[name] != new[name]
    ]
    if write.new_columns and (alike := spelt_alike([*there, *new])):
        found.append(
            f"{alike[1]!r} would be a new column that capitals alone tell from {alike[0]!r}"
        )
    if found:
        advice = "Select, rename or astype the columns so that they match."
        if not write.new_columns:
            advice += " With new_columns=True, rows are empty where they lack a column."
        raise InputError(f"Cannot add to {write.folder.uri!r}: {'; '.join(found)}. {advice}")
    partition_by = tuple(table.metadata().partition_columns)
    if partition_by != write.partition_by:
        raise InputError(
            f"The table {write.folder.uri!r} has partition_by={list(partition_by)}: "
            f"pass the same to add to it, not {list(write.partition_by)}."
        )


def _types(schema: Any) -> dict[str, str]:
    """Return the type of each column as Delta Lake writes it."""
    return {field.name: field.type.to_json().strip('"') for field in schema.fields}
