"""Where tables are written: folders that all workers see, and prefixes in object stores.

Both offer the same few operations on files; what they are for is decided in `staging`,
`part_files` and `commit`. Credentials are found by whoever opens a store, in its own environment:
what goes to workers is the address alone.
"""

import io
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from dmlkit.errors import OutputError
from dmlkit.tables.addresses import misread

__all__ = [
    "OWNER",
    "PREFIX",
    "Folder",
    "LocalFolder",
    "StoreFolder",
    "find_folder",
    "owner",
    "storage_options",
]

#: How the folders for files in work are called; readers of tables leave out names with "_".
PREFIX = "_writing-"
#: The file in them that says who writes; while it is there, the write goes on.
OWNER = "owner.json"
#: By which name the filesystems of S3, Google Cloud and Azure tell when an object was written.
WRITTEN = ("LastModified", "mtime", "last_modified")


class Folder(Protocol):
    """A place of files whose paths have slashes and begin below it."""

    @property
    def uri(self) -> str:
        """How Delta Lake calls it."""
        ...

    def check(self) -> None:
        """Raise unless a table can be written to it."""
        ...

    def subfolders(self, prefix: str) -> list[str]:
        """Return the names of folders right below that begin so."""
        ...

    def age(self, path: str) -> float | None:
        """Return the seconds since a file was put there, or below it; None where nothing is."""
        ...

    def files(self) -> Iterator[str]:
        """Yield all files, whatever others remove at the same time."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is such a file."""
        ...

    def read(self, path: str) -> bytes:
        """Return what is in a small file; OSError if it can't be read."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a small file; whoever reads it sees the old one or the new one."""
        ...

    def put(self, path: str, write: Callable[[Any], object], staging: str) -> int:
        """Write a file that is there whole or not at all; return its bytes.

        `write` is given a path or a file to write to; `staging` is a folder for what isn't whole.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a file, if it is there, and folders that are empty then."""
        ...

    def remove_folder(self, path: str) -> None:
        """Remove a folder with all that is in it."""
        ...


def find_folder(path: str | os.PathLike[str]) -> Folder:
    """Return the folder or prefix that a path means.

    Examples
    --------
    >>> find_folder("s3://bucket/table/").uri
    's3://bucket/table'
    """
    text = os.fspath(path)
    if "://" in text and not text.startswith("file://"):
        return StoreFolder(text.rstrip("/"))
    return LocalFolder(str(Path(text.removeprefix("file://")).expanduser().absolute()))


def owner() -> bytes:
    """Return what tells this process from others."""
    return json.dumps([socket.gethostname(), os.getpid()]).encode()


