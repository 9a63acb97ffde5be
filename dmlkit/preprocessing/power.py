"""`PowerTransformer`: skewed columns made more like normal ones, by the likeliest power of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.preprocessing.columns import changed, framed
from dmlkit.preprocessing.learning import Learning, ask, side_by_side
from dmlkit.preprocessing.likelihood import LikelihoodsOf, best_power
from dmlkit.preprocessing.powers import powered
from dmlkit.preprocessing.scaling import scales_of, varying
from dmlkit.preprocessing.statistics import Moments, MomentsOf
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["PowerTransformer"]

Array = NDArray[np.float64]


@dataclass(eq=False)
class PowerTransformer(Transformer):
    """Take each column to the power that makes it most like a normal one.

    Parameters
    ----------
    method : {"yeo-johnson", "box-cox"}
        "box-cox" is for numbers above 0.
    standardize : bool
        Whether columns then get a mean of 0 and a deviation of 1.

    Attributes
    ----------
    lambdas_ : (features,) float64 array
        The powers; 1 for a column that does not vary.
    origins_ : (features,) float64 array
        A place amidst the rows of each column, about which it is taken: a column far from 0 loses
        no digits so. 0 for a column with both signs.
    mean_, scale_ : (features,) float64 array
        What is subtracted after, and divided by.

    Notes
    -----
    Powers are scikit-learn's within 1e-5 (where rounding leaves it a likelihood to look at), and
    the same on any partitions. The likelihood is added up for some powers of all columns at once,
    and a polynomial tells where it is largest, so that seven passes are enough for most tables.
    Missing values are left out, and stay missing.

    References
    ----------
    Yeo, Johnson: *A New Family of Power Transformations to Improve Normality or Symmetry*.
    Biometrika 87, 2000.
    Box, Cox: *An Analysis of Transformations*. Journal of the Royal Statistical Society B 26, 1964.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 4.0, 8.0, 16.0]})
    >>> PowerTransformer(method="box-cox").fit_transform(table)["x"].add(1e-9).round(3).tolist()
    [-1.414, -0.707, 0.0, 0.707, 1.414]
    """

    kind: ClassVar[str] = "power_transformer"
    learned: ClassVar[tuple[str, ...]] = ("lambdas_", "origins_", "mean_", "scale_")

    method: str = "yeo-johnson"
    standardize: bool = True

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the likelihoods of powers, and for the moments of the best."""
        check_choice("method", self.method, ("yeo-johnson", "box-cox"))
        moments = yield from ask(*map(MomentsOf, columns))
        for column, each in zip(columns, moments, strict=True):
            self._check(column, each)
        self.lambdas_ = np.ones(len(columns))
        self.origins_ = np.array([_origin(each, self.method) for each in moments])
        searches = [
            self._search(place, *each)
            for place, each in enumerate(zip(columns, moments, strict=True))
        ]
        yield from side_by_side(searches)
        self.mean_, self.scale_ = np.zeros(len(columns)), np.ones(len(columns))
        if self.standardize:
            yield from self._learn_standard(columns)

    def _learn_standard(self, columns: Sequence[str]) -> Learning:
        asked = zip(columns, self.origins_.tolist(), self.lambdas_.tolist(), strict=True)
        found = yield from ask(
            *(LikelihoodsOf(name, self.method, origin, (power,)) for name, origin, power in asked)
        )
        rows = np.array([each.rows for each in found])
        self.mean_ = np.array([each.mean[0] for each in found])
        variances = np.array([each.squares[0] for each in found]) / np.maximum(rows, 1)
        self.scale_ = scales_of(variances, self.mean_, rows)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Transform a part."""
        names = self._columns()
        # Without a standard, columns are about 0.
        origins = self.origins_ if self.standardize else self._plain_origins()

        def change(values: Array, place: int) -> Array:
            self._refuse_lowest(names[place], values)
            power, origin = self.lambdas_[place], origins[place]
            found = powered(values, power, origin, self.method)
            return (found - self.mean_[place]) / self.scale_[place]

        return framed(changed(part, change), part, names)

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _search(self, place: int, column: str, moments: Moments) -> Learning:
        spread = (np.array([each]) for each in (moments.variance, moments.mean, moments.rows))
        if varying(*spread).any():
            asked = LikelihoodsOf(column, self.method, float(self.origins_[place]), ())
            self.lambdas_[place] = yield from best_power(asked, moments)

    def _plain_origins(self) -> Array:
        return np.full(len(self.lambdas_), 1.0 if self.method == "box-cox" else 0.0)

    def _check(self, column: str, moments: Moments) -> None:
        self._refuse_lowest(column, np.array([moments.minimum]))

    def _refuse_lowest(self, name: str, numbers: Array) -> None:
        if self.method == "box-cox" and (numbers <= 0).any():
            raise InputError(
                f"Column {name!r} has values that are 0 or below, such as "
                f"{numbers[numbers <= 0][0]:g}, but Box-Cox is for numbers above 0. Take "
                "method='yeo-johnson'."
            )


def _origin(moments: Moments, method: str) -> float:
    """Return the mean of a column with one sign, and 0 for one with both."""
    one_sign = method == "box-cox" or moments.minimum >= 0 or moments.maximum < 0
    return moments.mean if one_sign and moments.rows else float(method == "box-cox")
