"""The story as a pane for JupyterLab's Dask extension, which lists what Bokeh serves."""

import json
from typing import Any, cast

from dmlkit.observe import seams
from dmlkit.observe.notebook import Story
from dmlkit.observe.schema import Snapshot

__all__ = ["PANE", "serve_pane"]

#: The extension lists what begins so.
PANE = "/individual-dmlkit"

#: Milliseconds between two pictures.
INTERVAL = 1000


def serve_pane(plugin: Any) -> bool:
    """Add the pane to the dashboard of a plugin's scheduler.

    Returns
    -------
    bool
        False where there is none: no Bokeh, or no dashboard.
    """
    return seams.add_pane(plugin.scheduler, PANE, lambda document: _draw(plugin, document))


def _draw(plugin: Any, document: Any) -> None:
    from bokeh.models import Div

    def picture() -> str:
        return Story(cast("Snapshot", json.loads(plugin.snapshot_json())))._repr_html_()

    # Dollar signs in names are no mathematics.
    shown = Div(text=picture(), disable_math=True, sizing_mode="stretch_width")

    def renew() -> None:
        shown.text = picture()

    document.add_root(shown)
    document.title = "dmlkit"
    document.add_periodic_callback(renew, INTERVAL)
