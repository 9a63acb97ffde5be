"""``dmlkit compare``."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from dmlkit.cli.cluster import cluster
from dmlkit.cli.endings import print_json

__all__ = ["compare"]


@click.command(
    epilog="""\b
    Example:
      dmlkit compare january/ february/ --out drift.html

    \b
    Below a stability index (PSI) of 0.1 a column is "stable", from 0.25 on it has "shifted"."""
)
@click.argument("before")
@click.argument("after")
@click.option("--column", "columns", multiple=True, help="Only this one; may be given often.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write a report, an HTML file.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler [a local cluster].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def compare(
    before: str,
    after: str,
    columns: tuple[str, ...],
    out: Path | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Tell which columns of the table AFTER have changed against the table BEFORE."""
    from dmlkit.drift import compare_tables
    from dmlkit.metrics.report import write_drift_report
    from dmlkit.tables import read_table

    console = Console(stderr=True)
    tables = [read_table(path) for path in (before, after)]
    with cluster(scheduler, console), console.status("Comparing"):
        found = compare_tables(*tables, columns=columns or None)
    if out is not None:
        write_drift_report(out, found, before, after)
    if as_json:
        records = found.astype(object).where(found.notna(), None).to_dict("records")
        print_json(status="done", columns=records, report=None if out is None else str(out))
        return
    table = Table(title="What has changed", title_justify="left")
    table.add_column("column", overflow="fold")
    for name in ("psi", "ks", "missing"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in found.to_dict("records"):
        missing = f"{row['missing_before']:.1%} > {row['missing_after']:.1%}"
        distance = "" if row["ks"] != row["ks"] else f"{row['ks']:.3f}"
        table.add_row(row["column"], f"{row['psi']:.3f}", distance, missing, row["verdict"])
    Console().print(table)
    if out is not None:
        Console().print(f"Report: {out}", soft_wrap=True, highlight=False)
