"""The kinds of feature steps, by the names that they have in documents and TOML files."""

from collections.abc import Mapping
from typing import Any

from dmlkit.errors import ConfigurationError, nearest
from dmlkit.features.asof import AsOf
from dmlkit.features.holidays import Holidays
from dmlkit.features.panel import PanelLags
from dmlkit.features.ratios import Ratio, ZScore
from dmlkit.features.rowwise import Calendar, Columns
from dmlkit.features.windows import TimeWindows

__all__ = ["ENTITY_STEPS", "step_of"]

KINDS: dict[str, Any] = {
    step.kind: step
    for step in (Columns, Calendar, Holidays, TimeWindows, PanelLags, AsOf, Ratio, ZScore)
}

#: Those that look at other rows of an entity.
ENTITY_STEPS = (TimeWindows, PanelLags, AsOf)


def step_of(document: Mapping[str, Any]) -> Any:
    """Make a step from what its `to_dict` returned, or from a table of a TOML file.

    Raises
    ------
    ConfigurationError
        The kind, or a key, is unknown.
    """
    kind = document.get("kind")
    if kind not in KINDS:
        guess = nearest(str(kind), KINDS)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"Unknown kind of feature step {kind!r}{hint}. Known: {', '.join(KINDS)}."
        )
    return KINDS[kind].from_dict(document)
