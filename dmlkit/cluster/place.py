"""What a worker finds where it runs.

Workers import this module to answer, so it imports nothing large: a job's own workers may have
little memory, and need not load what their tasks don't use.
"""

import os
from dataclasses import dataclass
from typing import Any

from dmlkit.cluster.open_files import open_files_allowed
from dmlkit.cluster.room import Room, room_of

__all__ = ["Place", "look_around"]


@dataclass(frozen=True)
class Place:
    """What a worker finds where it runs.

    Attributes
    ----------
    room : Room
        Of its folder for what it moves out of memory.
    can_write : bool
        Whether it can write to the output folder of the job.
    open_files : float
        How many files it may have open; infinity where there is no limit.
    """

    room: Room
    can_write: bool
    open_files: float


def look_around(out: str, dask_worker: Any) -> Place:
    """Return what a worker finds; to be called in the worker, with the output folder of a job."""
    return Place(
        room=room_of(dask_worker.local_directory),
        can_write=os.access(out, os.W_OK | os.X_OK),
        open_files=open_files_allowed(),
    )
