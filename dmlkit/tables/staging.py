"""Files of a write that is not committed: named, kept apart while in work, removed when it fails.

What makes them part of a table is in `commit`.
"""

import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dmlkit.errors import OutputError
from dmlkit.tables.commit import is_committed

__all__ = ["foreign_file", "staged_write"]

#: How the folders for files in work are called; readers of tables leave out names with "_".
PREFIX = "_writing-"
OWNER = "owner.json"
LOG = "_delta_log"
#: What a writer on another machine has left for so long, it has left for good.
ABANDONED_SECONDS = 7 * 86_400


@contextmanager
def staged_write(folder: Path) -> Iterator[tuple[Path, str]]:
    """Hold a staging folder and a token for a write; on failure remove every file of it.

    The token is in the name of each file, and tokens sort in the order of time. What writers that
    were killed have left behind is removed too.
    """
    _remove_abandoned(folder)
    token = f"{time.time_ns() // 1_000_000:012x}{uuid.uuid4().hex[:8]}"
    staging = folder / f"{PREFIX}{token}"
    new_folders = [parent for parent in [folder, *folder.parents] if not parent.exists()]
    try:
        staging.mkdir(parents=True)
        (staging / OWNER).write_text(json.dumps([socket.gethostname(), os.getpid()]))
    except OSError as error:
        raise OutputError(f"Cannot write to {str(folder)!r}: {error}.") from None
    try:
        yield staging, token
    except BaseException:
        _take_back(folder, token)
        for new in new_folders:
            _remove_if_empty(new)
        raise
    shutil.rmtree(staging, ignore_errors=True)


def foreign_file(folder: Path) -> str | None:
    """Return a file that neither a table nor a write of ours has put into the folder, or None."""
    for file in _files_below(folder):
        path = file.relative_to(folder)
        if path.parts[0] == LOG or file.name.startswith("."):
            continue
        # Looked up for each file, after it was seen: other writers come and go meanwhile.
        tokens = [staging.name.removeprefix(PREFIX) for staging in folder.glob(f"{PREFIX}*")]
        if not any(token in str(path) for token in tokens) and file.exists():
            return str(path)
    return None


def _remove_abandoned(folder: Path) -> None:
    for staging in folder.glob(f"{PREFIX}*"):
        if _is_abandoned(staging):
            _take_back(folder, staging.name.removeprefix(PREFIX))


def _is_abandoned(staging: Path) -> bool:
    try:
        age = time.time() - staging.stat().st_mtime
    except FileNotFoundError:
        return False  # its writer has just removed it
    try:
        host, process = json.loads((staging / OWNER).read_text())
    except (OSError, ValueError):
        return age > ABANDONED_SECONDS
    if host != socket.gethostname():
        return age > ABANDONED_SECONDS
    return not _is_running(process)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks whether it lives; sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is another user's
        pass
    return True


def _take_back(folder: Path, token: str) -> None:
    """Remove the files of a write, unless it was committed after all."""
    # First the staging folder: a task that still runs can't put its file in place any more.
    shutil.rmtree(folder / f"{PREFIX}{token}", ignore_errors=True)
    if is_committed(folder, token):
        return
    for file in _files_below(folder):
        if file.name.startswith(f"part-{token}-"):
            file.unlink(missing_ok=True)
            for parent in file.relative_to(folder).parents[:-1]:
                _remove_if_empty(folder / parent)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, whatever others remove from it at the same time."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
