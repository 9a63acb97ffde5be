"""Target transforms: what a model learns instead of the values, and the way back to them.

Each takes whole series that lie one after the other, and keeps for each series what it needs to
undo itself. Missing values stay missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from dmlkit.errors import ConfigurationError, nearest
from dmlkit.features.step import check_keys

__all__ = [
    "Differences",
    "LocalBoxCox",
    "LocalStandardScaler",
    "Log1p",
    "TargetTransform",
    "apply_all",
    "transform_from_dict",
    "transform_to_dict",
    "undo_all",
]


class TargetTransform(Protocol):
    """A transform of series, and its inverse for forecasts."""

    kind: ClassVar[str]

    def apply(self, values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the transformed values, and a row for each series to undo it with.

        Parameters
        ----------
        values : (n,) float64 array
        starts : (series + 1,) int64 array
        """
        ...

    def undo(self, forecasts: np.ndarray, state: np.ndarray, point: int) -> np.ndarray:
        """Return forecasts on the scale before the transform.

        Parameters
        ----------
        forecasts : (series, horizon, k) float64 array
        state : (series, m) float64 array
        point : int
            Which of the k is the series' expected course, on which later steps build.
        """
        ...


@dataclass(frozen=True)
class Differences:
    """The difference to the value `lag` rows before; with several lags, one after the other.

    Where the value before is missing, the one a lag earlier stands in when it is undone.

    Examples
    --------
    >>> import numpy as np
    >>> values, state = Differences(2).apply(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 4]))
    >>> values.tolist(), state.tolist()
    ([nan, nan, 3.0, 6.0], [[4.0, 8.0]])
    """

    kind: ClassVar[str] = "differences"

    lag: int

    def __post_init__(self) -> None:
        if not isinstance(self.lag, int) or self.lag < 1:
            raise ConfigurationError(f"Differences over {self.lag!r} rows: write a lag from 1.")

    def apply(self, values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the differences, and the last `lag` values of each series."""
        lag = self.lag
        changed = np.full(len(values), np.nan)
        changed[lag:] = values[lag:] - values[:-lag]
        place = np.arange(len(values)) - np.repeat(starts[:-1], np.diff(starts))
        changed[place < lag] = np.nan
        return changed, self._latest(values, starts)

    def undo(self, forecasts: np.ndarray, state: np.ndarray, point: int) -> np.ndarray:
        """Add each forecast to the value `lag` rows before, or to what was forecast for it."""
        undone = np.empty_like(forecasts)
        for step in range(forecasts.shape[1]):
            before = step - self.lag
            base = state[:, step] if before < 0 else undone[:, before, point]
            undone[:, step] = forecasts[:, step] + base[:, None]
        return undone

    def _latest(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return the newest known value of each of the last `lag` places, going back by lags."""
        lag, stops = self.lag, starts[1:]
        latest = np.full((len(stops), lag), np.nan)
        for back in range(1, int(np.diff(starts).max(initial=0)) // lag + 2):
            place = stops[:, None] - back * lag + np.arange(lag)
            wanted = np.isnan(latest) & (place >= starts[:-1, None])
            if not wanted.any():
                break
            latest[wanted] = values[place[wanted]]
        known = np.isfinite(values)
        mean = _sums(np.where(known, values, 0.0), starts) / np.maximum(_sums(known, starts), 1)
        return np.where(np.isnan(latest), mean[:, None], latest)


@dataclass(frozen=True)
class LocalStandardScaler:
    """Each series less its mean, divided by its standard deviation (1 where it is constant)."""

    kind: ClassVar[str] = "standard_scaler"

    def apply(self, values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scaled values, and mean and deviation of each series."""
        known = np.isfinite(values)
        count = np.maximum(_sums(known, starts), 1)
        mean = _sums(np.where(known, values, 0.0), starts) / count
        apart = values - np.repeat(mean, np.diff(starts))
        spread = np.sqrt(_sums(np.where(known, apart**2, 0.0), starts) / count)
        spread = np.where(spread > 0, spread, 1.0)
        return apart / np.repeat(spread, np.diff(starts)), np.column_stack([mean, spread])

    def undo(self, forecasts: np.ndarray, state: np.ndarray, point: int) -> np.ndarray:  # noqa: ARG002
        """Multiply by the deviation and add the mean."""
        return np.asarray(forecasts * state[:, 1, None, None] + state[:, 0, None, None])


@dataclass(frozen=True)
class Log1p:
    """``log(1 + y)``; for values below 0 (returns), ``-log(1 - y)``."""

    kind: ClassVar[str] = "log1p"

    def apply(self, values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithms; nothing is needed to undo them."""
        return np.sign(values) * np.log1p(np.abs(values)), np.empty((len(starts) - 1, 0))

    def undo(self, forecasts: np.ndarray, state: np.ndarray, point: int) -> np.ndarray:  # noqa: ARG002
        """Return the exponentials less 1."""
        return np.asarray(np.sign(forecasts) * np.expm1(np.abs(forecasts)))


@dataclass(frozen=True)
class LocalBoxCox:
    """Box and Cox's power of ``1 + y``, the likeliest for each series out of 0, 0.1, ... 1.

    Needs values from 0 on; those below (returns) are taken for 0.

    References
    ----------
    Box, Cox: *An Analysis of Transformations*. JRSS B 26, 1964.
    """

    kind: ClassVar[str] = "box_cox"

    def apply(self, values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the powers of the values, and the exponent of each series."""
        lengths = np.diff(starts)
        powers = np.linspace(0, 1, 11)
        likelihoods = np.stack([_box_cox_likelihood(values, starts, p) for p in powers])
        chosen = powers[likelihoods.argmax(axis=0)]
        return _box_cox(values, np.repeat(chosen, lengths)), chosen[:, None]

    def undo(self, forecasts: np.ndarray, state: np.ndarray, point: int) -> np.ndarray:  # noqa: ARG002
        """Return the values whose powers they are; 0 where there are none."""
        power = state[:, 0, None, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            base = np.maximum(power * forecasts + 1, 0.0)
            undone = np.where(power == 0, np.exp(forecasts), base ** (1 / power))
        return np.asarray(undone - 1)


KINDS: dict[str, Any] = {
    each.kind: each for each in (Differences, LocalStandardScaler, Log1p, LocalBoxCox)
}


def transform_from_dict(document: Mapping[str, Any]) -> TargetTransform:
    """Make a transform from what `transform_to_dict` returned, or from a table of a TOML file.

    Raises
    ------
    ConfigurationError
        The kind is unknown, or a key is.
    """
    kind = document.get("kind")
    if kind not in KINDS:
        guess = nearest(str(kind), KINDS)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"Unknown kind of target transform {kind!r}{hint}. Known: {', '.join(KINDS)}."
        )
    made: TargetTransform = KINDS[kind](**check_keys(KINDS[kind], document))
    return made


def transform_to_dict(transform: Any) -> dict[str, Any]:
    """Return a transform as JSON-able values."""
    return {"kind": transform.kind, **asdict(transform)}


def apply_all(
    transforms: Sequence[TargetTransform], values: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Apply transforms one after the other; return the values and the states, in that order."""
    states = []
    for transform in transforms:
        values, state = transform.apply(values, starts)
        states.append(state)
    return values, states


def undo_all(
    transforms: Sequence[TargetTransform],
    forecasts: np.ndarray,
    states: Sequence[np.ndarray],
    point: int,
) -> np.ndarray:
    """Undo transforms, the last one first."""
    for transform, state in zip(reversed(transforms), reversed(states), strict=True):
        forecasts = transform.undo(forecasts, state, point)
    return forecasts


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the sum of each series."""
    if len(starts) < 2:
        return np.zeros(0)
    return np.add.reduceat(np.asarray(values, dtype=np.float64), starts[:-1])


def _box_cox(values: np.ndarray, power: Any) -> np.ndarray:
    base = 1 + np.maximum(values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        powers = (base**power - 1) / power
    return np.where(power == 0, np.log(base), powers)


def _box_cox_likelihood(values: np.ndarray, starts: np.ndarray, power: float) -> np.ndarray:
    """Return the log-likelihood of each series, but for what is the same for all exponents."""
    known = np.isfinite(values)
    count = np.maximum(_sums(known, starts), 1)
    changed = np.where(known, _box_cox(values, power), 0.0)
    mean = _sums(changed, starts) / count
    apart = np.where(known, changed - np.repeat(mean, np.diff(starts)), 0.0)
    variance = _sums(apart**2, starts) / count
    logs = _sums(np.where(known, np.log1p(np.maximum(values, 0.0)), 0.0), starts)
    with np.errstate(divide="ignore"):
        return np.asarray((power - 1) * logs - count / 2 * np.log(np.maximum(variance, 1e-300)))
