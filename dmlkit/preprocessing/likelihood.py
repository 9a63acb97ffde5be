"""The power that makes a column most like a normal one: likelihoods, and the search among them."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.preprocessing.learning import Question, ask
from dmlkit.preprocessing.powers import logarithms, powered
from dmlkit.preprocessing.statistics import Moments, numbers_of

__all__ = ["LikelihoodsOf", "best_power"]

Array = NDArray[np.float64]

#: Powers that are looked at first; 1 leaves a column as it is.
FIRST_POWERS = np.array([-4, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=np.float64)

#: Powers of a further pass. A polynomial through all of them tells where the best is, and how far
#: it is off by how far one through fewer of them is away.
POINTS, FEWER = 7, 5

#: How far a power may be off, and passes that are enough in any case.
CLOSE, MOST_PASSES = 1e-8, 30

#: Beyond this logarithm a square is more than a float64 can hold, with room for rows to add up.
LARGEST = 336.0


class Likelihoods(NamedTuple):
    """What the likelihood of some powers needs of a column, and moments of the column at each."""

    rows: int
    logarithms: float
    mean: Array
    squares: Array

    def of(self, powers: Array) -> Array:
        """Return the logarithm of each power's likelihood; minus infinity where it has none."""
        with np.errstate(all="ignore"):
            spread = -self.rows / 2 * np.log(self.squares / self.rows)
            found = spread + (powers - 1) * self.logarithms
        return np.where(np.isfinite(found), found, -np.inf)


@dataclass(frozen=True)
class LikelihoodsOf:
    """The likelihood of a column's being normal after each of some powers.

    References
    ----------
    Box, Cox: *An Analysis of Transformations*. Journal of the Royal Statistical Society B 26, 1964.
    """

    column: str
    method: str
    origin: float
    powers: tuple[float, ...]

    def of(self, part: pd.DataFrame) -> Likelihoods:
        """Take it of a part."""
        values = numbers_of(part[self.column])
        values = values[~np.isnan(values)]
        if not len(values):
            nothing = np.zeros(len(self.powers))
            return Likelihoods(0, 0.0, nothing, nothing)
        with np.errstate(all="ignore"):
            found = logarithms(values, self.origin, self.method)
            taken = [powered(values, each, self.origin, self.method) for each in self.powers]
            both = [_mean_and_squares(each) for each in taken]
        mean, squares = np.array(both).T
        return Likelihoods(len(values), float(found.sum()), mean, squares)

    def add(self, states: Sequence[Likelihoods]) -> Likelihoods:
        """Add up about the common means (Chan, Golub, LeVeque)."""
        counted = [state for state in states if state.rows]
        if not counted:
            return states[0]
        rows = sum(state.rows for state in counted)
        first = counted[0].mean
        with np.errstate(all="ignore"):  # what is too large has no likelihood in the end
            moved = [state.rows * (state.mean - first) for state in counted]
            mean = first + np.sum(moved, axis=0) / rows
            squares = [each.squares + each.rows * (each.mean - mean) ** 2 for each in counted]
        total = sum(state.logarithms for state in counted)
        return Likelihoods(rows, total, mean, np.sum(squares, axis=0))

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"likelihoods of {len(self.powers)} powers of {self.column}"


def best_power(
    asked: LikelihoodsOf, moments: Moments
) -> Generator[list[Question], list[Any], float]:
    """Ask for likelihoods of more and more narrow ranges of powers, until the best is known.

    Parameters
    ----------
    asked : LikelihoodsOf
        Of no powers yet.
    moments : Moments
        Of the column.
    """
    low, high = _bounds(asked.method, moments)
    left, right = yield from _bracket(asked, low, high)
    best = left
    for _ in range(MOST_PASSES):
        powers = np.linspace(left, right, POINTS)
        likelihoods = yield from _likelihoods(asked, powers)
        place, width = int(np.argmax(likelihoods)), right - left
        best = _summit(powers, likelihoods)
        start = min(max(place - FEWER // 2, 0), POINTS - FEWER)
        fewer = slice(start, start + FEWER)
        off = abs(best - _summit(powers[fewer], likelihoods[fewer]))
        inside = 0 < place < POINTS - 1
        if off <= CLOSE and (inside or best in (low, high)):
            break
        room = min(max(10 * off, 1e-3 * width), width / (POINTS - 1)) if inside else width
        left, right = max(best - room, low), min(best + room, high)
    return best


def _bracket(
    asked: LikelihoodsOf, low: float, high: float
) -> Generator[list[Question], list[Any], tuple[float, float]]:
    """Ask for a range that has the best power in it, going on outwards where it is beyond."""
    powers = np.unique(np.clip(FIRST_POWERS, low, high))
    while True:
        likelihoods = yield from _likelihoods(asked, powers)
        place = int(np.argmax(likelihoods))
        power = float(powers[place])
        beyond = place == 0 or place == len(powers) - 1
        if not beyond or power in (low, high):
            return float(powers[max(place - 1, 0)]), float(powers[min(place + 1, len(powers) - 1)])
        steps = 2.0 ** np.arange(-1, 7) * (1 if place else -1)
        inner = powers[place - 1] if place else powers[1]
        powers = np.unique(np.clip([inner, power, *(power + steps)], low, high))


def _likelihoods(
    asked: LikelihoodsOf, powers: Array
) -> Generator[list[Question], list[Any], Array]:
    (found,) = yield from ask(replace(asked, powers=tuple(powers.tolist())))
    likelihoods: Array = found.of(powers)
    return likelihoods


def _bounds(method: str, moments: Moments) -> tuple[float, float]:
    """Return the powers within which numbers, squared, are no larger than a float64 can be."""
    ends = np.array([moments.minimum, moments.maximum])
    if method == "box-cox":
        most = LARGEST / max(np.abs(np.log(ends)).max(), 1e-3)
        return -most, most
    most = LARGEST / max(np.log1p(np.abs(ends)).max(), 1e-3)
    low = 2 - most if moments.minimum < 0 else -most
    high = 2 + most if moments.maximum < 0 else most
    return min(low, high), max(low, high)


def _summit(powers: Array, likelihoods: Array) -> float:
    """Return where a polynomial through likelihoods is highest, within its range."""
    best = float(powers[np.argmax(likelihoods)])
    if not np.isfinite(likelihoods).all():
        return best
    middle, half = (powers[0] + powers[-1]) / 2, (powers[-1] - powers[0]) / 2
    if half == 0:
        return best
    curve = np.polynomial.Polynomial.fit(
        (powers - middle) / half, likelihoods - likelihoods.max(), len(powers) - 1, domain=[-1, 1]
    )
    turns = curve.deriv().roots()
    real = turns[np.abs(turns.imag) < 1e-9].real
    candidates = np.array([*real[np.abs(real) <= 1], -1.0, 1.0])
    return float(middle + half * candidates[np.argmax(curve(candidates))])


def _mean_and_squares(values: Array) -> tuple[float, float]:
    mean = float(values.mean())
    return mean, float(np.square(values - mean).sum())
