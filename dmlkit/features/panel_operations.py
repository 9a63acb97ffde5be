"""What `PanelLags` takes of the rows before a row: read from text, and written for kernels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dmlkit.errors import ConfigurationError, nearest
from dmlkit.features import panel_kernels as kernels

__all__ = ["LagFeature", "Program", "lag_features", "program_of"]

#: Of each operation: its code, which of its values, and what stands behind its name.
OPERATIONS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "rolling_mean": (kernels.MOMENTS, 0, ("window",)),
    "rolling_std": (kernels.MOMENTS, 1, ("window",)),
    "rolling_min": (kernels.MIN, 0, ("window",)),
    "rolling_max": (kernels.MAX, 0, ("window",)),
    "rolling_quantile": (kernels.QUANTILE, 0, ("level", "window")),
    "seasonal_rolling_mean": (kernels.MOMENTS, 0, ("season", "window")),
    "seasonal_rolling_std": (kernels.MOMENTS, 1, ("season", "window")),
    "seasonal_rolling_min": (kernels.MIN, 0, ("season", "window")),
    "seasonal_rolling_max": (kernels.MAX, 0, ("season", "window")),
    "expanding_mean": (kernels.EXPANDING_MEAN, 0, ()),
    "ewm_mean": (kernels.EWM_MEAN, 0, ("alpha",)),
    "difference": (kernels.DIFFERENCE, 0, ("window",)),
}

EXAMPLES = "'rolling_mean:28', 'seasonal_rolling_mean:7:4', 'ewm_mean:0.3', 'expanding_mean'"


@dataclass(frozen=True)
class LagFeature:
    """One feature: an operation on the rows up to `lag` rows before a row.

    Attributes
    ----------
    lag : int
        In rows, at least 1.
    text : str
        Such as ``"rolling_mean:28"``; empty for the value itself.
    """

    lag: int
    text: str = ""

    def __post_init__(self) -> None:
        whole = isinstance(self.lag, int) and not isinstance(self.lag, bool)
        if not whole or self.lag < 1:
            raise ConfigurationError(
                f"The lag {self.lag!r} is no whole number of rows from 1: a feature may not see "
                "the value that is to be forecast."
            )
        self.parse()

    def parse(self) -> tuple[int, int, dict[str, float]]:
        """Return the code of the operation, which of its values, and its numbers by name.

        Raises
        ------
        ConfigurationError
            There is no such operation, or its numbers are wrong.
        """
        if not self.text:
            return kernels.VALUE, 0, {}
        name, *given = self.text.split(":")
        if name not in OPERATIONS:
            guess = nearest(name, OPERATIONS)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(
                f"Unknown operation {self.text!r} on a lag{hint}. Known: {', '.join(OPERATIONS)}; "
                f"written as {EXAMPLES}."
            )
        code, which, names = OPERATIONS[name]
        if len(given) != len(names):
            raise ConfigurationError(
                f"{self.text!r}: {name} takes {' and '.join(names) or 'no number'} "
                f"({':'.join([name, *(part.upper() for part in names)])})."
            )
        numbers = {part: self._number(part, text) for part, text in zip(names, given, strict=True)}
        return code, which, numbers

    def _number(self, part: str, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = np.nan
        if part in ("window", "season"):
            fine, allowed = number >= 1 and number == int(number), "a whole number of rows from 1"
        else:
            fine, allowed = 0 <= number <= 1, "a number from 0 to 1"
        if not fine:
            raise ConfigurationError(f"{self.text!r}: {part} is {text!r}; write {allowed}.")
        return number

    def name(self, value: str) -> str:
        """Return the name of the feature's column."""
        return "_".join([f"{value}_lag{self.lag}", *self.text.split(":")]).removesuffix("_")

    @property
    def window(self) -> int:
        """How many values the operation takes, where it takes a fixed number of them."""
        code, _, numbers = self.parse()
        return 1 if code == kernels.DIFFERENCE else int(numbers.get("window", 1))

    @property
    def reach(self) -> int:
        """How many rows back the oldest one is that the feature looks at, at least."""
        code, _, numbers = self.parse()
        window = int(numbers.get("window", 1)) + (code == kernels.DIFFERENCE)
        return self.lag + int(numbers.get("season", 1)) * (window - 1)


@dataclass(frozen=True)
class Program:
    """Features as the kernels take them (see `dmlkit.features.panel_kernels.panel_features`).

    Attributes
    ----------
    operations : (k, 3) int64 array
    parameters : (k,) float64 array
    targets : (f, 5) int64 array
        In the order of operations; the last column tells where in the declared order each stands.
    """

    operations: np.ndarray
    parameters: np.ndarray
    targets: np.ndarray


def lag_features(
    lags: Iterable[int], transforms: Mapping[int, Sequence[str]]
) -> tuple[LagFeature, ...]:
    """Return all features, in the order declared.

    Examples
    --------
    >>> [feature.name("y") for feature in lag_features([7], {28: ["rolling_mean:7"]})]
    ['y_lag7', 'y_lag28_rolling_mean_7']
    """
    plain = [LagFeature(lag) for lag in lags]
    return (*plain, *(LagFeature(lag, text) for lag, texts in transforms.items() for text in texts))


def program_of(features: Sequence[LagFeature], min_samples: int | None = None) -> Program:
    """Write features for the kernels: what two of them share is computed once.

    Parameters
    ----------
    features : sequence of LagFeature
    min_samples : int, optional
        Values that a window must have; as many as it is long without it.
    """
    found: dict[tuple[int, int, int, float], list[tuple[int, int, int, int]]] = {}
    for place, feature in enumerate(features):
        code, which, numbers = feature.parse()
        window, season = int(numbers.get("window", 1)), int(numbers.get("season", 1))
        parameter = numbers.get("level", numbers.get("alpha", 0.0))
        least = feature.window if min_samples is None else min(min_samples, feature.window)
        targets = found.setdefault((code, window, season, parameter), [])
        targets.append((which, feature.lag, least, place))
    rows = [
        (number, *target) for number, targets in enumerate(found.values()) for target in targets
    ]
    return Program(
        operations=np.array([key[:3] for key in found], dtype=np.int64).reshape(-1, 3),
        parameters=np.array([key[3] for key in found], dtype=np.float64),
        targets=np.array(rows, dtype=np.int64).reshape(-1, 5),
    )
