"""What tasks tell of their progress; `dmlkit.observe` shows it."""

import contextlib
from typing import Literal

from distributed import get_worker

__all__ = ["PROGRESS", "tell_rows"]

#: The topic of these events. It is not that of others: clients listen to those, and would get a
#: message for each partition.
PROGRESS = "dmlkit-progress"


def tell_rows(what: Literal["read", "written"], rows: int, size: int) -> None:
    """Tell the scheduler that a partition has been read or written.

    Elsewhere than in a task of a worker, nobody is told.

    Parameters
    ----------
    what : {"read", "written"}
    rows, size : int
        Of the partition; its bytes in memory when read, in files when written.
    """
    with contextlib.suppress(ValueError):  # this is no worker
        worker = get_worker()
        told = {"what": what, "rows": int(rows), "bytes": int(size)}
        worker.log_event(PROGRESS, {"kind": "rows", "key": worker.get_current_task(), **told})
