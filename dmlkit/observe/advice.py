"""Warnings in words that a person can act on: what is told once, and what lasts for a while."""

from collections.abc import Mapping
from dataclasses import dataclass

from dmlkit.observe import schema
from dmlkit.observe.masking import masked

__all__ = ["Advice"]

KEPT = 200


@dataclass
class _Warning:
    kind: str
    text: str
    first: float
    last: float
    workflow: str
    count: int = 1


class Advice:
    """The warnings of a story, those that come again counted instead of told again."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], _Warning] = {}
        self._lasting: set[tuple[str, str]] = set()

    def tell(self, now: float, kind: str, about: str, text: str, workflow: str = "") -> None:
        """Tell a warning, or that it came again: the same kind about the same thing."""
        known = self._all.pop((kind, about), None)
        warning = _Warning(kind, masked(text), now, now, workflow)
        if known is not None:
            warning.first, warning.count = known.first, known.count + 1
        self._all[kind, about] = warning  # the newest stand last
        if len(self._all) > KEPT:
            del self._all[next(iter(self._all))]

    def now(self, now: float, found: Mapping[tuple[str, str], str], workflow: str = "") -> None:
        """Tell what is the case now; what was before, and lasts, is not told again."""
        for (kind, about), text in found.items():
            if (kind, about) in self._lasting and (kind, about) in self._all:
                self._all[kind, about].text = masked(text)
                self._all[kind, about].last = now
            else:
                self.tell(now, kind, about, text, workflow)
        self._lasting = set(found)

    def views(self) -> list[schema.Warning]:
        """Return them as a snapshot has them, the newest first."""
        return [
            {
                "kind": warning.kind,
                "text": warning.text,
                "first": warning.first,
                "last": warning.last,
                "count": warning.count,
                "workflow": warning.workflow,
            }
            for warning in reversed(self._all.values())
        ]
