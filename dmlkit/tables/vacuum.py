"""`vacuum_table`: remove files that no version of a table needs any more."""

import os
from typing import Any

import pandas as pd

from dmlkit.errors import ConfigurationError, MissingFileError
from dmlkit.tables.commit import is_table, open_table
from dmlkit.tables.folders import Folder, find_folder
from dmlkit.tables.staging import remove_abandoned, unfinished

__all__ = ["vacuum_table"]


def vacuum_table(
    path: str | os.PathLike[str], *, older_than: Any = "7d", dry_run: bool = False
) -> list[str]:
    """Remove Parquet files of a Delta Lake table that are of no use any more.

    These are the files of versions that have been replaced, and what writers of any program left
    that were killed before they committed. Writes that go on keep theirs.

    Parameters
    ----------
    path : str
        The folder of the table, or its address in a store.
    older_than : str or pandas.Timedelta
        Files go that were replaced, or left, longer ago, in whole hours: versions that were newest
        since then can still be read (``read_table(path, version=)``), earlier ones cannot.
        ``"0h"`` keeps the newest version alone, and fails readers who have just opened another.
    dry_run : bool
        Remove nothing.

    Returns
    -------
    list of str
        The files, below the table's folder.

    Raises
    ------
    MissingFileError
        There is no Delta Lake table.
    ConfigurationError
        `older_than` is no length of time.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> from dmlkit import read_table, write_table
    >>> from dmlkit.tables import vacuum_table
    >>> folder = tempfile.mkdtemp()
    >>> for number in (1, 2):
    ...     written = write_table(pd.DataFrame({"card": [number]}), folder, mode="overwrite")
    >>> len(vacuum_table(folder)), len(vacuum_table(folder, older_than="0h"))
    (0, 1)
    >>> read_table(folder).card.compute().tolist()
    [2]
    """
    hours = _hours(older_than)
    folder = find_folder(path)
    if not is_table(folder):
        raise MissingFileError(f"There is no Delta Lake table at {folder.uri!r}. Check the path.")
    if not dry_run:
        remove_abandoned(folder)
    # A write has its files in place before its commit, and tells of itself until after it: whose
    # commit came before the second look is not in it, whose commit comes later is unfinished.
    first = _of_no_version(folder, hours)
    going_on = unfinished(folder)
    found = sorted(first & _of_no_version(folder, hours))
    found = [file for file in found if not any(token in file for token in going_on)]
    for file in found if not dry_run else ():
        folder.remove(file)
    return found


def _of_no_version(folder: Folder, hours: int) -> set[str]:
    files = open_table(folder).vacuum(
        retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=True
    )
    return {file for file in files if file.endswith(".parquet")}


def _hours(older_than: Any) -> int:
    try:
        hours = pd.Timedelta(older_than) / pd.Timedelta("1h")
    except (ValueError, TypeError):
        hours = -1.0
    if not hours >= 0:
        raise ConfigurationError(
            f"older_than is {older_than!r}; it must be a length of time such as '7d' or '12h'."
        )
    return int(hours)
