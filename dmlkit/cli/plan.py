"""``dmlkit plan``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from dmlkit.cli.endings import print_json

__all__ = ["plan"]


@click.command(
    epilog="""\b
    Examples:
      dmlkit plan features/ --without label --without customer_id
      dmlkit plan features/ --workers 8 --memory 16GiB --max-depth 10

    \b
    Only the rows are counted. Columns of numbers, truth values and categories are taken for
    features. In Jupyter: XGBClassifier(...).plan(X)."""
)
@click.argument("table")
@click.option("--without", multiple=True, metavar="COLUMN", help="No feature; may be given often.")
@click.option("--workers", type=click.IntRange(1), help="How many [those of this machine].")
@click.option("--threads", type=click.IntRange(1), help="Of each worker.")
@click.option("--memory", metavar="SIZE", help="Of each worker, such as 4GiB.")
@click.option("--scheduler", metavar="ADDRESS", help="Take the workers of a running scheduler.")
@click.option("--max-bin", type=click.IntRange(2), default=256, show_default=True)
@click.option("--max-depth", type=click.IntRange(1), default=6, show_default=True)
@click.option("--classes", type=click.IntRange(2), default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def plan(
    table: str,
    without: tuple[str, ...],
    workers: int | None,
    threads: int | None,
    memory: str | None,
    scheduler: str | None,
    max_bin: int,
    max_depth: int,
    classes: int,
    as_json: bool,
) -> None:
    """Tell what training XGBoost on TABLE takes of each worker's memory, and whether it fits."""
    from dmlkit.boosting.memory import plan_memory
    from dmlkit.boosting.shards import shard_count

    if scheduler and (workers or threads or memory):
        raise click.UsageError("--scheduler has its workers: leave --workers and the like out.")
    size = _size_of(table, without)
    there = _of_scheduler(scheduler) if scheduler else _of_machine(workers, threads, memory)
    found = plan_memory(
        size,
        [],
        {"max_bin": max_bin, "max_depth": max_depth},
        workers=shard_count([size.rows], there["workers"]),
        limit=there["limit"],
        threads=there["threads"],
        outputs=classes if classes > 2 else 1,
    )
    if as_json:
        told = asdict(found) | {"of_worker": found.of_worker, "of_process": found.of_process}
        print_json(status="done", fits=found.fits, advice=found.advice, **told)
        return
    printed = Table(title=f"Training on {table}", title_justify="left", show_header=False)
    printed.add_column(style="bold")
    printed.add_column(overflow="fold")
    for what, value in found.lines():
        printed.add_row(what, value)
    Console().print(printed)


def _size_of(path: str, without: tuple[str, ...]) -> Any:
    import dask

    from dmlkit.boosting.memory import TableSize
    from dmlkit.errors import InputError, MissingColumnError
    from dmlkit.tables import read_table

    frame = read_table(path)
    for name in without:
        if name not in frame.columns:
            raise MissingColumnError.of(path, name, frame.columns)
    columns = [
        name
        for name, dtype in frame._meta.dtypes.items()
        if name not in without and _is_feature(dtype)
    ]
    if not columns:
        raise InputError(f"{path!r} has no columns of numbers that could be features.")
    with dask.config.set(scheduler="threads"):
        rows = len(read_table(path, columns=columns[:1]))
    return TableSize(rows, len(columns), frame.npartitions)


def _is_feature(dtype: Any) -> bool:
    import pandas as pd

    return isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(dtype)


def _of_machine(workers: int | None, threads: int | None, memory: str | None) -> Mapping[str, int]:
    """Return the workers asked for, which need not be here, or those that this machine has."""
    from dmlkit.cluster.local import bytes_of, local_sizes

    if workers and memory:
        return {"workers": workers, "threads": threads or 1, "limit": bytes_of(memory)}
    sizes = local_sizes(workers, threads, memory)
    return {
        "workers": sizes["n_workers"],
        "threads": sizes["threads_per_worker"],
        "limit": int(sizes["memory_limit"]),
    }


def _of_scheduler(address: str) -> Mapping[str, int]:
    from dmlkit.boosting.memory import limit_of_workers
    from dmlkit.cluster import connect

    with connect(address) as client:
        threads = list(client.nthreads().values()) or [1]
        return {
            "workers": len(threads),
            "threads": min(threads),
            "limit": limit_of_workers(client),
        }
