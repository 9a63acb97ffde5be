"""Which files a path means, and in which format they are. Reading them is not done here."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from dmlkit.errors import DmlkitError, InputError, MissingFileError, nearest
from dmlkit.tables.published import unfinished

__all__ = ["Source", "find_source", "is_store_error", "needed_for", "read_error"]

#: The extra that has what each kind of store needs.
EXTRAS = {
    "s3": "s3", "s3a": "s3",
    "gs": "gcs", "gcs": "gcs",
    "az": "azure", "abfs": "azure", "abfss": "azure", "adl": "azure",
}  # fmt: skip

#: Packages whose errors tell of an object store, not of a file in it.
STORE_TOOLS = ("adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google")

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".jsonl.gz": "json",
    ".ndjson.gz": "json",
    ".json.gz": "json",
}


@dataclass(frozen=True)
class Source:
    """The files of one table.

    Attributes
    ----------
    path : str
        As the user wrote it.
    filesystem : fsspec.AbstractFileSystem
    location : str
        The path as the file system calls it: absolute, without the protocol.
    files : tuple of str
        In order, without the protocol.
    format : str
        ``"parquet"``, ``"csv"``, ``"json"`` or ``"delta"`` (then `files` is empty).
    version : int, str, datetime or None
        Of a Delta Lake table: its number, or a time at which it was the newest.
    """

    path: str
    filesystem: Any
    location: str
    files: tuple[str, ...]
    format: str
    version: Any = None


def needed_for(path: str) -> str:
    """Return the sentence that says what to install for the store of a path; nothing for others.

    Examples
    --------
    >>> needed_for("gs://bucket/table")
    " Write: pip install 'dmlkit[gcs]'."
    """
    extra = EXTRAS.get(path.partition("://")[0])
    return f" Write: pip install 'dmlkit[{extra}]'." if extra else ""


def find_source(path: str | os.PathLike[str]) -> Source:
    """Find the files of a table: a file, a folder (at any depth), a glob, a Delta Lake table.

    A glob may match files and folders. Hidden files, and those whose name starts with an
    underscore, are left out.

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
        filesystem.invalidate_cache()  # others write there, too
        if filesystem.isdir(location) and filesystem.isdir(f"{location.rstrip('/')}/_delta_log"):
            return Source(path, filesystem, location, (), "delta")
        files = _list(filesystem, location, path)
    except MissingFileError as error:
        raise MissingFileError(f"{error}{_unfinished(path, filesystem, location)}") from None
    except DmlkitError:
        raise
    except PermissionError as error:
        raise InputError(f"No permission to read {error.filename or path!r}.") from None
    except ImportError as error:
        told = str(error).rstrip(".")
        raise InputError(f"Cannot open {path!r}: {told}.{needed_for(path)}") from None
    except (ValueError, OSError) as error:
        raise InputError(f"Cannot open {path!r}: {str(error).rstrip('.')}.") from None
    if half := _unfinished(path, filesystem, location):
        raise InputError(f"{path!r} is not whole.{half}")
    return Source(path, filesystem, location, files, _format(files, path))


def read_error(path: str, error: Exception) -> InputError:
    """Return the error that says which file cannot be read, why, and what to do."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    advice = "The file is damaged or cut short: write it again, or move it out of the table."
    if is_store_error(error) or isinstance(error, ConnectionError | TimeoutError):
        advice = "That is not for the file: see to the network and the store, and run it again."
    elif isinstance(error, FileNotFoundError):
        reason = "it is not there"
        advice = (
            "It was there before: either something has removed it, or the store that it is in "
            "can't be reached. Look, and run it again."
        )
    return InputError(f"Cannot read {path!r}: {reason}.\n{advice}")


def is_store_error(error: Exception) -> bool:
    """Tell whether an error is one of the tools that object stores are reached with."""
    return type(error).__module__.partition(".")[0] in STORE_TOOLS


def _unfinished(path: str, filesystem: Any, location: str) -> str:
    return unfinished(filesystem, location) if path.partition("://")[0] in EXTRAS else ""


def _list(filesystem: Any, location: str, path: str) -> tuple[str, ...]:
    matches = [location]
    if "*" in location or "?" in location:
        matches = filesystem.glob(location)
    sizes: dict[str, int] = {}
    for match in matches:
        sizes |= _sizes(filesystem, match)
    if not sizes:
        raise MissingFileError(_nothing_there(filesystem, location, path))
    if empty := sorted(name for name, size in sizes.items() if size == 0):
        others = f" (and {len(empty) - 1} more files are)" if len(empty) > 1 else ""
        raise InputError(
            f"The file {empty[0]!r} is empty (0 bytes){others}. Remove it or write it again."
        )
    return tuple(sorted(sizes))


def _sizes(filesystem: Any, location: str) -> dict[str, int]:
    """Return the files that a path without wildcards means, with their bytes."""
    if filesystem.isdir(location):
        found = filesystem.find(location, detail=True)
        if logs := sorted(name for name in found if "/_delta_log/" in name):
            table = logs[0].partition("/_delta_log/")[0]
            raise InputError(f"{location!r} holds the Delta Lake table {table!r}: read that.")
        return {name: info["size"] for name, info in found.items() if not _hidden(name, location)}
    if filesystem.exists(location):
        return {location: filesystem.info(location)["size"]}
    return {}


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
