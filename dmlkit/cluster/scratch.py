"""What local workers keep on disk, and removing it where they were killed."""

import contextlib
import os
from pathlib import Path

from distributed.diskutils import WorkSpace

from dmlkit.cluster.room import temporary_folder

__all__ = ["remove_scratch"]

#: How Dask calls the folder; another user's ends with a number.
SCRATCH = "dask-scratch-space*"


def remove_scratch() -> None:
    """Remove the files of workers that ended without doing so; Dask knows which ones live.

    Dask itself does this when the next worker starts, which may be long after.
    """
    for space in Path(temporary_folder()).glob(SCRATCH):
        if os.access(space, os.W_OK):
            with contextlib.suppress(OSError):
                WorkSpace(str(space)).new_work_dir(prefix="clear-").release()
