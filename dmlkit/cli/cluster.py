"""The cluster that a command works on."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console

__all__ = ["cluster", "insecure_option"]

insecure_option = click.option(
    "--insecure",
    is_flag=True,
    help="Allow a scheduler beyond this machine over plain TCP; tls:// needs no such thing.",
)


@contextlib.contextmanager
def cluster(
    scheduler: str | None, console: Console, *, insecure: bool = False, settings: Any = None
) -> Iterator[Any]:
    """Give a client; a cluster that was started for it is gone at the end.

    An address goes before the settings of a configuration. A local cluster is gone at once if the
    job was stopped.
    """
    from dmlkit.cluster import (
        InsecureConnection,
        LittleRoom,
        cluster_of,
        connect,
        kill_workers,
        quiet_dask,
    )
    from dmlkit.cluster.scratch import remove_scratch

    quiet_dask()
    with contextlib.ExitStack() as ends:
        what = "Starting the cluster" if settings is None else f"Cluster: {settings}"
        with (
            console.status("Waiting for the scheduler" if scheduler else what),
            warnings.catch_warnings(record=True) as told,
        ):
            if scheduler is None and settings is not None:
                client = ends.enter_context(cluster_of(settings))
            else:
                client = ends.enter_context(connect(scheduler, insecure=insecure))
        for warning in told:
            if issubclass(warning.category, InsecureConnection | LittleRoom):
                console.print(f"Warning: {warning.message}", style="yellow", soft_wrap=True)
        try:
            yield client
        except KeyboardInterrupt:
            kill_workers(client)
            remove_scratch()
            raise
