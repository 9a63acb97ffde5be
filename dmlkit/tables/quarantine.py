"""The folder for bad rows: Parquet files with the reason of each row, whole or not there."""

import shutil
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import OutputError
from dmlkit.tables.folders import LocalFolder, StoreFolder, find_folder
from dmlkit.tables.object_store import check_store, copy_objects
from dmlkit.tables.text import PROBLEM

__all__ = ["Quarantine", "write_bad_rows"]

#: The columns that are added; where a table has one of them already, its own is renamed.
ADDED = ("reason", "file", "problem")


class Quarantine:
    """A folder that appears under its name when the pass is over, or not at all.

    In a store, where nothing can be renamed, its files appear one by one then.

    Parameters
    ----------
    path : str or Path, optional
        A folder that all workers see, or a prefix in an object store. An earlier quarantine there
        is replaced when the new one is whole. Without a path, bad rows are not kept.

    Raises
    ------
    OutputError
        The folder can't be written to, or holds something else than a quarantine.
    """

    def __init__(self, path: str | Path | None) -> None:
        place = None if path is None else find_folder(path)
        self._store = place if isinstance(place, StoreFolder) else None
        self._path = Path(place.uri) if isinstance(place, LocalFolder) else None
        self._folder: Path | None = None
        self._staged: StoreFolder | None = None

    def __enter__(self) -> str | None:
        if self._store is not None:
            self._staged = _beside(self._store)
            return self._staged.uri
        if self._path is None:
            return None
        _check_ours(self._path)
        folder = self._path.with_name(f".{self._path.name}-{uuid.uuid4().hex[:12]}")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise _cannot_write(self._path, error) from None
        self._folder = folder
        return str(folder)

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._store is not None and self._staged is not None:
            _finish(self._store, self._staged, whole=kind is None)
        if self._path is None or self._folder is None:
            return
        try:
            if kind is None:
                self._put_in_place(self._path, self._folder)
        except OSError as error:
            raise _cannot_write(self._path, error) from None
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _put_in_place(path: Path, folder: Path) -> None:
        for left in folder.glob(".*"):  # of a task whose worker died; another did it again
            left.unlink()
        earlier = folder.with_name(f"{folder.name}-earlier")
        if path.exists():
            path.rename(earlier)
        if any(folder.iterdir()):
            folder.rename(path)
        shutil.rmtree(earlier, ignore_errors=True)


def write_bad_rows(
    frame: pd.DataFrame,
    found: Sequence[tuple[str, np.ndarray]],
    bad: np.ndarray,
    origin: str | None,
    folder: str,
    name: str,
) -> None:
    """Write the bad rows of a partition with the columns ``reason``, and ``file`` where known.

    They go to the file `name` of `folder`, which `Quarantine` gave.

    Raises
    ------
    OutputError
        The file can't be written.
    """
    reasons = np.full(len(frame), "", dtype=object)
    for reason, mask in found:
        reasons[mask] = [f"{said}; {reason}" if said else reason for said in reasons[mask]]
    rows = frame.rename(columns={name: f"table_{name}" for name in ADDED})[bad]
    rows = rows.rename(columns={PROBLEM: "problem"})
    rows = rows.assign(reason=pd.array(reasons[bad], dtype="str"))
    if origin is not None:
        rows = rows.assign(file=pd.array([origin] * len(rows), dtype="str"))
    place = find_folder(folder)
    try:
        if isinstance(place, StoreFolder):
            place.put(name, lambda target: rows.to_parquet(target, index=False), "")
            return
        temporary = Path(folder, f".{uuid.uuid4().hex}")
        rows.to_parquet(temporary, index=False)
        temporary.replace(Path(folder, name))
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _beside(store: StoreFolder) -> StoreFolder:
    """Return a prefix for files in work, once it is clear that they can take their place."""
    check_store(store.uri)
    _check_names(store.uri, store.files())
    parent, _, name = store.uri.rpartition("/")
    return StoreFolder(f"{parent}/.{name}-{uuid.uuid4().hex[:12]}")


def _finish(store: StoreFolder, staged: StoreFolder, *, whole: bool) -> None:
    try:
        if whole:
            store.remove_folder("")
            copy_objects(staged, store, list(staged.files()))
    except OSError as error:
        raise _cannot_write(store.uri, error) from None
    finally:
        with suppress(Exception):  # the store is away; what led here is the error to tell
            staged.remove_folder("")


def _check_ours(path: Path) -> None:
    """Raise unless a folder can be replaced: nobody's files but ours are removed."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"{str(path)!r} is a file; the quarantine is a folder.")
    _check_names(str(path), (file.name for file in path.iterdir()))


def _check_names(path: str, names: Iterable[str]) -> None:
    others = [name for name in names if not _is_ours(name)]
    if others:
        raise OutputError(
            f"The folder {path!r} holds {others[0]!r}, which is no quarantine. Choose a new "
            "folder for bad rows."
        )


def _is_ours(name: str) -> bool:
    return name.startswith(("bad-", "duplicates-")) and name.endswith(".parquet")


def _cannot_write(path: Path | str, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write bad rows to {str(path)!r}: {error.strerror or error}. "
        "Name another folder for the quarantine."
    )
