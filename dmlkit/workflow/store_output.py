"""A prefix of an object store that a job writes to; what `output` is for folders.

Small artefacts are made on the client. Tables are written by workers, straight to the store, beside
what is there. Objects can't be renamed: what is finished is copied within the store.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dmlkit.boosting.bundle import SUMS
from dmlkit.errors import OutputError
from dmlkit.tables.folders import StoreFolder
from dmlkit.tables.object_store import check_store, copy_objects, told_of_store
from dmlkit.tables.published import PUBLISHING
from dmlkit.tables.staging import LOG, remove_abandoned
from dmlkit.workflow.ours import is_of_a_job
from dmlkit.workflow.output import interrupts_wait
from dmlkit.workflow.store_lock import LOCK, hold_store

__all__ = [
    "check_store_output",
    "claim_store",
    "publish_to_store",
    "remove_left_here",
    "store_staging",
]

#: What is there while a job runs, by how it begins: in the store, and on the client.
STAGING, QUARANTINE, MADE = ".staging-", ".quarantine-", "dmlkit-staging-"
#: Seconds in which a folder that was made is locked for sure.
JUST_NOW = 1.0


def check_store_output(folder: StoreFolder) -> None:
    """Look whether a job can write to a prefix.

    Raises
    ------
    OutputError
        The store can't be reached or written to, or the prefix holds what no job wrote.
    """
    check_store(folder.uri)
    names = folder.names()
    content = [name for name in names if not name.startswith((".", "_"))]
    # These were left by a job that was killed, maybe while it published.
    if not content or content == ["quarantine"] or {LOCK, PUBLISHING} & set(names):
        return
    if not is_of_a_job(folder):
        raise OutputError(
            f"{folder.uri!r} holds {len(content)} objects and prefixes that no job wrote (such as "
            f"{content[0]!r}). Choose a new prefix for --out."
        )


@contextlib.contextmanager
def claim_store(folder: StoreFolder) -> Iterator[Callable[[], None]]:
    """Hold a prefix for this job; give what raises where another has taken it over.

    What jobs that were killed have left there is removed.
    """
    check_store_output(folder)
    with hold_store(folder) as check_ours:
        for name in folder.names():
            if name.startswith((STAGING, QUARANTINE)):
                folder.remove_folder(name)
        remove_abandoned(folder)
        yield check_ours


@contextlib.contextmanager
def store_staging(folder: StoreFolder) -> Iterator[tuple[Path, str]]:
    """Give a folder of this machine, and a prefix for tables, both gone afterwards."""
    remove_left_here()
    made = Path(tempfile.mkdtemp(prefix=MADE))
    name = f"{STAGING}{made.name.removeprefix(MADE)}"
    try:
        with _in_use(made):
            yield made, f"{folder.uri}/{name}"
    finally:
        shutil.rmtree(made, ignore_errors=True)
        with contextlib.suppress(Exception):  # the store is away: the next job removes it
            folder.remove_folder(name)


def publish_to_store(
    made: Path, tables: str, folder: StoreFolder, check_ours: Callable[[], None], *, last: str
) -> None:
    """Put what is in `made` and below `tables` in its place, and the file `last` at the end.

    All is sent to the store before anything is replaced; then the earlier file `last` goes first.
    Where a crash comes between, it is missing, and never tells of others. What tells which files
    make up a table or a model goes before them and comes after them, so that none is there in part;
    and an object tells readers which artefacts are on their way.

    Raises
    ------
    OutputError
        The store failed, or another job has taken the prefix over.
    """
    staged = StoreFolder(tables)
    with _told(folder, "What was there is as it was: run it again with --resume."):
        for path in sorted(made.rglob("*")):
            if path.is_file():
                staged.write(path.relative_to(made).as_posix(), path.read_bytes())
        content = list(staged.files())
        check_ours()
    half = f"Not all is replaced, and {last} is missing until it is run again with --resume."
    with interrupts_wait(), _told(folder, half):
        names = sorted({path.partition("/")[0] for path in content} - {last})
        folder.write(PUBLISHING, json.dumps(names).encode())
        folder.remove(last)
        for name in names:
            _remove_artefact(folder, name)
        heads = sorted(path for path in content if _is_head(path))
        copy_objects(staged, folder, sorted({*content} - {*heads, last}))
        for head in (*heads, last):
            copy_objects(staged, folder, [head])
        folder.remove(PUBLISHING)


def _remove_artefact(folder: StoreFolder, name: str) -> None:
    heads = filter(_is_head, StoreFolder(f"{folder.uri}/{name}").files())
    for head in sorted(heads, reverse=True):  # of a table, the newest version first
        folder.remove(f"{name}/{head}")
    folder.remove_folder(name)


def _is_head(path: str) -> bool:
    """Tell whether a file tells which others make up a table or a model."""
    *folders, name = path.split("/")
    return LOG in folders or name == SUMS


@contextlib.contextmanager
def _told(folder: StoreFolder, state: str) -> Iterator[None]:
    """Turn an error of the store into one of ours that tells what is there now."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:  # each store has its own, not all of them OSError
        raise OutputError(
            f"Cannot publish to {folder.uri!r}: {told_of_store(error)}\n{state}"
        ) from error


@contextlib.contextmanager
def _in_use(made: Path) -> Iterator[None]:
    """Lock a folder; the system lets it go when this process dies, however that is."""
    handle = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove_left_here() -> None:
    """Remove the folders of jobs on this machine that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{MADE}*"):
        with contextlib.suppress(OSError):  # another user's, in use, or gone by now
            # One that was made just now may not be locked yet.
            if time.time() - left.stat().st_mtime < JUST_NOW:
                continue
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)
