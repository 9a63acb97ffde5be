"""Why nothing goes on where all workers have paused: memory is full, and the disk may be, too."""

from collections.abc import Sequence

from dask.utils import format_bytes
from distributed import Client

from dmlkit.cluster.place import look_around
from dmlkit.cluster.room import HOW_TO_MOVE, LITTLE
from dmlkit.cluster.workers import answers_of_workers

__all__ = ["why_paused"]


def why_paused(client: Client, memory: Sequence[tuple[int, int]]) -> str:
    """Return in words why all workers have paused, and what to do.

    Parameters
    ----------
    client : distributed.Client
    memory : sequence of (int, int)
        Of each worker, the bytes in use and the limit.
    """
    used, limit = max(memory, key=lambda pair: pair[0] / pair[1])
    count = "The only worker has" if len(memory) == 1 else f"All {len(memory)} workers have"
    full = f"{format_bytes(used)} of {format_bytes(limit)}"
    again = "`--resume` takes over what is finished."
    places = answers_of_workers(client, look_around, "/").values()
    if disks := [place.room for place in places if place.room.free < min(LITTLE, limit)]:
        return (
            f"{count} paused, and nothing goes on: memory is full (such as {full}), and what "
            f"should move out of it finds little room: the temporary folder {disks[0]}. Make room "
            f"there, {HOW_TO_MOVE}, or give workers more memory; {again}"
        )
    return (
        f"{count} paused, since memory is full (such as {full}), and nothing goes on. Give workers "
        f"more memory, at least 1 GiB for each thread, or start fewer and larger ones; {again}"
    )
