"""The command ``dmlkit``: parses, calls, prints; decides nothing.

Dask is imported by the commands that need it, so that help comes at once.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.text import Text

from dmlkit import __version__
from dmlkit.errors import ConfigurationError, DmlkitError

__all__ = ["main"]

FINE, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 130

#: Seconds that a stopped job has to close its cluster and to sweep up.
GRACE = 15.0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 fine, 1 the job failed, 2 wrong use, 130 stopped."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _stopping_in_order():
            commands.main(arguments, prog_name="dmlkit", standalone_mode=False)
    except click.UsageError as error:
        _fail(arguments, type(error).__name__, _wrong_use(error), WRONG_USE)
    except (KeyboardInterrupt, click.Abort):
        _fail(arguments, "stopped", "Stopped. What was there before is untouched.", STOPPED)
    except ConfigurationError as error:
        _fail(arguments, type(error).__name__, str(error), WRONG_USE)
    except DmlkitError as error:
        _fail(arguments, type(error).__name__, str(error), FAILED)
    except Exception as error:
        _fail(arguments, type(error).__name__, _unexpected(error, arguments), FAILED)
    sys.exit(FINE)


@contextlib.contextmanager
def _stopping_in_order() -> Iterator[None]:
    """Stop at the first signal, and let no further one break the sweeping up, but not for ever."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook

    def stop(_number: int, _frame: Any) -> NoReturn:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        watchdog = threading.Timer(GRACE, _leave)
        watchdog.daemon = True
        watchdog.start()
        raise KeyboardInterrupt

    def insist(unraisable: Any) -> None:
        """Interrupt again if the first time was in a callback of C, which swallows exceptions."""
        if unraisable.exc_type is not KeyboardInterrupt:
            hook(unraisable)
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()

    sys.unraisablehook = insist
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> NoReturn:
    """End the process where sweeping up hangs; the next job into the same folder goes on with it.

    Local workers end with the process, and so does its hold on the output folder.
    """
    sys.stderr.write("Error: Stopped, without waiting for the workers.\n")
    sys.stderr.flush()
    os._exit(STOPPED)


@contextlib.contextmanager
def _cluster(scheduler: str | None, console: Console) -> Iterator[Any]:
    """Give a client; a local cluster is gone at the end, at once if the job was stopped."""
    from dmlkit.cluster import connect, kill_workers, quiet_dask

    quiet_dask()
    with console.status("Waiting for the scheduler" if scheduler else "Starting the cluster"):
        connected = connect(scheduler)
    with connected as client:
        try:
            yield client
        except KeyboardInterrupt:
            kill_workers(client)
            raise


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
    Examples:
      dmlkit run fraud-detection --out out/
      dmlkit run fraud-detection --data transactions/ --out out/ --set split.test_days=14
      dmlkit score out/model --data today.parquet --history transactions/ --out scores/

    Exit codes: 0 fine, 1 the job failed, 2 wrong use, 130 stopped by Ctrl-C.""",
)
@click.version_option(__version__, prog_name="dmlkit")
def commands() -> None:
    """Raw tables in, a trained and judged model out, on any Dask cluster."""


@commands.command(
    epilog="""\b
    Examples, first on generated transactions:
      dmlkit run fraud-detection
    On a table of your own, whose columns a file names:
      dmlkit run fraud-detection --data transactions/ --out out/ --config fraud.toml
    With other settings; `dmlkit workflows --settings` lists them:
      dmlkit run fraud-detection --data tx/ --set split.test_days=14 --set model.max_depth=6
    On a cluster, from a store that its workers reach:
      dmlkit run fraud-detection --data s3://bucket/tx/ --out out/ --scheduler tcp://10.0.0.1:8786
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
    "--out", type=click.Path(path_type=Path), help="The output folder.  [default: out/NAME]"
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A running Dask scheduler.  [default: DASK_SCHEDULER_ADDRESS, or a local cluster]",
)
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def run(
    name: str,
    data: str | None,
    out: Path | None,
    scheduler: str | None,
    config: Path | None,
    assignments: tuple[str, ...],
    resume: bool,
    as_json: bool,
) -> None:
    """Run the workflow NAME (see `dmlkit workflows`) from raw table to scores and report."""
    from dmlkit.metrics_table import metrics_table
    from dmlkit.observe.console import shortened, show_progress
    from dmlkit.workflow import find_workflow, load_configuration, run_workflow

    job = find_workflow(name)
    console = Console(stderr=True)
    if config is None and data is not None and (config := job.matching_preset(data)):
        told = shortened(str(config))
        console.print(f"Settings: {told} (it has the table's column names)", soft_wrap=True)
    configuration = load_configuration(job.configuration, file=config, assignments=assignments)
    with _cluster(scheduler, console) as client:
        if client.dashboard_link:
            console.print(f"Dashboard: {client.dashboard_link}")
        with show_progress(console) as listener:
            result = run_workflow(
                job,
                data=data,
                out=out or Path("out") / name,
                configuration=configuration,
                resume=resume,
                listeners=[listener],
            )
    metrics = result.metrics()
    report = result.report if result.report.exists() else None
    if as_json:
        named = None if report is None else str(report)
        _print_json(status="done", out=str(result.out), report=named, metrics=metrics)
        return
    stdout = Console()
    if metrics:
        stdout.print(metrics_table(metrics))
    where = f"Results: {shortened(str(result.out))}"
    if report is not None:
        where = f"Report: {shortened(str(report))}"
    stdout.print(where, soft_wrap=True, highlight=False)


