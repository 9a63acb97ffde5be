"""The job with dmlkit where rows keep their order: what can stay where it lies is not moved."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.windows import with_dmlkit

__all__ = ["started"]


def started() -> AbstractContextManager[Callable[[Path, Path], dict[str, float]]]:
    """Start a cluster; yield what does the job and returns the seconds of each kind of task."""
    return with_dmlkit.started(order="input")
