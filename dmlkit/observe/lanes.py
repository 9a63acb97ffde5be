"""The time axis that workers' lanes share: a fixed number of buckets, coarser as time goes on."""

from dataclasses import dataclass, field
from itertools import zip_longest

__all__ = ["CODES", "Lanes"]

#: Letters of a lane; from ``s`` on, a state stays visible when buckets are merged.
CODES = ".ibspf"

BUCKETS = 240
_LETTERS = CODES.encode("ascii").ljust(256, b"?")
_STICKY = CODES.index("s")


@dataclass
class Lanes:
    """A lane for each place, with a state for each bucket of time.

    Examples
    --------
    >>> lanes = Lanes(start=0.0)
    >>> lanes.paint(0.5, {7: "b"})
    >>> lanes.paint(2.5, {7: "i"})
    >>> lanes.text(7)
    'b.i'
    """

    start: float
    step: float = 1.0
    count: int = 0
    _lanes: dict[int, bytearray] = field(default_factory=dict)

    def paint(self, now: float, states: dict[int, str]) -> None:
        """Set the state of each place in the bucket of `now`."""
        while (now - self.start) / self.step >= BUCKETS:
            self._halve()
        bucket = max(0, int((now - self.start) / self.step))
        self.count = bucket + 1
        for place, letter in states.items():
            lane = self._lanes.setdefault(place, bytearray())
            if len(lane) <= bucket:
                lane.extend(bytes(bucket + 1 - len(lane)))
            lane[bucket] = _merged(lane[bucket], CODES.index(letter))

    def text(self, place: int) -> str:
        """Return the lane of a place as letters, up to where it was painted last."""
        return self._lanes.get(place, bytearray()).translate(_LETTERS).decode("ascii")

    def restart(self, now: float) -> None:
        """Begin the axis anew."""
        self.start, self.step, self.count = now, 1.0, 0
        self._lanes.clear()

    def forget(self, place: int) -> None:
        """Drop a lane."""
        self._lanes.pop(place, None)

    def _halve(self) -> None:
        self.step *= 2
        for place, lane in self._lanes.items():
            pairs = zip_longest(lane[::2], lane[1::2], fillvalue=0)
            self._lanes[place] = bytearray(_merged(first, second) for first, second in pairs)


def _merged(first: int, second: int) -> int:
    """Return what stands for two states, one after the other."""
    highest = max(first, second)
    return highest if highest >= _STICKY else second or first
