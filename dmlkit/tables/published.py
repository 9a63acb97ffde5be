"""Whether a job had put all in its place that is read from a store, or was killed as it did."""

import json
from typing import Any

__all__ = ["PUBLISHING", "unfinished"]

#: Lists the artefacts beside it that are being replaced: objects can't be renamed, all at once.
PUBLISHING = ".publishing"


def unfinished(filesystem: Any, location: str) -> str:
    """Return the sentences that say that an artefact is not whole, and what to do; or nothing.

    Parameters
    ----------
    filesystem : fsspec.AbstractFileSystem
    location : str
        Of the artefact, or a glob within it, as the file system calls it.
    """
    before = location.partition("*")[0].partition("?")[0]
    folder = location if before == location else before.rpartition("/")[0]
    out, _, name = folder.rstrip("/").rpartition("/")
    try:
        names = json.loads(filesystem.cat_file(f"{out}/{PUBLISHING}")) if out else []
    except Exception:  # not there, as nearly always, or nothing that this user may see
        return ""
    if name not in names:
        return ""
    return (
        f" The job that writes to {out!r} was stopped as it published, or is publishing now: wait "
        "for it, or run it again with --resume."
    )
