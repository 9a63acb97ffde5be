"""Tasks that fail again and again: told when it is worth a person's while."""

from collections import OrderedDict
from collections.abc import Hashable

__all__ = ["Failures"]

#: Failures of one task after which it is told.
OFTEN = 3

#: Tasks that are remembered.
KEPT = 1000


class Failures:
    """How often tasks failed.

    Examples
    --------
    >>> failures = Failures()
    >>> for _ in range(3):
    ...     told = failures.add("read-1", "read", "tcp://a:1", "OSError('no space')")
    >>> told
    "A task of read failed 3 times, the last time on tcp://a:1 with OSError('no space')."
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[Hashable, int] = OrderedDict()

    def add(self, key: Hashable, name: str, worker: str, said: str) -> str | None:
        """Take in a failure of a task; return what to tell of it, if it failed often."""
        count = self._counts.pop(key, 0) + 1
        self._counts[key] = count
        if len(self._counts) > KEPT:
            self._counts.popitem(last=False)
        if count < OFTEN:
            return None
        return f"A task of {name} failed {count} times, the last time on {worker} with {said}."
