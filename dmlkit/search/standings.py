"""Which trials go on at each rung, told only when no trial still to come can change it.

Nothing in here knows of Optuna or of models: trials are numbers, and have scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Standings"]


@dataclass
class Standings:
    """The scores of trials at each rung; the best one of `factor` go on, and at least one.

    A trial goes on when it is among the best however those will do that have not arrived yet, and
    is given up when it cannot be. So who goes on depends neither on which trials arrive first nor
    on how many are trained side by side, and nobody waits for the last of a rung without need.

    Parameters
    ----------
    rungs : int
        How many there are at which trials are compared.
    factor : int
        One of so many goes on.
    higher_is_better : bool

    Examples
    --------
    >>> standings = Standings(rungs=1, factor=3, higher_is_better=True)
    >>> standings.begin(0), standings.begin(0)
    (None, None)
    >>> standings.arrive(0, 0, 0.8)
    >>> standings.going_on(to_begin=1) is None  # two more may be better
    True
    >>> standings.arrive(1, 0, 0.7)
    >>> standings.given_up(to_begin=1)
    [1]
    >>> standings.going_on(to_begin=0)
    (0, 0)
    """

    rungs: int
    factor: int
    higher_is_better: bool
    _arrived: list[dict[int, float]] = field(init=False)
    _under_way: list[int] = field(init=False)
    _settled: list[set[int]] = field(init=False)

    def __post_init__(self) -> None:
        self._arrived = [{} for _ in range(self.rungs)]
        self._settled = [set() for _ in range(self.rungs)]
        self._under_way = [0] * (self.rungs + 1)

    def begin(self, rung: int) -> None:
        """Take note of a trial that is under way to a rung, or beyond the last one to the end."""
        self._under_way[rung] += 1

    def leave(self, rung: int) -> None:
        """Take note of one that was, and failed or stopped before it got there."""
        self._under_way[rung] -= 1

    def arrive(self, number: int, rung: int, score: float) -> None:
        """Take note of one that got there."""
        self._under_way[rung] -= 1
        self._arrived[rung][number] = score

    def recall(self, number: int, rung: int, score: float, *, settled: bool) -> None:
        """Take note of one that got there in a search that was stopped; `settled` if it is over."""
        self._arrived[rung][number] = score
        if settled:
            self._settled[rung].add(number)

    def going_on(self, to_begin: int) -> tuple[int, int] | None:
        """Return the number of a trial that goes on and the rung where it stands, or None.

        Of several it is one at the highest rung, which has the longest way to go.

        Parameters
        ----------
        to_begin : int
            Trials that are not under way yet.
        """
        for rung in reversed(range(self.rungs)):
            to_come = self._to_come(rung, to_begin)
            places = self._places(len(self._arrived[rung]))
            for number in self._best_first(rung)[: max(0, places - to_come)]:
                if number not in self._settled[rung]:
                    self._settled[rung].add(number)
                    return number, rung
        return None

    def given_up(self, to_begin: int) -> list[int]:
        """Return the numbers of trials that are to be given up, each only once."""
        found = []
        for rung in range(self.rungs):
            places = self._places(len(self._arrived[rung]) + self._to_come(rung, to_begin))
            behind = self._best_first(rung)[places:]
            found += [number for number in behind if number not in self._settled[rung]]
            self._settled[rung].update(behind)
        return found

    def _places(self, trials: int) -> int:
        return max(1, trials // self.factor) if trials else 0

    def _to_come(self, rung: int, to_begin: int) -> int:
        """Return how many trials may still arrive at a rung, at most."""
        if rung == 0:
            return to_begin + self._under_way[0]
        below = rung - 1
        to_come = self._to_come(below, to_begin)
        places = self._places(len(self._arrived[below]) + to_come)
        waiting = {*self._best_first(below)[:places]} - self._settled[below]
        return self._under_way[rung] + min(places, len(waiting) + to_come)

    def _best_first(self, rung: int) -> Sequence[int]:
        sign = -1 if self.higher_is_better else 1
        arrived = self._arrived[rung]
        return sorted(arrived, key=lambda number: (sign * arrived[number], number))
