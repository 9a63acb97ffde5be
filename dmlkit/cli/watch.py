"""``dmlkit watch``."""

import contextlib

import click
from rich.console import Console

from dmlkit.cli.cluster import insecure_option

__all__ = ["watch"]


@click.command(
    epilog="""\b
    Examples:
      dmlkit watch tcp://10.0.0.1:8786    # a scheduler; the story is kept from now on
      dmlkit watch http://10.0.0.1:8787   # its dashboard, where only that can be reached
      dmlkit watch tcp://10.0.0.1:8786 --json

    The same as a page is at /dmlkit of the scheduler's dashboard."""
)
@click.argument("address")
@click.option("--once", is_flag=True, help="Show how it stands, and end.")
@insecure_option
@click.option("--json", "as_json", is_flag=True, help="Print it once as one JSON object.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def watch(address: str, once: bool, insecure: bool, as_json: bool) -> None:
    """Watch what runs on the cluster at ADDRESS: stages, training, workers and their losses."""
    from dmlkit.cli.endings import print_json
    from dmlkit.cluster import current_client, quiet_dask
    from dmlkit.observe.reading import snapshots_from
    from dmlkit.observe.terminal import watch as show

    quiet_dask()
    take = snapshots_from(address, insecure=insecure)
    try:
        if as_json:
            print_json(**take())
        else:
            with contextlib.suppress(KeyboardInterrupt):  # how one leaves it
                show(take, Console(), once=once)
    finally:
        if (client := current_client()) is not None:
            client.close()
