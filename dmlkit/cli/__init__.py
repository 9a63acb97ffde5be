"""The command ``dmlkit``: parses, calls, prints; decides nothing.

Dask is imported by the commands that need it, so that help comes at once.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from dmlkit import __version__
from dmlkit.cli.clusters import clusters
from dmlkit.cli.compare import compare
from dmlkit.cli.endings import FAILED, FINE, STOPPED, WRONG_USE, fail, unexpected, wrong_use
from dmlkit.cli.plan import plan
from dmlkit.cli.run import run
from dmlkit.cli.schema import schema
from dmlkit.cli.score import score
from dmlkit.cli.stopping import stopping_in_order
from dmlkit.cli.watch import watch
from dmlkit.cli.workflows import workflows
from dmlkit.errors import ConfigurationError, DmlkitError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 fine, 1 the job failed, 2 wrong use, 130 stopped."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with stopping_in_order():
            commands.main(arguments, prog_name="dmlkit", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(WRONG_USE)
    except click.UsageError as error:
        fail(arguments, type(error).__name__, wrong_use(error), WRONG_USE)
    except (KeyboardInterrupt, click.Abort):
        fail(arguments, "stopped", "Stopped. What was there before is untouched.", STOPPED)
    except ConfigurationError as error:
        fail(arguments, type(error).__name__, str(error), WRONG_USE)
    except DmlkitError as error:
        fail(arguments, type(error).__name__, str(error), FAILED)
    except Exception as error:
        fail(arguments, type(error).__name__, unexpected(error, arguments), FAILED)
    sys.exit(FINE)


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


for command in (run, watch, score, compare, plan, workflows, schema, clusters):
    commands.add_command(command)
