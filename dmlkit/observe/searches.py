"""Searches for parameters: how many trials are done, and the best so far."""

from collections.abc import Mapping
from typing import Any

from dmlkit.observe import schema

__all__ = ["Searches"]

#: Searches that are kept, the last ones.
KEPT = 20


class Searches:
    """The searches that go on, and the last that are over.

    Examples
    --------
    >>> searches = Searches()
    >>> searches.hear(5.0, {"search": "a", "state": "running", "done": 3, "total": 10, "pruned": 1,
    ...                     "failed": 0, "running": 2, "best": 0.8, "metric": "auc"}, run="")
    >>> searches.views(6.0)[0]["done"], searches.views(6.0)[0]["seconds"]
    (3, 1.0)
    """

    def __init__(self) -> None:
        self._all: dict[str, schema.Search] = {}
        self._ended: dict[str, float] = {}

    def hear(self, now: float, message: Mapping[str, Any], run: str) -> None:
        """Take in how far a search is."""
        name = str(message["search"])
        before = self._all.get(name)
        best = message.get("best")
        self._all[name] = {
            "id": name,
            "workflow": run,
            "state": "running" if message["state"] == "running" else "done",
            "started": now if before is None else before["started"],
            "seconds": 0.0,
            "done": int(message["done"]),
            "total": int(message["total"]),
            "pruned": int(message["pruned"]),
            "failed": int(message["failed"]),
            "running": int(message["running"]),
            "metric": str(message["metric"]),
            "best": None if best is None else float(best),
        }
        if message["state"] != "running":
            self._ended[name] = now
        while len(self._all) > KEPT:
            oldest = next(iter(self._all))
            del self._all[oldest]
            self._ended.pop(oldest, None)

    def views(self, now: float) -> list[schema.Search]:
        """Return them as a snapshot has them, the newest first."""
        return [
            {**each, "seconds": round(self._ended.get(name, now) - each["started"], 2)}
            for name, each in reversed(self._all.items())
        ]
