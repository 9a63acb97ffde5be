"""``dmlkit compare``."""

from pathlib import Path
from typing import Any

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
      dmlkit compare january/ february/ --time sold_at --season weekday

    \b
    Below a stability index (PSI) of 0.1 a column is "stable", from 0.25 on it has "shifted"."""
)
@click.argument("before")
@click.argument("after")
@click.option("--column", "columns", multiple=True, help="Only this one; may be given often.")
@click.option("--time", help="A column of times: compare like with like, season by season.")
@click.option(
    "--season",
    type=click.Choice(["weekday", "month", "hour"]),
    default="weekday",
    show_default=True,
    help="Which season, where a time is given.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write a report, an HTML file.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler [a local cluster].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def compare(
    before: str,
    after: str,
    columns: tuple[str, ...],
    time: str | None,
    season: str,
    out: Path | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Tell which columns of the table AFTER have changed against the table BEFORE."""
    from dmlkit.drift import compare_seasons, compare_tables
    from dmlkit.metrics.report import write_drift_report
    from dmlkit.tables import read_table

    console = Console(stderr=True)
    tables = [read_table(path) for path in (before, after)]
    with cluster(scheduler, console), console.status("Comparing"):
        if time is None:
            found = compare_tables(*tables, columns=columns or None)
            more: dict[str, Any] = {}
        else:
            drift = compare_seasons(*tables, time=time, season=season, columns=columns or None)
            found, more = drift.columns, {"seasons": drift.seasons, "left_out": drift.left_out}
    if out is not None:
        write_drift_report(out, found, before, after, **more)
    if as_json:
        if more:
            more["seasons"] = _records(more["seasons"])
        report = None if out is None else str(out)
        print_json(status="done", columns=_records(found), **more, report=report)
        return
    Console().print(_table(found, season if more else None))
    if more.get("left_out"):
        share = f"{more['left_out']:.1%} of the rows after"
        Console().print(f"{share} are in a {season} that was not there before.")
    if out is not None:
        Console().print(f"Report: {out}", soft_wrap=True, highlight=False)


def _table(found: Any, season: str | None) -> Table:
    table = Table(title="What has changed", title_justify="left")
    table.add_column("column", overflow="fold")
    for name in ("psi", "ks", "missing", *(["psi as is", f"worst {season}"] if season else [])):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in found.to_dict("records"):
        missing = f"{row['missing_before']:.1%} > {row['missing_after']:.1%}"
        distance = "" if row["ks"] != row["ks"] else f"{row['ks']:.3f}"
        figures = [f"{row['psi']:.3f}", distance, missing]
        if season is not None:
            worst = f"{row['worst_season']} {row['worst_psi']:.3f}" if row["worst_season"] else ""
            figures += [f"{row['psi_as_is']:.3f}", worst]
        table.add_row(row["column"], *figures, row["verdict"])
    return table


def _records(found: Any) -> list[dict[str, Any]]:
    """Return a table's rows for JSON, which has no NaN."""
    records: list[dict[str, Any]] = (
        found.astype(object).where(found.notna(), None).to_dict("records")
    )
    return records
