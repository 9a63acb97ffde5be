"""How much room a folder has: what is free on its disk, and whether that disk is memory."""

import os
import shutil
import socket
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import dask
from dask.utils import format_bytes, parse_bytes

from dmlkit.errors import ClusterError

__all__ = [
    "HOW_TO_MOVE",
    "LITTLE",
    "LittleRoom",
    "Room",
    "check_temporary_folder",
    "room_of",
    "temporary_folder",
]

#: Where each disk is mounted, and what kind of file system is on it (Linux only).
MOUNTS = Path("/proc/self/mountinfo")
#: File systems whose files take memory.
IN_MEMORY = ("ramfs", "tmpfs")

#: With less than the first in the temporary folder, workers can hardly start; with less than the
#: second, the first result that is moved to disk may fill it.
LEAST, LITTLE = parse_bytes("16MiB"), parse_bytes("1GiB")

HOW_TO_MOVE = "set DASK_TEMPORARY_DIRECTORY to a folder on a larger disk"


class LittleRoom(UserWarning):
    """What a disk has left may not be enough."""


@dataclass(frozen=True)
class Room:
    """What is free on the disk of a folder.

    Attributes
    ----------
    folder : str
        The folder that was asked for, or what there is of the way to it.
    host : str
        The machine that answered.
    device : int
        The disk: folders with the same number on one machine share what is free.
    free : int
        Bytes that this user may still write.
    in_memory : bool
        Its files are kept in memory (a tmpfs), and count there.
    writable : bool
        Whether files can be made in it.
    """

    folder: str
    host: str
    device: int
    free: int
    in_memory: bool
    writable: bool

    def __str__(self) -> str:
        kind = ", a tmpfs, which is kept in memory" if self.in_memory else ""
        return f"{self.folder!r} (on {self.host}{kind}) has {format_bytes(self.free)} free"


def room_of(folder: str | os.PathLike[str]) -> Room:
    """Return the room of a folder, which need not be there yet.

    Examples
    --------
    >>> import tempfile
    >>> room = room_of(f"{tempfile.gettempdir()}/not/there/yet")
    >>> room.folder == tempfile.gettempdir(), room.free > 0
    (True, True)
    """
    path = Path(folder).absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    device = there.stat().st_dev
    return Room(
        folder=str(there),
        host=socket.gethostname(),
        device=device,
        free=shutil.disk_usage(there).free,
        in_memory=_kind_of(device) in IN_MEMORY,
        writable=os.access(there, os.W_OK | os.X_OK),
    )


def temporary_folder() -> str:
    """Return the folder in which local workers keep what does not go into memory."""
    return str(dask.config.get("temporary-directory", None) or tempfile.gettempdir())


def check_temporary_folder(memory: int) -> None:
    """Look at the folder that local workers will move results to.

    Parameters
    ----------
    memory : int
        Of all workers: what is moved to a small disk that is memory itself wins little.

    Raises
    ------
    ClusterError
        It can't be written to, or there is hardly anything free.

    Warns
    -----
    LittleRoom
        There is little.
    """
    room = room_of(temporary_folder())
    if not room.writable:
        raise ClusterError(
            f"Dask's temporary folder {room.folder!r} can't be written to, and workers keep files "
            "there. Set DASK_TEMPORARY_DIRECTORY to a folder that can."
        )
    if room.free < LEAST:
        raise ClusterError(
            f"Dask's temporary folder {room}, and workers need {format_bytes(LEAST)} there to "
            f"start. Make room, or {HOW_TO_MOVE}."
        )
    if room.free < min(LITTLE, memory):
        warnings.warn(
            f"Dask's temporary folder {room}: a job fails when what does not go into memory "
            f"does not go there either. Make room, or {HOW_TO_MOVE}.",
            LittleRoom,
            stacklevel=4,
        )


def _kind_of(device: int) -> str:
    """Return the kind of the file system on a disk; nothing where it is not known."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        mount, _, rest = line.partition(" - ")
        if mount.split()[2] == number:
            return rest.split()[0]
    return ""
