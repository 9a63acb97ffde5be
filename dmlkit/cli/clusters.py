"""``dmlkit clusters``."""

import shlex
from pathlib import Path

import click

__all__ = ["clusters"]


@click.group()
def clusters() -> None:
    """Make certificates for a cluster of your own."""


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
