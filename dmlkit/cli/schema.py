"""``dmlkit schema``."""

import json

import click

__all__ = ["schema"]


@click.group()
def schema() -> None:
    """Work with table schemas."""


@schema.command(epilog="Example: dmlkit schema infer transactions/ > schema.toml")
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of TOML.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def infer(path: str, as_json: bool) -> None:
    """Print a schema for the table at PATH, to be kept and edited."""
    import tomli_w

    from dmlkit.tables import Schema, read_table

    document = Schema.infer(read_table(path)).to_dict()
    click.echo(json.dumps(document, indent=2) if as_json else tomli_w.dumps(document), nl=as_json)
