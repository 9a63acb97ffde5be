"""Files of a write that is not committed: named, kept apart while in work, removed when it fails.

What makes them part of a table is in `commit`.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dmlkit.errors import OutputError
from dmlkit.tables.commit import is_committed
from dmlkit.tables.folders import OWNER, PREFIX, Folder, LocalFolder, owner

__all__ = ["foreign_file", "remove_abandoned", "staged_write", "unfinished"]

LOG = "_delta_log"
#: What the name of a folder ends with that tells of files which are being taken back.
UNDONE = "-undone"
#: What a writer on another machine has left for so long, it has left for good.
ABANDONED_SECONDS = 7 * 86_400


@contextmanager
def staged_write(folder: Folder) -> Iterator[tuple[str, str]]:
    """Hold a staging folder and a token for a write; on failure remove every file of it.

    The token is in the name of each file, and tokens sort in the order of time. What writers that
    were killed have left behind is removed too.
    """
    remove_abandoned(folder)
    token = f"{time.time_ns() // 1_000_000:012x}{uuid.uuid4().hex[:8]}"
    staging = f"{PREFIX}{token}"
    new_folders = _missing_folders(folder)
    try:
        folder.write(f"{staging}/{OWNER}", owner())
    except OSError as error:
        raise OutputError(f"Cannot write to {folder.uri!r}: {error}.") from None
    try:
        yield staging, token
    except BaseException:
        _take_back(folder, token)
        for new in new_folders:
            with suppress(OSError):
                new.rmdir()
        raise
    folder.remove_folder(staging)


def foreign_file(folder: Folder) -> str | None:
    """Return a file that neither a table nor a write of ours has put into the folder, or None."""
    for path in folder.files():
        parts = path.split("/")
        if parts[0] == LOG or parts[-1].startswith("."):
            continue
        # Looked up for each file, after it was seen: other writers come and go meanwhile.
        if not any(token in path for token in unfinished(folder)) and folder.exists(path):
            return path
    return None


def unfinished(folder: Folder) -> list[str]:
    """Return the tokens of the writes that go on, or were killed."""
    return [_token(name) for name in folder.subfolders(PREFIX)]


def _missing_folders(folder: Folder) -> list[Path]:
    """Return the folders that the write will make, the innermost first."""
    if not isinstance(folder, LocalFolder):
        return []
    path = Path(folder.uri)
    return [parent for parent in [path, *path.parents] if not parent.exists()]


def remove_abandoned(folder: Folder) -> None:
    """Remove what writers of a table that were killed have left behind."""
    for name in folder.subfolders(PREFIX):
        if _is_abandoned(folder, name):
            _take_back(folder, _token(name))


def _token(name: str) -> str:
    return name.removeprefix(PREFIX).removesuffix(UNDONE)


def _is_abandoned(folder: Folder, name: str) -> bool:
    try:
        host, process = json.loads(folder.read(f"{name}/{OWNER}"))
    except (OSError, ValueError):
        host, process = None, 0
    if host == socket.gethostname():
        return not _is_running(process)
    age = folder.age(name)
    return age is not None and age > ABANDONED_SECONDS


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks whether it lives; sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is another user's
        pass
    return True


def _take_back(folder: Folder, token: str) -> None:
    """Remove the files of a write, unless it was committed after all."""
    staging = f"{PREFIX}{token}"
    # Should this be killed halfway, the next write finds by it which files to remove.
    with suppress(OSError):  # of a full disk: what is removed below makes room
        folder.write(f"{staging}{UNDONE}/{OWNER}", owner())
    # Before the files: a task that still runs can't put its own in place any more.
    folder.remove_folder(staging)
    if not is_committed(folder, token):
        for path in folder.files():
            if path.rpartition("/")[2].startswith(f"part-{token}-"):
                folder.remove(path)
    folder.remove_folder(f"{staging}{UNDONE}")
