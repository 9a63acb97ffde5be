"""`TruncatedSVD`: the largest singular vectors of a table, which is not centred, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from dmlkit.decomposition.principal import with_signs
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing import Transformer
from dmlkit.preprocessing.columns import numbers_in
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.statistics import CovariancesOf

__all__ = ["TruncatedSVD"]


@dataclass(eq=False)
class TruncatedSVD(Transformer):
    """Project rows onto the largest singular vectors: of words' weights, latent semantic analysis.

    Products of columns are added up over the partitions, and the client finds their eigenvectors:
    one pass, and memory that grows with the square of the columns.

    Parameters
    ----------
    n_components : int
        Fewer than there are columns, or as many.

    Attributes
    ----------
    components_ : (n_components, features) list of lists
        The sign is scikit-learn's: the largest entry of each is positive.
    explained_variance_, explained_variance_ratio_, singular_values_ : (n_components,) array

    Notes
    -----
    Equal to ``sklearn.decomposition.TruncatedSVD(algorithm="arpack")`` within 1e-8 of the largest
    value, on any partitions, where singular values are apart and above 1e-6 of the largest.

    References
    ----------
    Halko, Martinsson, Tropp: *Finding Structure with Randomness*. SIAM Review 53, 2011 (what it is
    for; here it is exact).

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
    >>> TruncatedSVD(n_components=1).fit_transform(table)["truncatedsvd0"].round(3).tolist()
    [2.236, 4.472, 6.708]
    """

    kind: ClassVar[str] = "truncated_svd"
    learned: ClassVar[tuple[str, ...]] = (
        "components_",
        "explained_variance_",
        "explained_variance_ratio_",
        "singular_values_",
    )

    n_components: int = 2

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the products of the columns."""
        if not 1 <= self.n_components <= len(columns):
            raise ConfigurationError(
                f"n_components is {self.n_components}; of {len(columns)} columns it must be from 1 "
                f"to {len(columns)}."
            )
        (found,) = yield from ask(CovariancesOf(tuple(columns)))
        if not found.rows:
            raise InputError("TruncatedSVD needs rows. Look at the filters before it.")
        squares, vectors = np.linalg.eigh(
            found.products + found.rows * np.outer(found.mean, found.mean)
        )
        components = with_signs(vectors[:, ::-1].T)[: self.n_components]
        variances = np.einsum("ij,jk,ik->i", components, found.products, components) / found.rows
        self.components_ = components.tolist()
        self.singular_values_ = np.sqrt(np.maximum(squares[::-1], 0))[: self.n_components]
        self.explained_variance_ = variances
        spread = np.trace(found.products) / found.rows
        self.explained_variance_ratio_ = variances / max(spread, 1e-300)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Project a part onto the components."""
        projected = numbers_in(part) @ np.asarray(self.components_).T
        return pd.DataFrame(projected, index=part.index, columns=self.output_names())

    def output_names(self) -> list[str]:
        """Return ``truncatedsvd0``, ``truncatedsvd1`` ..."""
        return [f"truncatedsvd{number}" for number in range(len(self.components_))]