def storage_options(uri: str) -> dict[str, str]:
    """Return what Delta Lake must be told of a store that Python's tools know by themselves."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if not uri.startswith(("s3://", "s3a://")) or not endpoint:
        return {}
    options = {"aws_endpoint_url": endpoint}
    return options | ({"aws_allow_http": "true"} if endpoint.startswith("http://") else {})


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine, or one that several machines share."""

    uri: str

    def check(self) -> None:  # noqa: D102
        if Path(self.uri).is_file():
            raise OutputError(f"{self.uri!r} is a file; a table needs a folder. Name another path.")
        if found := misread(self.uri):
            raise OutputError(
                f"Delta Lake can't hold a table in {self.uri!r}: it misreads {found!r} in a path. "
                "Write to a folder without it."
            )

    def subfolders(self, prefix: str) -> list[str]:  # noqa: D102
        return [folder.name for folder in Path(self.uri).glob(f"{prefix}*")]

    def age(self, path: str) -> float | None:  # noqa: D102
        with suppress(FileNotFoundError):  # its writer has just removed it
            return time.time() - Path(self.uri, path).stat().st_mtime
        return None

    def files(self) -> Iterator[str]:  # noqa: D102
        for parent, _, names in os.walk(self.uri):
            relative = Path(parent).relative_to(self.uri)
            yield from ((relative / name).as_posix() for name in names)

    def exists(self, path: str) -> bool:  # noqa: D102
        return Path(self.uri, path).exists()

    def read(self, path: str) -> bytes:  # noqa: D102
        return Path(self.uri, path).read_bytes()

    def write(self, path: str, content: bytes) -> None:  # noqa: D102
        target = Path(self.uri, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def put(self, path: str, write: Callable[[Any], object], staging: str) -> int:  # noqa: D102
        target, temporary = Path(self.uri, path), Path(self.uri, staging, uuid.uuid4().hex)
        write(temporary)
        size = temporary.stat().st_size
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        return size

    def remove(self, path: str) -> None:  # noqa: D102
        Path(self.uri, path).unlink(missing_ok=True)
        for parent in PurePosixPath(path).parents[:-1]:
            with suppress(OSError):
                Path(self.uri, parent).rmdir()

    def remove_folder(self, path: str) -> None:  # noqa: D102
        shutil.rmtree(Path(self.uri, path), ignore_errors=True)


@dataclass(frozen=True)
class StoreFolder:
    """A prefix in an object store, such as ``s3://bucket/table``."""

    uri: str

    def check(self) -> None:  # noqa: D102
        from dmlkit.tables.object_store import check_store

        check_store(self.uri)

    def subfolders(self, prefix: str) -> list[str]:  # noqa: D102
        return [name for name in self.names() if name.startswith(prefix)]

    def age(self, path: str) -> float | None:  # noqa: D102
        found = self._listed(path)
        written = [when for name, when in found if name == path or name.startswith(f"{path}/")]
        return self._now() - max(written) if written else None

    def files(self) -> Iterator[str]:  # noqa: D102
        yield from (path for path, _ in self._listed())

    def exists(self, path: str) -> bool:  # noqa: D102
        filesystem, root = self._open()
        return bool(filesystem.exists(f"{root}/{path}"))

    def read(self, path: str) -> bytes:  # noqa: D102
        filesystem, root = self._open()
        content: bytes = filesystem.cat_file(f"{root}/{path}")
        return content

    def write(self, path: str, content: bytes) -> None:  # noqa: D102
        filesystem, root = self._open()
        filesystem.pipe_file(f"{root}/{path}", content)

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless it is there; return whether it was not."""
        filesystem, root = self._open()
        try:
            filesystem.pipe_file(f"{root}/{path}", content, mode="create")
        except Exception:  # each store has its own for it
            if not filesystem.exists(f"{root}/{path}"):
                raise
            return False
        return True

    def names(self) -> list[str]:
        """Return the names of objects and prefixes right below."""
        filesystem, root = self._open()
        try:
            found = filesystem.ls(root, detail=False)
        except FileNotFoundError:
            return []
        return sorted({name.rstrip("/").removeprefix(f"{root}/") for name in found} - {"", root})

    def put(self, path: str, write: Callable[[Any], object], staging: str) -> int:  # noqa: ARG002, D102
        file = io.BytesIO()
        write(file)
        self.write(path, file.getvalue())  # a store shows an object when it is whole
        return file.tell()

    def remove(self, path: str) -> None:  # noqa: D102
        filesystem, root = self._open()
        with suppress(FileNotFoundError):
            filesystem.rm_file(f"{root}/{path}")

    def remove_folder(self, path: str) -> None:  # noqa: D102
        filesystem, root = self._open()
        with suppress(FileNotFoundError):
            filesystem.rm(f"{root}/{path}".rstrip("/"), recursive=True)

    def _now(self) -> float:
        """Return the time by the store's clock: that of this machine may be wrong by hours."""
        # Like a write of its own: the next one removes it when this process is killed.
        name = f"{PREFIX}clock-{uuid.uuid4().hex}/{OWNER}"
        self.write(name, owner())
        try:
            return dict(self._listed(name)).get(name, time.time())
        finally:
            self.remove(name)

    def _listed(self, path: str = "") -> list[tuple[str, float]]:
        """Return all objects below a path, and when each was written."""
        filesystem, root = self._open()
        found = filesystem.find(f"{root}/{path}".rstrip("/"), detail=True)
        return [(name.removeprefix(f"{root}/"), _written(info)) for name, info in found.items()]

    def _open(self) -> tuple[Any, str]:
        from dmlkit.tables.object_store import open_store

        return open_store(self.uri)


def _written(info: dict[str, Any]) -> float:
    """Return when an object was written; where the store doesn't tell, it counts as new."""
    told = (info[name] for name in WRITTEN if name in info)
    written = next(told, None)
    return float(written.timestamp()) if written is not None else time.time()
