"""``dmlkit score``."""

import click
from rich.console import Console
from rich.text import Text

from dmlkit.cli.cluster import cluster, insecure_option
from dmlkit.cli.endings import print_json

__all__ = ["score"]


@click.command(
    epilog="""\b
    Example:
      dmlkit score out/model --data today.parquet --history transactions/ --out scores/

    \b
    MODEL is the bundle's folder, or its address in a store (s3://bucket/out/model).
    OUT is a Delta Lake table (Parquet files and a log) with the identifiers, the time, the score,
    and whether it is flagged at the threshold that the training chose. Bad rows go to the folder
    OUT-quarantine. The label may be missing in the new rows; a history may overlap with them."""
)
@click.argument("model")
@click.option("--data", required=True, help="The rows to score: a file, folder, glob or URL.")
@click.option("--out", required=True, help="Where the scores go: a new Delta Lake table.")
@click.option("--history", help="What happened before, so that time windows are right.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler [a local cluster].")
@insecure_option
@click.option("--max-bad-share", default=0.01, show_default=True, help="Bad rows that are borne.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def score(
    model: str,
    data: str,
    out: str,
    history: str | None,
    scheduler: str | None,
    insecure: bool,
    max_bad_share: float,
    as_json: bool,
) -> None:
    """Score new rows with the bundle MODEL of an earlier run: same features, same model."""
    from dmlkit.boosting import load_bundle
    from dmlkit.scoring import score_table
    from dmlkit.tables import write_table

    bundle = load_bundle(model)
    console = Console(stderr=True)
    if history is None and "kind" not in bundle.features:
        console.print("! No --history: time windows see only the rows in --data.", style="yellow")
    quarantine = f"{out.rstrip('/')}-quarantine"
    with cluster(scheduler, console, insecure=insecure), console.status("Scoring"):
        scored = score_table(
            bundle, data, history=history, quarantine=quarantine, max_bad_share=max_bad_share
        )
        for notice in scored.notices:
            console.print(Text(f"! {notice}", style="yellow"), soft_wrap=True)
        written = write_table(scored.frame, out)
    if as_json:
        bad_rows = scored.checked.bad_rows
        print_json(status="done", out=out, rows=written.rows, bad_rows=bad_rows)
        return
    Console().print(f"{written.rows:,} rows scored: {out}", soft_wrap=True)
    if scored.checked.bad_rows:
        Console().print(f"{scored.checked.bad_rows:,} bad rows: {quarantine}", soft_wrap=True)
