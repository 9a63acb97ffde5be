"""``dmlkit run``."""

from pathlib import Path

import click
from rich.console import Console

from dmlkit.cli.cluster import cluster, insecure_option
from dmlkit.cli.endings import print_json

__all__ = ["run"]


@click.command(
    epilog="""\b
    Examples, first on generated transactions:
      dmlkit run fraud-detection
    On a table of your own, whose columns a file names:
      dmlkit run fraud-detection --data transactions/ --out out/ --config fraud.toml
    With other settings; `dmlkit workflows --settings` lists them:
      dmlkit run fraud-detection --data tx/ --set split.test_days=14 --set model.max_depth=6
    On a cluster, from a store that its workers reach:
      dmlkit run fraud-detection --data s3://bucket/tx/ --out out/ --scheduler tls://10.0.0.1:8786
    Likewise, where client and workers share no folder:
      dmlkit run fraud-detection --data s3://bucket/tx/ --out s3://bucket/fraud/ --scheduler ...
    On from where a failure came, when its cause is gone:
      dmlkit run fraud-detection --data tx/ --out out/ --resume

    \b
    OUT then holds metrics.json, report.html, model/ (for `dmlkit score`), scores/, manifest.json
    (settings, versions, times) and stages/ (for --resume); quarantine/ has bad rows. What an
    earlier run left there is replaced at the end, all at once, and stays if the job fails."""
)
@click.argument("name")
@click.option(
    "--data", help="The table: a file, folder, glob or URL. Without it, one is generated."
)
@click.option(
    "--out", help="The output folder, or a prefix in a store (s3://...).  [default: out/NAME]"
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A running Dask scheduler.  [default: [cluster] of --config, DASK_SCHEDULER_ADDRESS, or a "
    "local cluster]",
)
@insecure_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings, a TOML file; `dmlkit workflows` lists ready-made ones.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="One setting, over those of --config; may be given several times.",
)
@click.option("--resume", is_flag=True, help="Take over stages that an earlier run finished.")
@click.option(
    "--anyway", is_flag=True, help="Begin also where `dmlkit plan` says that it does not fit."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def run(
    name: str,
    data: str | None,
    out: str | None,
    scheduler: str | None,
    insecure: bool,
    config: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    anyway: bool,
    as_json: bool,
) -> None:
    """Run the workflow NAME (see `dmlkit workflows`) from raw table to scores and report."""
    from dmlkit.metrics_table import metrics_table
    from dmlkit.observe.console import shortened, show_progress
    from dmlkit.workflow import find_workflow, load_cluster, load_configuration, run_workflow
    from dmlkit.workflow.destination import find_destination

    job = find_workflow(name)
    out = out or f"out/{name}"
    find_destination(out).check()  # before a cluster is started for it
    console = Console(stderr=True)
    if config is None and data is not None and (config := job.matching_preset(data)):
        told = shortened(str(config))
        console.print(f"Settings: {told} (it has the table's column names)", soft_wrap=True)
    configuration = load_configuration(job.configuration, file=config, assignments=assignments)
    where = load_cluster(config, assignments)
    with cluster(scheduler, console, insecure=insecure, settings=where) as client:
        if client.dashboard_link:
            console.print(f"Dashboard: {client.dashboard_link}")
        with show_progress(console) as listener:
            result = run_workflow(
                job,
                data=data,
                out=out,
                configuration=configuration,
                resume=resume,
                anyway=anyway,
                listeners=[listener],
            )
    metrics = result.metrics()
    report = result.report if result.has("report.html") else None
    if as_json:
        named = None if report is None else str(report)
        print_json(status="done", out=str(result.out), report=named, metrics=metrics)
        return
    stdout = Console()
    if metrics:
        stdout.print(metrics_table(metrics))
    told = f"Results: {shortened(str(result.out))}"
    if report is not None:
        told = f"Report: {shortened(str(report))}"
    stdout.print(told, soft_wrap=True, highlight=False)
