"""What every benchmark measures: memory of all processes, versions of packages, results as JSON."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from types import TracebackType
from typing import Any

import psutil

__all__ = ["PeakMemory", "versions_of", "write_results"]

#: Seconds between two looks at the memory.
INTERVAL = 0.1


class PeakMemory:
    """The most memory that this process and all below it held at once, while in the context.

    Examples
    --------
    >>> with PeakMemory() as memory:
    ...     block = bytearray(10_000_000)
    >>> memory.bytes > 10_000_000
    True
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        this = psutil.Process()
        found = (_resident(process) for process in [this, *this.children(recursive=True)])
        self.bytes = max(self.bytes, sum(found))


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of installed packages."""
    return {"python": python_version()} | {package: version(package) for package in packages}


def write_results(path: str | Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write results as a JSON list, one object for each system and task."""
    Path(path).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # it ended between being listed and being asked
        return 0
