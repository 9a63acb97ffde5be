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
def cluster(scheduler: str | None, console: Console, *, insecure: bool = False) -> Iterator[Any]:
    """Give a client; a local cluster is gone at the end, at once if the job was stopped."""
    from dmlkit.cluster import InsecureConnection, LittleRoom, connect, kill_workers, quiet_dask

    quiet_dask()
    with (
        console.status("Waiting for the scheduler" if scheduler else "Starting the cluster"),
        warnings.catch_warnings(record=True) as told,
    ):
        connected = connect(scheduler, insecure=insecure)
    for warning in told:
        if issubclass(warning.category, InsecureConnection | LittleRoom):
            console.print(f"Warning: {warning.message}", style="yellow", soft_wrap=True)
    with connected as client:
        try:
            yield client
        except KeyboardInterrupt:
            kill_workers(client)
            raise
