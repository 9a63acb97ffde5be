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


config_option = click.option(
    "--config", type=click.Path(path_type=Path), help="A TOML file with the table [cluster]."
)


@clusters.command("list")
@config_option
def list_(config: Path | None) -> None:
    """Say which cluster a job would use here, and what this machine has for a local one."""
    from dmlkit.cluster.describe import kinds_here, what_connect_would_use
    from dmlkit.workflow import load_cluster

    facts = what_connect_would_use()
    if config is not None:
        facts = {"[cluster]": str(load_cluster(config) or "none in that file"), **facts}
    facts["kinds"] = kinds_here()
    for what, told in facts.items():
        click.echo(f"{what + ':':17}{told}")


@clusters.command()
@click.argument("address", required=False)
@config_option
@insecure_option
def describe(address: str | None, config: Path | None, insecure: bool) -> None:
    """Describe the cluster at ADDRESS: its workers, what they may use, and what they do.

    Without ADDRESS it is that of [cluster] in --config, else the one of DASK_SCHEDULER_ADDRESS,
    else a local one as a job would start; one that was started for this ends with it. Versions
    that differ from those here in what matters are an error that says so.
    """
    from dask.utils import format_bytes

    from dmlkit.cluster.describe import describe
    from dmlkit.workflow import load_cluster

    console = Console(stderr=True)
    settings = load_cluster(config)
    with cluster(address, console, insecure=insecure, settings=settings) as client:
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
