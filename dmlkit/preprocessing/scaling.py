"""Scalers: columns of numbers brought to a common size, each column by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError
from dmlkit.preprocessing.columns import changed, framed
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.quantiles import ask_quantiles
from dmlkit.preprocessing.statistics import MomentsOf
from dmlkit.preprocessing.transformer import Transformer

__all__ = [
    "MinMaxScaler",
    "RobustScaler",
    "StandardScaler",
    "scales_of",
    "varying",
]


def varying(
    variances: NDArray[np.float64], means: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say which columns vary; a deviation below the rounding of the mean is none."""
    return np.sqrt(variances) > rows * np.finfo(np.float64).eps * np.abs(means)


def scales_of(
    variances: NDArray[np.float64], means: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return deviations to divide by; 1 for columns that do not vary."""
    return np.where(varying(variances, means, rows), _or_one(np.sqrt(variances)), 1.0)


def _or_one(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a scale that can be divided by: a column that does not vary is only shifted."""
    usable = np.isfinite(scale) & (scale > 10 * np.finfo(np.float64).eps)
    return np.where(usable, scale, 1.0)


@dataclass(eq=False)
class StandardScaler(Transformer):
    """Subtract the mean and divide by the standard deviation.

    Parameters
    ----------
    with_mean, with_std : bool

    Attributes
    ----------
    mean_, var_, scale_ : (features,) float64 array
    n_samples_seen_ : (features,) int64 array
        Values that are not missing.

    Notes
    -----
    Equal to scikit-learn's within 1e-12 of the deviation, and so are results on other
    partitions. Missing values are left out, and stay missing.

    Examples
    --------
    >>> import pandas as pd
    >>> StandardScaler().fit_transform(pd.DataFrame({"x": [1.0, 3.0]}))["x"].tolist()
    [-1.0, 1.0]
    """

    kind: ClassVar[str] = "standard_scaler"
    learned: ClassVar[tuple[str, ...]] = ("mean_", "var_", "scale_", "n_samples_seen_")

    with_mean: bool = True
    with_std: bool = True

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the moments of each column."""
        found = yield from ask(*map(MomentsOf, columns))
        self.mean_ = np.array([moments.mean for moments in found])
        self.var_ = np.array([moments.variance for moments in found])
        self.n_samples_seen_ = np.array([moments.rows for moments in found], dtype=np.int64)
        self.scale_ = scales_of(self.var_, self.mean_, self.n_samples_seen_)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Scale a part."""
        return framed(changed(part, self._scaled), part, self._columns())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _scaled(self, values: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        if self.with_mean:
            values -= self.mean_[place]
        if self.with_std:
            values /= self.scale_[place]
        return values


@dataclass(eq=False)
class MinMaxScaler(Transformer):
    """Map the range of each column to another one.

    Parameters
    ----------
    feature_range : (float, float)
    clip : bool
        Whether rows outside of what was seen are brought into the range.

    Attributes
    ----------
    data_min_, data_max_, scale_, min_ : (features,) float64 array

    Notes
    -----
    Equal to scikit-learn's to the last bit, on any partitions.

    Examples
    --------
    >>> import pandas as pd
    >>> MinMaxScaler().fit_transform(pd.DataFrame({"x": [1.0, 2.0, 5.0]}))["x"].tolist()
    [0.0, 0.25, 1.0]
    """

    kind: ClassVar[str] = "min_max_scaler"
    learned: ClassVar[tuple[str, ...]] = ("data_min_", "data_max_", "scale_", "min_")

    feature_range: tuple[float, float] = (0, 1)
    clip: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the range of each column."""
        low, high = self.feature_range
        if low >= high:
            raise ConfigurationError(f"feature_range is {self.feature_range}; it must rise.")
        found = yield from ask(*map(MomentsOf, columns))
        self.data_min_ = np.array([moments.minimum for moments in found])
        self.data_max_ = np.array([moments.maximum for moments in found])
        self.scale_ = (high - low) / _or_one(self.data_max_ - self.data_min_)
        self.min_ = low - self.data_min_ * self.scale_

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Scale a part."""
        return framed(changed(part, self._mapped), part, self._columns())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _mapped(self, values: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        values *= self.scale_[place]
        values += self.min_[place]
        return np.clip(values, *self.feature_range, out=values) if self.clip else values


@dataclass(eq=False)
class RobustScaler(Transformer):
    """Subtract the median and divide by a range of quantiles, so that outliers don't matter.

    Parameters
    ----------
    quantile_range : (float, float)
        In percent.

    Attributes
    ----------
    center_, scale_ : (features,) float64 array

    Notes
    -----
    Quantiles are exact, which takes two passes: equal to scikit-learn's to the last bit, on any
    partitions.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 500.0]})
    >>> RobustScaler().fit_transform(table)["x"].tolist()
    [-1.0, -0.5, 0.0, 0.5, 248.5]
    """

    kind: ClassVar[str] = "robust_scaler"
    learned: ClassVar[tuple[str, ...]] = ("center_", "scale_")

    quantile_range: tuple[float, float] = (25.0, 75.0)

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the quantiles of each column."""
        low, high = self.quantile_range
        if not 0 <= low < high <= 100:
            raise ConfigurationError(
                f"quantile_range is {self.quantile_range}; it must rise within 0 and 100."
            )
        found = yield from ask_quantiles(columns, (low / 100, 0.5, high / 100))
        self.center_ = found[:, 1]
        self.scale_ = _or_one(found[:, 2] - found[:, 0])

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Scale a part."""
        return framed(changed(part, self._scaled), part, self._columns())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _scaled(self, values: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        values -= self.center_[place]
        values /= self.scale_[place]
        return values
