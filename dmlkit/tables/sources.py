"""Which files a path means, and in which format they are. Reading them is not done here."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from dmlkit.errors import DmlkitError, InputError, MissingFileError, nearest

__all__ = ["Source", "find_source", "read_error"]

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".jsonl.gz": "json",
}


@dataclass(frozen=True)
class Source:
    """The files of one table.

    Attributes
    ----------
    path : str
        As the user wrote it.
    filesystem : fsspec.AbstractFileSystem
    files : tuple of str
        In order, without the protocol.
    format : str
        ``"parquet"``, ``"csv"``, ``"json"`` or ``"delta"`` (then `files` is empty).
    """

    path: str
    filesystem: Any
    files: tuple[str, ...]
    format: str


def find_source(path: str | os.PathLike[str]) -> Source:
    """Find the files of a table: a file, a folder (at any depth), a glob, a Delta Lake table.

    Hidden files, and those whose name starts with an underscore, are left out.

    Raises
    ------
    MissingFileError
        Nothing is there; the nearest name beside it is in the message.
    InputError
        A file is empty, or the formats are unknown or mixed.
    """
    path = os.fspath(path)
    try:
        filesystem, location = fsspec.core.url_to_fs(path)
        if filesystem.isdir(location) and filesystem.isdir(f"{location.rstrip('/')}/_delta_log"):
            return Source(path, filesystem, (), "delta")
        files = _list(filesystem, location, path)
    except (ImportError, ValueError) as error:
        if isinstance(error, DmlkitError):
            raise
        raise InputError(f"Cannot open {path!r}: {error}.") from None
    except PermissionError as error:
        raise InputError(f"No permission to read {error.filename or path!r}.") from None
    return Source(path, filesystem, files, _format(files, path))


def read_error(path: str, error: Exception) -> InputError:
    """Return the error that says which file cannot be read, why, and what to do."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return InputError(
        f"Cannot read {path!r}: {reason}.\n"
        "The file is damaged or cut short: write it again, or move it out of the table."
    )


def _list(filesystem: Any, location: str, path: str) -> tuple[str, ...]:
    if "*" in location or "?" in location:
        found = {name: filesystem.info(name) for name in filesystem.glob(location)}
        found = {name: info for name, info in found.items() if info["type"] == "file"}
    elif filesystem.isdir(location):
        found = filesystem.find(location, detail=True)
        found = {name: info for name, info in found.items() if not _hidden(name, location)}
    elif filesystem.exists(location):
        found = {location: filesystem.info(location)}
    else:
        found = {}
    if not found:
        raise MissingFileError(_nothing_there(filesystem, location, path))
    empty = [name for name, info in found.items() if info["size"] == 0]
    if empty:
        raise InputError(f"The file {empty[0]!r} is empty (0 bytes). Remove it or write it again.")
    return tuple(sorted(found))


def _hidden(name: str, root: str) -> bool:
    inside = name.removeprefix(root.rstrip("/") + "/")
    return any(part.startswith((".", "_")) for part in inside.split("/"))


def _nothing_there(filesystem: Any, location: str, path: str) -> str:
    if filesystem.isdir(location):
        return f"The folder {path!r} holds no files. Check the path."
    folder, _, name = location.rstrip("/").rpartition("/")
    hint = ""
    if folder and filesystem.isdir(folder):
        beside = [other.rsplit("/", 1)[-1] for other in filesystem.ls(folder, detail=False)]
        if guess := nearest(name, beside):
            hint = f" Did you mean {guess!r}?"
    return f"There is no file or folder {path!r}.{hint} Check the path."


def _format(files: Sequence[str], path: str) -> str:
    formats: dict[str, str] = {}
    for name in files:
        formats.setdefault(_format_of(name), name)
    if len(formats) > 1:
        listed = ", ".join(f"{kind or 'unknown'} ({name!r})" for kind, name in formats.items())
        raise InputError(
            f"{path!r} holds files of several formats: {listed}. Name one kind with a glob, "
            f"such as {path.rstrip('/')}/*.parquet."
        )
    (kind, example), *_ = formats.items()
    if not kind:
        raise InputError(
            f"The format of {example!r} is not known. Known endings: {', '.join(FORMATS)}."
        )
    return kind


def _format_of(name: str) -> str:
    lower = name.lower()
    return next((kind for ending, kind in FORMATS.items() if lower.endswith(ending)), "")
