"""How a command ends: exit codes, one JSON object, and one clear message for what is wrong."""

import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.text import Text

__all__ = [
    "FAILED",
    "FINE",
    "STOPPED",
    "WRONG_USE",
    "fail",
    "print_json",
    "unexpected",
    "wrong_use",
]

FINE, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 130


def print_json(**content: Any) -> None:
    """Print one JSON object, for machines."""
    click.echo(json.dumps(content, indent=2))


def fail(arguments: Sequence[str], kind: str, message: str, code: int) -> NoReturn:
    """Print what went wrong, and exit."""
    if "--json" in arguments:
        print_json(status="failed", error=kind, message=message)
    if "--debug" in arguments:
        traceback.print_exc()
    from dmlkit.observe.console import shortened

    text = Text.assemble(("Error: ", "bold red"), shortened(message))
    Console(stderr=True).print(text, soft_wrap=True)
    sys.exit(code)


def wrong_use(error: click.UsageError) -> str:
    """Return click's message with the help that answers it."""
    command = error.ctx.command_path if error.ctx is not None else "dmlkit"
    return f"{error.format_message()}\n`{command} --help` shows what there is."


def unexpected(error: Exception, arguments: Sequence[str]) -> str:
    """Return what is to be said of an error that nobody foresaw."""
    from distributed import KilledWorker
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    from dmlkit.tables.object_store import told_of_store
    from dmlkit.tables.sources import is_store_error

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
    if is_store_error(error):
        return f"An object store failed: {told_of_store(error)}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.strerror}: {error.filename or 'while writing'}."
    hint = "" if "--debug" in arguments else " Run it again with --debug for the traceback."
    return f"{type(error).__name__}: {error}.{hint}"
