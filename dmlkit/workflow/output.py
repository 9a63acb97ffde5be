"""The folder that a job writes to: one job at a time, and its artefacts whole or not at all."""

import contextlib
import fcntl
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TextIO

from dmlkit.errors import OutputError

__all__ = ["claim_output", "publish", "staging_folder"]

#: Tells a folder of ours from somebody's home.
MARKS = ("manifest.json", "stages")


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
    with _open_lock(lock) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"Another job is writing to {str(out)!r}. Wait for it, or choose another --out."
            ) from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            _remove_empty(made)


@contextlib.contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside the artefacts, on the same file system, that is gone afterwards."""
    for left in out.glob(".staging-*"):  # of a job that was killed; the lock says none runs
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staging: Path, out: Path, *, last: str) -> None:
    """Move what is in `staging` to `out`, the file `last` at the end, over what was there.

    Each artefact is renamed, never copied, and Ctrl-C waits until all are in place.
    """
    names = sorted(path.name for path in staging.iterdir())
    names.sort(key=lambda name: name == last)
    replaced = Path(tempfile.mkdtemp(prefix=".replaced-", dir=staging))
    with _interrupts_wait():
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
    if content and not any(mark in content for mark in MARKS):
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


def _open_lock(lock: Path) -> TextIO:
    try:
        return lock.open("w")
    except OSError as error:
        raise OutputError(f"Cannot write to {str(lock.parent)!r}: {error.strerror}.") from None


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
