"""The client's side of publishing: the commit that makes files a table, and the way back.

Computing and writing the files is the business of `publish` and `part_files`.
"""

import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions

from dmlkit.errors import ConfigurationError, InputError, OutputError

__all__ = ["MODES", "Mode", "Write", "commit_files", "staged_write"]

Mode = Literal["error", "append", "overwrite"]
MODES = ("error", "append", "overwrite")
#: How often a commit is tried when other writers are quicker.
COMMIT_TRIES = 10
#: Under this key of the commit's record a write finds itself again.
TOKEN = "dmlkitWrite"
#: How many versions back a write is looked for.
HISTORY = 100
#: What the folder for files that are not whole yet is called; readers leave out names with "_".
STAGING = "_writing-"


@dataclass(frozen=True)
class Write:
    """What is to be published where."""

    folder: Path
    schema: pa.Schema
    partition_by: tuple[str, ...]
    mode: Mode

    def delta_schema(self) -> Any:
        """Return the schema in Delta Lake's types."""
        return DeltaSchema.from_arrow(self.schema)


@contextmanager
def staged_write(write: Write) -> Iterator[tuple[Path, str]]:
    """Hold a staging folder and a token for a write; on failure remove every file of it."""
    _check_target(write)
    token = f"{time.time_ns() // 1_000_000:012x}{uuid.uuid4().hex[:8]}"
    staging = write.folder / f"{STAGING}{token}"
    new_folders = [write.folder, *write.folder.parents]
    new_folders = [folder for folder in new_folders if not folder.exists()]
    try:
        staging.mkdir(parents=True)
        (staging / "owner.json").write_text(json.dumps([socket.gethostname(), os.getpid()]))
    except OSError as error:
        raise OutputError(f"Cannot write to {str(write.folder)!r}: {error}.") from None
    try:
        yield staging, token
    except BaseException:
        _take_back(write.folder, token)
        for folder in new_folders:
            _remove_if_empty(folder)
        raise
    shutil.rmtree(staging, ignore_errors=True)


def commit_files(write: Write, files: pd.DataFrame, token: str) -> int:
    """Make the files the table, or part of it, in one commit; return the version it made."""
    if write.mode == "append" and files.empty and _is_table(write.folder):
        return DeltaTable(write.folder).version()
    actions = [_add_action(file) for file in files.to_dict("records")]
    for attempt in range(COMMIT_TRIES):
        _check_target(write)
        try:
            _commit(write, actions, CommitProperties(custom_metadata={TOKEN: token}))
            break
        except DeltaError as error:
            reason = str(error)
            another_was_quicker = isinstance(error, CommitFailedError) or "already exists" in reason
            if not another_was_quicker or _find_version(write.folder, token) is not None:
                break
            time.sleep(min(0.05 * 2**attempt, 1.0))
    version = _find_version(write.folder, token)
    if version is None:
        raise OutputError(
            f"Cannot commit to the table {str(write.folder)!r}: {reason}\n"
            "The table is as it was. If others write to it at the same time, write again."
        )
    return version


def _commit(write: Write, actions: list[AddAction], properties: CommitProperties) -> None:
    if write.mode == "append" and _is_table(write.folder):
        DeltaTable(write.folder).create_write_transaction(
            actions,
            "append",
            write.delta_schema(),
            list(write.partition_by),
            commit_properties=properties,
        )
        return
    create_table_with_add_actions(
        str(write.folder),
        write.delta_schema(),
        actions,
        mode="overwrite" if write.mode == "overwrite" else "error",
        partition_by=list(write.partition_by),
        commit_properties=properties,
    )


def _add_action(file: dict[Any, Any]) -> AddAction:
    now = time.time_ns() // 1_000_000
    values = json.loads(file["values"])
    return AddAction(file["path"], file["bytes"], values, now, True, file["statistics"])


def _is_table(folder: Path) -> bool:
    return bool(DeltaTable.is_deltatable(str(folder)))


def _find_version(folder: Path, token: str) -> int | None:
    """Return the version that a write made, or None when it has not been committed."""
    if not _is_table(folder):
        return None
    entries = DeltaTable(folder).history(HISTORY)
    return next((entry["version"] for entry in entries if entry.get(TOKEN) == token), None)


def _check_target(write: Write) -> None:
    """Raise unless what is at the target now lets the write go on."""
    if write.mode not in MODES:
        raise ConfigurationError(f"mode is {write.mode!r}; it must be one of {', '.join(MODES)}.")
    folder = write.folder
    if folder.is_file():
        raise OutputError(f"{str(folder)!r} is a file; a table needs a folder. Name another path.")
    if not _is_table(folder):
        if foreign := _foreign_file(folder):
            raise OutputError(
                f"The folder {str(folder)!r} holds files that are no Delta Lake table, such as "
                f"{foreign!r}. Write to an empty folder, or move them away."
            )
    elif write.mode == "error":
        raise OutputError(
            f"There is a table in {str(folder)!r} already. Pass mode='append' to add rows to it, "
            "mode='overwrite' to replace it, or write to another folder."
        )
    elif write.mode == "append":
        _check_same_columns(write)


def _check_same_columns(write: Write) -> None:
    table = DeltaTable(write.folder)
    there, new = _types(table.schema()), _types(write.delta_schema())
    found = [f"{name!r} is not in the table" for name in new if name not in there]
    found += [f"{name!r} is missing" for name in there if name not in new]
    found += [
        f"{name!r} is {there[name]} in the table but {new[name]} in the frame"
        for name in there
        if name in new and there[name] != new[name]
    ]
    if found:
        raise InputError(
            f"Cannot append to {str(write.folder)!r}: {'; '.join(found)}. "
            "Select, rename or astype the columns so that they match."
        )
    partition_by = tuple(table.metadata().partition_columns)
    if partition_by != write.partition_by:
        raise InputError(
            f"The table {str(write.folder)!r} has partition_by={list(partition_by)}: "
            f"pass the same to append, not {list(write.partition_by)}."
        )


def _types(schema: Any) -> dict[str, str]:
    return {
        field.name: json.dumps(json.loads(field.type.to_json())).strip('"')
        for field in schema.fields
    }


def _foreign_file(folder: Path) -> str | None:
    """Return a file that no write of ours left behind, or None."""
    tokens = [rest.name.removeprefix(STAGING) for rest in folder.glob(f"{STAGING}*")]
    for file in folder.rglob("*"):
        ours = any(token in str(file.relative_to(folder)) for token in tokens)
        if file.is_file() and not ours:
            return str(file.relative_to(folder))
    return None


def _take_back(folder: Path, token: str) -> None:
    """Remove the files of a write that was not committed."""
    # First the staging folder: a task that still runs can't put its file in place any more.
    shutil.rmtree(folder / f"{STAGING}{token}", ignore_errors=True)
    if _find_version(folder, token) is not None:
        return
    for file in folder.rglob(f"part-{token}-*"):
        file.unlink(missing_ok=True)
        if file.parent != folder:
            _remove_if_empty(file.parent)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
