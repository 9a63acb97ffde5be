"""A client's side of the story: have a scheduler keep it, and ask for it as it stands."""

import time
from typing import Any

from distributed import Client

from dmlkit.errors import ClusterError
from dmlkit.observe import schema
from dmlkit.observe.causes import judge
from dmlkit.observe.events import Outlook
from dmlkit.observe.plugin import NAME, StoryPlugin

__all__ = ["cause_of", "install", "outlook_of", "take_snapshot"]


def install(client: Client) -> None:
    """Have the scheduler of a client keep the story and serve it, if it does not yet.

    Raises
    ------
    ClusterError
        The scheduler cannot import dmlkit, or cannot be reached.

    Examples
    --------
    >>> from dmlkit import connect
    >>> from dmlkit.observe import install, take_snapshot
    >>> with connect(workers=1, threads=1, memory="1GiB") as client:
    ...     install(client)
    ...     take_snapshot(client)["cluster"]["workers"]
    1
    """
    try:
        client.register_plugin(StoryPlugin())
    except (ImportError, AttributeError) as error:
        raise ClusterError(
            f"The scheduler cannot import dmlkit ({error}): there is no page /dmlkit. Install the "
            "same version of dmlkit where the scheduler runs."
        ) from error
    except Exception as error:
        raise ClusterError(
            f"The scheduler cannot keep the story ({type(error).__name__}: {error}): there is no "
            "page /dmlkit."
        ) from error


def take_snapshot(client: Client) -> schema.Snapshot:
    """Return the story of a client's cluster as it stands (see `dmlkit.observe.schema`).

    Raises
    ------
    ClusterError
        Nobody has installed the plugin.
    """
    found: schema.Snapshot | None = client.run_on_scheduler(_snapshot)
    if found is None:
        raise ClusterError(
            "The scheduler keeps no story: call dmlkit.observe.install(client), or start it with "
            "`dask scheduler --preload dmlkit.observe`."
        )
    return found


def cause_of(client: Client, worker: str) -> str:
    """Return why a worker was lost, in words; nothing where it is not known (yet)."""
    found: str = client.run_on_scheduler(_cause_of, worker)
    return found


def outlook_of(client: Client) -> Outlook | None:
    """Return how far the run of a client is, and what is left; None where it has none."""
    found: Outlook | None = client.run_on_scheduler(_outlook_of, client.id)
    return found


def _outlook_of(client: str, dask_scheduler: Any = None) -> Outlook | None:
    plugin = dask_scheduler.plugins.get(NAME)
    run = None if plugin is None else plugin.story.run_of(time.time(), client)
    if run is None:
        return None
    stages = [stage for stage in run["stages"] if stage["state"] in ("running", "stalled")]
    flows = [flow for stage in stages for flow in stage["flows"]][-1:]
    rows = {name: flows[0][name] for name in ("what", "rows", "rows_total")} if flows else {}
    return Outlook(**rows, **(run["left"] or {}))


def _cause_of(worker: str, dask_scheduler: Any = None) -> str:
    plugin = dask_scheduler.plugins.get(NAME)
    cause = None if plugin is None else judge(plugin.story.losses.facts(worker))
    return "" if cause is None or cause.kind in ("connection-lost", "unknown") else cause.text


def _snapshot(dask_scheduler: Any = None) -> schema.Snapshot | None:
    plugin = dask_scheduler.plugins.get(NAME)
    return None if plugin is None else plugin.snapshot()
