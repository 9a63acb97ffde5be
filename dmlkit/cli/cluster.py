"""The cluster that a command works on."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console

__all__ = ["cluster"]


@contextlib.contextmanager
def cluster(scheduler: str | None, console: Console) -> Iterator[Any]:
    """Give a client; a local cluster is gone at the end, at once if the job was stopped."""
    from dmlkit.cluster import connect, kill_workers, quiet_dask

    quiet_dask()
    with console.status("Waiting for the scheduler" if scheduler else "Starting the cluster"):
        connected = connect(scheduler)
    with connected as client:
        try:
            yield client
        except KeyboardInterrupt:
            kill_workers(client)
            raise
