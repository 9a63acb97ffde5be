"""`PolynomialFeatures`: columns multiplied with each other, and with themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations, combinations_with_replacement
from math import comb
from typing import ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing.columns import framed, numbers_in
from dmlkit.preprocessing.learning import Learning
from dmlkit.preprocessing.transformer import Transformer

__all__ = ["PolynomialFeatures"]

#: More columns than this are no frame.
MOST_COLUMNS = 10_000


@dataclass(eq=False)
class PolynomialFeatures(Transformer):
    """Interactions: products of up to so many columns, with their powers or without.

    Parameters
    ----------
    degree : int
        Factors of a product, at most.
    interaction_only : bool
        Whether a column is in a product once at most.
    include_bias : bool
        Whether a column of ones comes first.

    Notes
    -----
    Equal to scikit-learn's; a product with a missing value is missing. The table is not read to
    `fit`.

    Examples
    --------
    >>> table = pd.DataFrame({"speed": [2.0], "load": [3.0]})
    >>> PolynomialFeatures(interaction_only=True, include_bias=False).fit_transform(table)
       speed  load  speed load
    0    2.0   3.0         6.0
    """

    kind: ClassVar[str] = "polynomial_features"

    degree: int = 2
    interaction_only: bool = False
    include_bias: bool = True

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for nothing."""
        if not self.degree >= 1:
            raise ConfigurationError(f"degree is {self.degree}; it must be 1 or more.")
        more = 0 if self.interaction_only else self.degree - 1
        count = comb(len(columns) + more, min(self.degree, len(columns) + more))
        if count > MOST_COLUMNS:
            raise InputError(
                f"{len(columns):,} columns have {count:,} products of {self.degree}. Name fewer "
                "columns, lower degree, or set interaction_only."
            )
        yield from ()

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Multiply the columns of a part."""
        values = numbers_in(part)
        products = self._products()
        made = np.empty((len(part), len(products)))
        for place, factors in enumerate(products):
            made[:, place] = values[:, list(factors)].prod(axis=1)
        return framed(made, part, self.output_names())

    def output_names(self) -> list[str]:
        """Return ``1``, ``{column}``, ``{column}^2``, ``{column} {column}`` and so on."""
        return [self._named(factors) for factors in self._products()]

    def _products(self) -> list[tuple[int, ...]]:
        draw = combinations if self.interaction_only else combinations_with_replacement
        degrees = range(0 if self.include_bias else 1, self.degree + 1)
        places = range(len(self._columns()))
        return list(chain.from_iterable(draw(places, degree) for degree in degrees))

    def _named(self, factors: tuple[int, ...]) -> str:
        names, powers = self._columns(), {place: factors.count(place) for place in factors}
        told = [names[each] + (f"^{power}" if power > 1 else "") for each, power in powers.items()]
        return " ".join(told) or "1"