@commands.command(
    epilog="""\b
    Example:
      dmlkit score out/model --data today.parquet --history transactions/ --out scores/

    \b
    OUT is a Delta Lake table (Parquet files and a log) with the identifiers, the time, the score,
    and whether it is flagged at the threshold that the training chose. Bad rows go to the folder
    OUT-quarantine. The label may be missing in the new rows; a history may overlap with them."""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", required=True, help="The rows to score: a file, folder, glob or URL.")
@click.option("--out", required=True, help="Where the scores go: a new Delta Lake table.")
@click.option("--history", help="What happened before, so that time windows are right.")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler [a local cluster].")
@click.option("--max-bad-share", default=0.01, show_default=True, help="Bad rows that are borne.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def score(
    model: Path,
    data: str,
    out: str,
    history: str | None,
    scheduler: str | None,
    max_bad_share: float,
    as_json: bool,
) -> None:
    """Score new rows with the bundle MODEL of an earlier run: same features, same model."""
    from dmlkit.boosting import load_bundle
    from dmlkit.scoring import score_table
    from dmlkit.tables import write_table

    bundle = load_bundle(model)
    console = Console(stderr=True)
    if history is None:
        console.print("! No --history: time windows see only the rows in --data.", style="yellow")
    quarantine = f"{out.rstrip('/')}-quarantine"
    with _cluster(scheduler, console), console.status("Scoring"):
        scored = score_table(
            bundle, data, history=history, quarantine=quarantine, max_bad_share=max_bad_share
        )
        for notice in scored.notices:
            console.print(Text(f"! {notice}", style="yellow"), soft_wrap=True)
        written = write_table(scored.frame, out)
    if as_json:
        bad_rows = scored.checked.bad_rows
        _print_json(status="done", out=out, rows=written.rows, bad_rows=bad_rows)
        return
    Console().print(f"{written.rows:,} rows scored: {out}", soft_wrap=True)
    if scored.checked.bad_rows:
        Console().print(f"{scored.checked.bad_rows:,} bad rows: {quarantine}", soft_wrap=True)


@commands.command()
@click.option("--settings", is_flag=True, help="List each setting with its default, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def workflows(settings: bool, as_json: bool) -> None:
    """List the workflows that are installed, with their ready-made settings."""
    from dmlkit.observe.console import shortened
    from dmlkit.workflow import find_workflow, setting_defaults, workflow_entries

    jobs = [find_workflow(entry.name) for entry in workflow_entries()]
    if as_json:
        _print_json(workflows={job.name: job.summary for job in jobs})
        return
    for job in jobs:
        click.echo(f"{job.name:<20}{job.summary}")
        for preset in job.presets:
            click.echo(f"{'':<20}--config {shortened(str(preset))}")
        for setting in setting_defaults(job.configuration) if settings else ():
            click.echo(f"{'':<20}--set {setting}")


@commands.group()
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


def _print_json(**content: Any) -> None:
    click.echo(json.dumps(content, indent=2))


def _fail(arguments: Sequence[str], kind: str, message: str, code: int) -> NoReturn:
    if "--json" in arguments:
        _print_json(status="failed", error=kind, message=message)
    if "--debug" in arguments:
        traceback.print_exc()
    from dmlkit.observe.console import shortened

    text = Text.assemble(("Error: ", "bold red"), shortened(message))
    Console(stderr=True).print(text, soft_wrap=True)
    sys.exit(code)


def _wrong_use(error: click.UsageError) -> str:
    """Return click's message with the help that answers it."""
    command = error.ctx.command_path if error.ctx is not None else "dmlkit"
    return f"{error.format_message()}\n`{command} --help` shows what there is."


def _unexpected(error: Exception, arguments: Sequence[str]) -> str:
    from distributed import KilledWorker
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    if isinstance(error, KilledWorker):
        return (
            f"A task ended its worker again and again ({error.task}), most likely for want of "
            "memory. Use fewer threads or larger workers, or smaller partitions."
        )
    if isinstance(error, NoWorkerError | NoValidWorkerError):
        return (
            "All workers of the cluster are gone, and none came back. If memory was short, give "
            "them more; if they run elsewhere, look at their logs, and start them again."
        )
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.strerror}: {error.filename or 'while writing'}."
    hint = "" if "--debug" in arguments else " Run it again with --debug for the traceback."
    return f"{type(error).__name__}: {error}.{hint}"
