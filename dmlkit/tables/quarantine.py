"""The folder for bad rows: Parquet files with the reason of each row, whole or not there."""

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import OutputError
from dmlkit.tables.text import PROBLEM

__all__ = ["Quarantine", "write_bad_rows"]

#: The columns that are added; where a table has one of them already, its own is renamed.
ADDED = ("reason", "file", "problem")


class Quarantine:
    """A folder that appears under its name when the pass is over, or not at all.

    Parameters
    ----------
    path : str or Path, optional
        A folder that all workers see. An earlier quarantine there is replaced when the new one is
        whole. Without a path, bad rows are not kept.

    Raises
    ------
    OutputError
        The folder can't be written to, or holds something else than a quarantine.
    """

    def __init__(self, path: str | Path | None) -> None:
        self._path = None if path is None else _local(str(path))
        self._folder: Path | None = None

    def __enter__(self) -> str | None:
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
    file: Path,
) -> None:
    """Write the bad rows of a partition with the columns ``reason``, and ``file`` where known.

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
    temporary = file.with_name(f".{uuid.uuid4().hex}")
    try:
        rows.to_parquet(temporary, index=False)
        temporary.replace(file)
    except OSError as error:
        raise _cannot_write(file.parent, error) from None


def _local(path: str) -> Path:
    if "://" in path and not path.startswith("file://"):
        raise OutputError(
            f"Bad rows are written to folders so far, not to {path!r}. Name a folder for the "
            "quarantine that all workers share."
        )
    return Path(path.removeprefix("file://")).expanduser().absolute()


def _check_ours(path: Path) -> None:
    """Raise unless a folder can be replaced: nobody's files but ours are removed."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(f"{str(path)!r} is a file; the quarantine is a folder.")
    others = [file.name for file in path.iterdir() if not _is_ours(file.name)]
    if others:
        raise OutputError(
            f"The folder {str(path)!r} holds {others[0]!r}, which is no quarantine. Choose a new "
            "folder for bad rows."
        )


def _is_ours(name: str) -> bool:
    return name.startswith(("bad-", "duplicates-")) and name.endswith(".parquet")


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write bad rows to {str(path)!r}: {error.strerror or error}. "
        "Name another folder for the quarantine."
    )
