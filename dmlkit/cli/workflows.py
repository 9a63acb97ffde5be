"""``dmlkit workflows``."""

import click

from dmlkit.cli.endings import print_json

__all__ = ["workflows"]


@click.command()
@click.option("--settings", is_flag=True, help="List each setting with its default, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
@click.option("--debug", is_flag=True, expose_value=False, help="Print tracebacks.")
def workflows(settings: bool, as_json: bool) -> None:
    """List the workflows that are installed, with their ready-made settings."""
    from dmlkit.observe.console import shortened
    from dmlkit.workflow import find_workflow, setting_defaults, workflow_entries

    jobs = [find_workflow(entry.name) for entry in workflow_entries()]
    if as_json:
        print_json(workflows={job.name: job.summary for job in jobs})
        return
    for job in jobs:
        click.echo(f"{job.name:<24}{job.summary}")
        for preset in job.presets:
            click.echo(f"{'':<24}--config {shortened(str(preset))}")
        for setting in setting_defaults(job.configuration) if settings else ():
            click.echo(f"{'':<24}--set {setting}")
