"""The folder that a job writes to: one job at a time, and its artefacts whole or not at all."""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from dmlkit.cluster.room import room_of
from dmlkit.errors import OutputError
from dmlkit.tables.folders import find_folder
from dmlkit.tables.staging import remove_abandoned
from dmlkit.workflow.ours import is_of_a_job

__all__ = [
    "check_output",
    "claim_output",
    "clear_up",
    "interrupts_wait",
    "publish",
    "staging_folder",
]

#: Begins the name of the folder that takes what is replaced; it tells that all is ready, too.
REPLACED = ".replaced-"


def check_output(out: Path) -> None:
    """Look whether a job can write to the folder `out`, and leave everything as it is.

    Raises
    ------
    OutputError
        The folder holds something that no job wrote, or it can't be made or written to.
    """
    _check_ours(out)
    room = room_of(out)
    if not Path(room.folder).is_dir():
        raise OutputError(
            f"Cannot make the folder {str(out)!r}: Not a directory: {room.folder!r} is a file."
        )
    if not room.writable:
        raise OutputError(
            f"Cannot write to {room.folder!r}: it is read-only, or not of this user. "
            f"Choose another --out than {str(out)!r}."
        )


@contextlib.contextmanager
def claim_output(out: Path) -> Iterator[None]:
    """Hold the folder `out` for this job, making it when it is not there.

    A folder that was made here and is still empty at the end is removed again.

    Raises
    ------
    OutputError
        The folder holds something that no job wrote, another job is writing to it, or it cannot
        be written to.
    """
    _check_ours(out)
    made = _make(out)
    lock = out / ".lock"
    with _locked(lock):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            _remove_empty(made)


@contextlib.contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside the artefacts, on the same file system, that is gone afterwards."""
    clear_up(out)
    folder = _make_staging(out)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_up(out: Path) -> None:
    """Remove what jobs left that were killed; the lock says that none runs.

    One that was killed as it published had done its work: the rest is put in place, too.
    """
    for left in out.glob(".staging-*"):
        if any(left.glob(f"{REPLACED}*")):
            with contextlib.suppress(OSError):  # as of a disk that is full: it stays in part
                publish(left, out, last="manifest.json")
        shutil.rmtree(left, ignore_errors=True)
    for left in out.glob(".quarantine-*"):
        shutil.rmtree(left, ignore_errors=True)
    for kept in out.glob("stages/*/"):
        remove_abandoned(find_folder(kept))
        _remove_empty([kept, kept.parent])


def publish(staging: Path, out: Path, *, last: str) -> None:
    """Move what is in `staging` to `out`, over what was there, and the file `last` at the end.

    Each artefact is renamed, never copied, and Ctrl-C waits until all are in place. The earlier
    file `last` goes first: where a crash comes between, it is missing, and never tells of others.
    Done once more with what is left, it goes on where it ended.
    """
    names = sorted(path.name for path in staging.iterdir() if not path.name.startswith(REPLACED))
    names.sort(key=lambda name: name == last)
    replaced = Path(tempfile.mkdtemp(prefix=REPLACED, dir=staging))
    with interrupts_wait():
        if last in names and (out / last).exists():
            (out / last).replace(replaced / last)
        for name in names:
            if (out / name).exists():
                (out / name).replace(replaced / name)
            (staging / name).replace(out / name)


def _check_ours(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{str(out)!r} is a file; --out takes a folder.")
    content = [path.name for path in out.iterdir() if not path.name.startswith(".")]
    if not content or content == ["quarantine"]:
        return
    # A job was killed, maybe as it published: the manifest goes first and comes last.
    if not any(out.glob(".staging-*")) and not is_of_a_job(find_folder(out)):
        raise OutputError(
            f"The folder {str(out)!r} holds {len(content)} files that no job wrote "
            f"(such as {sorted(content)[0]!r}). Choose a new folder for --out."
        )


def _make(out: Path) -> list[Path]:
    """Make `out` with the parents it needs; return those made, innermost first."""
    missing = [path for path in (out, *out.parents) if not path.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {str(out)!r}: {error.strerror}.") from None
    return missing


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[None]:
    """Hold the lock file; the system lets it go when this process dies, however that is."""
    while True:
        with _open_lock(lock) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(
                    f"Another job is writing to {str(lock.parent)!r}. Wait for it, or choose "
                    "another --out."
                ) from None
            # A job that ended in between has removed the file: others would lock a new one.
            if _is_at(handle, lock):
                yield
                return


def _open_lock(lock: Path) -> TextIO:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)  # a job that ended may have removed it
        return lock.open("w")
    except OSError as error:
        raise OutputError(f"Cannot write to {str(lock.parent)!r}: {error.strerror}.") from None


def _is_at(handle: TextIO, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    return False


def _make_staging(out: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=".staging-", dir=out))
    except OSError as error:
        raise OutputError(f"Cannot write to {str(out)!r}: {error.strerror}.") from None


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM come when the block is over."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])
