"""``dmlkit plan``."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dmlkit.cli.endings import FAILED, print_json
from dmlkit.cli.plan_table import print_training

__all__ = ["plan"]


@click.command(
    epilog="""\b
    A job, of whose table only metadata are read (footers of Parquet, the log of Delta Lake):
      dmlkit plan fraud-detection --data transactions/
      dmlkit plan fraud-detection --data transactions/ --workers 8 --threads 2 --memory 16GiB
    A training on all columns of numbers, truth values and categories of a table:
      dmlkit plan features/ --without label --without customer_id
      dmlkit plan features/ --workers 8 --memory 16GiB --max-depth 10

    \b
    A job that can't fit ends the command with exit code 1, and `dmlkit run` before it begins.
    In Python: find_workflow(NAME).plan(DATA), and XGBClassifier(...).plan(X)."""
)
@click.argument("what", metavar="WORKFLOW|TABLE")
@click.option("--data", help="The table of a workflow: a file, folder, glob or URL.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings of a workflow (TOML).")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One setting.")
@click.option("--workers", type=click.IntRange(1), help="How many [those of this machine].")
@click.option("--threads", type=click.IntRange(1), help="Of each worker.")
@click.option("--memory", metavar="SIZE", help="Of each worker, such as 4GiB.")
@click.option("--scheduler", metavar="ADDRESS", help="Take the workers of a running scheduler.")
@click.option("--without", multiple=True, metavar="COLUMN", help="No feature of a table.")
@click.option("--max-bin", type=click.IntRange(2), default=256, show_default=True)
@click.option("--max-depth", type=click.IntRange(1), default=6, show_default=True)
@click.option("--classes", type=click.IntRange(2), default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def plan(
    what: str,
    data: str | None,
    config: Path | None,
    assignments: tuple[str, ...],
    workers: int | None,
    threads: int | None,
    memory: str | None,
    scheduler: str | None,
    without: tuple[str, ...],
    max_bin: int,
    max_depth: int,
    classes: int,
    as_json: bool,
) -> None:
    """Tell what a job, or a training on a table, takes of each worker, and whether it fits.

    Of a job it is told stage by stage: rows, partitions, what is shuffled, memory, disk.
    """
    if scheduler and (workers or threads or memory):
        raise click.UsageError("--scheduler has its workers: leave --workers and the like out.")
    if data or config or assignments or _is_workflow(what):
        if without:
            raise click.UsageError("--without is of a table: a workflow has its settings (--set).")
        there = _workers(scheduler, workers, threads, memory, config, assignments)
        here = not (scheduler or workers or threads or memory) and _local(config, assignments)
        _print_job(what, data, config, assignments, there, as_json, here)
        return
    print_training(
        what,
        _workers(scheduler, workers, threads, memory),
        without=without,
        parameters={"max_bin": max_bin, "max_depth": max_depth},
        classes=classes,
        as_json=as_json,
    )


def _is_workflow(what: str) -> bool:
    from dmlkit.workflow import workflow_entries

    return not Path(what).exists() and what in [entry.name for entry in workflow_entries()]


def _workers(
    scheduler: str | None,
    workers: int | None,
    threads: int | None,
    memory: str | None,
    config: Path | None = None,
    assignments: tuple[str, ...] = (),
) -> Any:
    from dmlkit.cluster import connect
    from dmlkit.cluster.sizes import sizes_here, sizes_of
    from dmlkit.workflow import load_cluster

    security, insecure = None, False
    if scheduler is None:
        settings = load_cluster(config, assignments)
        if settings is None or workers or threads or memory:
            return sizes_here(workers, threads, memory)
        if there := settings.sizes():
            return there
        if settings.kind != "scheduler":
            raise click.UsageError(
                f"What workers {settings.kind!r} gives is not known: say --workers and --memory."
            )
        scheduler, security, insecure = settings.address, settings.certificates, settings.insecure
    with connect(scheduler, security=security, insecure=insecure) as client:
        return sizes_of(client)


def _local(config: Path | None, assignments: tuple[str, ...]) -> bool:
    """Tell whether the workers are those of this machine, and not of one that is thought of."""
    from dmlkit.cluster import current_client
    from dmlkit.workflow import load_cluster

    settings = load_cluster(config, assignments)
    return settings.kind == "local" if settings is not None else current_client() is None


def _print_job(
    name: str,
    data: str | None,
    config: Path | None,
    assignments: tuple[str, ...],
    there: Any,
    as_json: bool,
    here: bool,
) -> None:
    from dmlkit.errors import DmlkitError
    from dmlkit.workflow import find_workflow, load_configuration
    from dmlkit.workflow.readiness import check_spill_here

    job = find_workflow(name)
    if config is None and data is not None:
        config = job.matching_preset(data)
    configuration = load_configuration(job.configuration, file=config, assignments=assignments)
    found = job.plan(data, configuration=configuration, workers=there)
    trouble: DmlkitError | None = None
    try:
        found.check()
        if here:
            check_spill_here(found.needs, found.there.workers)
    except DmlkitError as error:
        trouble = error
    if as_json:
        told = found.to_dict()
        if trouble is not None and found.fits:
            told |= {"fits": False, "advice": str(trouble)}
        print_json(status="done", **told)
        sys.exit(None if trouble is None else FAILED)
    Console().print(found)
    if trouble is not None:
        raise trouble
