"""Rows that a stage reads and writes, counted as its partitions are done."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from dmlkit.observe import schema

__all__ = ["FlowRecord"]

#: Seconds that the speed is measured over.
SPEED_OVER = 20.0

#: Partitions that are told apart, so that one which is computed again does not count twice.
APART = 50_000

#: How much shorter and longer it may take than the speed so far says.
SPREAD = (0.7, 1.5)

#: One partition has this share of the rows, where there are so many partitions and rows: skew.
SKEW_SHARE, SKEW_PARTS, SKEW_ROWS = 0.4, 5, 10_000


@dataclass
class FlowRecord:
    """The rows that were read, or written, by a stage so far."""

    what: schema.FlowKind
    rows: int = 0
    bytes: int = 0
    parts: int = 0
    parts_total: int = 0
    largest: int = 0
    groups: set[Hashable] = field(default_factory=set)
    over: bool = False
    _seen: set[int] = field(default_factory=set)
    _counts: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))

    def add(self, key: Hashable, group: Hashable, rows: int, size: int) -> None:
        """Take in a partition, by the key and the group of its task."""
        if hash(key) in self._seen:
            return
        if len(self._seen) < APART:
            self._seen.add(hash(key))
        self.groups.add(group)
        self.rows, self.bytes, self.parts = self.rows + rows, self.bytes + size, self.parts + 1
        self.largest = max(self.largest, rows)

    def tick(self, now: float, parts_total: int) -> None:
        """Take in how many partitions there are, as far as is known now."""
        self.parts_total = max(parts_total, self.parts)
        self._counts.append((now, self.rows))
        while self._counts[0][0] < now - SPEED_OVER:
            self._counts.popleft()

    def end(self) -> None:
        """Take in that the stage is over."""
        self.over = True
        self._seen.clear()

    @property
    def rows_total(self) -> int | None:
        """Rows that there will be, if those to come are like those so far; None before any."""
        if self.over or (self.parts and self.parts >= self.parts_total):
            return self.rows
        return round(self.rows / self.parts * self.parts_total) if self.parts else None

    @property
    def rows_per_second(self) -> float | None:
        """The speed of the last seconds, None before it can be told."""
        if self.over or len(self._counts) < 2:
            return None
        (first, before), (last, after) = self._counts[0], self._counts[-1]
        return (after - before) / (last - first) if last > first else None

    @property
    def left(self) -> schema.Range | None:
        """Seconds until all rows are through, at the speed of the last ones."""
        speed, total = self.rows_per_second, self.rows_total
        if self.over or not speed or total is None:
            return None
        seconds = (total - self.rows) / speed
        return {"low": round(seconds * SPREAD[0], 1), "high": round(seconds * SPREAD[1], 1)}

    @property
    def skew(self) -> float | None:
        """The share of the rows that one partition has, where that is too much."""
        if self.parts < SKEW_PARTS or self.rows < SKEW_ROWS:
            return None
        others = (self.rows - self.largest) / (self.parts - 1)
        # Those that are not done count as the others do: the largest one may come early.
        share = self.largest / (self.rows + others * max(0, self.parts_total - self.parts))
        return share if share >= SKEW_SHARE else None

    def view(self) -> schema.Flow:
        """Return it as a snapshot has it."""
        speed = self.rows_per_second
        return {
            "what": self.what,
            "rows": self.rows,
            "bytes": self.bytes,
            "parts": self.parts,
            "parts_total": self.parts_total,
            "rows_total": self.rows_total,
            "rows_per_second": None if speed is None else round(speed, 1),
            "left": self.left,
        }
