"""``dmlkit clusters``."""

import shlex
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from dmlkit.cli.cluster import cluster, insecure_option

__all__ = ["clusters"]


@click.group()
def clusters() -> None:
    """Say what clusters there are, and make certificates for one of your own."""


@clusters.command("list")
def list_() -> None:
    """Say which cluster a job would use here, and what this machine has for a local one."""
    from dmlkit.cluster.describe import what_connect_would_use

    for what, told in what_connect_would_use().items():
        click.echo(f"{what + ':':17}{told}")


@clusters.command()
@click.argument("address", required=False)
@insecure_option
def describe(address: str | None, insecure: bool) -> None:
    """Describe the cluster at ADDRESS: its workers, what they may use, and what they do.

    Without ADDRESS it is the one of DASK_SCHEDULER_ADDRESS, else a local one as a job would start.
    Versions that differ from those here in what matters are an error that says so.
    """
    from dask.utils import format_bytes

    from dmlkit.cluster.describe import describe

    console = Console(stderr=True)
    with cluster(address, console, insecure=insecure) as client:
        found = describe(client)
    table = Table("worker", "threads", "memory", "in use", "tasks", box=None)
    for worker in found.workers:
        sizes = format_bytes(worker.memory), format_bytes(worker.memory_used)
        table.add_row(worker.address, str(worker.threads), *sizes, str(worker.tasks))
    threads = sum(worker.threads for worker in found.workers)
    memory = format_bytes(sum(worker.memory for worker in found.workers))
    encrypted = "encrypted" if found.encrypted else "not encrypted"
    click.echo(f"Scheduler {found.scheduler} ({encrypted}), dashboard {found.dashboard}")
    click.echo(f"Workers: {len(found.workers)}, with {threads} threads and {memory} in all")
    if found.workers:
        Console().print(table)


@clusters.command(
    epilog="""\b
    Examples:
      dmlkit clusters certs certs/
      export DASK_CONFIG=certs/dask.yaml   # on each host, with a copy of the folder
      dask scheduler
      dask worker tls://HOST:8786
      dmlkit run fraud-detection --scheduler tls://HOST:8786"""
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="OUT")
@click.option(
    "--days", type=click.IntRange(min=1), default=365, show_default=True, help="How long they last."
)
@click.option("--renew", is_flag=True, help="Make new ones, of a new authority, in any case.")
def certs(folder: Path, days: int, renew: bool) -> None:
    """Make TLS certificates in OUT: only who has one of them can talk to the cluster.

    Those that are there are kept while they are good for another 30 days.
    """
    from dmlkit.cluster.certificates import make_certificates

    made = make_certificates(folder, days=days, renew=renew)
    what = "Certificates for scheduler, workers and clients" if made.made else "Kept: certificates"
    click.echo(f"{what} in {folder}, good until {made.expires:%Y-%m-%d}.")
    click.echo(f"  export DASK_CONFIG={shlex.quote(str(made.folder / 'dask.yaml'))}")
    if made.made:
        click.echo(f"Keep {folder / 'authority'} to yourself: its key lets anyone in.")
