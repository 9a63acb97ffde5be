"""How many trials a worker trains side by side, and how they share its threads."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from dmlkit.search.freed import keep_freed_memory

__all__ = ["Crew", "Room"]

#: Of a worker's memory that trials may take beside the rows.
SHARE = 0.3


class Room(NamedTuple):
    """A worker's threads, and how many trials it has room for at once."""

    threads: int
    trials: int

    @classmethod
    def of(cls, worker: Mapping[str, Any], trial_bytes: int) -> Self:
        """Return as many trials as threads, but no more than a share of the memory has room for.

        Parameters
        ----------
        worker : mapping
            As the scheduler knows it.
        trial_bytes : int
            What a trial takes beside the rows; 0 if it is not known.

        Examples
        --------
        >>> Room.of({"nthreads": 8, "memory_limit": 10 << 30}, trial_bytes=1 << 30)
        Room(threads=8, trials=3)
        """
        threads, memory = int(worker["nthreads"]), int(worker.get("memory_limit") or 0)
        if not memory or not trial_bytes:
            return cls(threads, threads)
        return cls(threads, max(1, min(threads, int(memory * SHARE) // trial_bytes)))


class Crew:
    """So many threads; each trial has an equal share, and at least one.

    A trial that is left alone has them all from its next round on. XGBoost's trees do not depend on
    how many there are.

    Parameters
    ----------
    threads : int

    Examples
    --------
    >>> crew = Crew(4)
    >>> with crew.joined():
    ...     alone = crew.share()
    ...     with crew.joined():
    ...         print(alone, crew.share())
    4 2
    """

    def __init__(self, threads: int) -> None:
        self._threads, self._trials = threads, 0
        self._lock = threading.Lock()
        keep_freed_memory(self)

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Count a trial while it is trained.

        Dask sets OMP_NUM_THREADS to 1 for its workers, and XGBoost takes no more than that,
        whatever number it is asked for: in the thread that trains, all are allowed.
        """
        with self._lock:
            self._trials += 1
        try:
            with threadpool_limits(self._threads, "openmp"):
                yield
        finally:
            with self._lock:
                self._trials -= 1

    def share(self) -> int:
        """Return how many threads each of them has now."""
        return max(1, self._threads // max(1, self._trials))
