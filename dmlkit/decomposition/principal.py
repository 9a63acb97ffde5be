"""`PCA`: principal components from the covariances of all rows, in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing import Transformer
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.statistics import CovariancesOf

__all__ = ["PCA", "with_signs"]


@dataclass(eq=False)
class PCA(Transformer):
    """Principal component analysis.

    Covariances about the mean are added up over the partitions, and the client finds their
    eigenvectors: one pass, and memory that grows with the square of the columns.

    Parameters
    ----------
    n_components : int, optional
        All without.
    whiten : bool
        Whether components have a variance of 1.

    Attributes
    ----------
    components_ : (n_components, features) list of lists
        The sign is scikit-learn's: the largest entry of each is positive.
    explained_variance_, explained_variance_ratio_, singular_values_ : (n_components,) array
    mean_ : (features,) float64 array

    Notes
    -----
    Equal to scikit-learn's within 1e-8 of the largest value, on any partitions, where variances
    differ by less than 1e-12 of the largest.

    References
    ----------
    Hotelling: *Analysis of a Complex of Statistical Variables into Principal Components*. 1933.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
    >>> PCA(n_components=1).fit_transform(table)["pca0"].round(3).tolist()
    [-2.236, 0.0, 2.236]
    """

    kind: ClassVar[str] = "pca"
    learned: ClassVar[tuple[str, ...]] = (
        "components_",
        "explained_variance_",
        "explained_variance_ratio_",
        "singular_values_",
        "mean_",
    )

    n_components: int | None = None
    whiten: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the covariances of the columns."""
        (found,) = yield from ask(CovariancesOf(tuple(columns)))
        count = min(len(columns), int(found.rows))
        wanted = count if self.n_components is None else self.n_components
        if not 1 <= wanted <= count:
            raise ConfigurationError(
                f"n_components is {self.n_components}; of {found.rows:,} rows with "
                f"{len(columns)} columns it must be from 1 to {count}."
            )
        if found.rows < 2:
            raise InputError("PCA needs two rows. Look at the filters before it.")
        variances, vectors = np.linalg.eigh(found.products / (found.rows - 1))
        variances = np.maximum(variances[::-1], 0)
        components = with_signs(vectors[:, ::-1].T)[:wanted]
        self.mean_ = found.mean
        self.components_ = components.tolist()
        self.explained_variance_ = variances[:wanted]
        self.explained_variance_ratio_ = variances[:wanted] / max(variances.sum(), 1e-300)
        self.singular_values_ = np.sqrt(variances[:wanted] * (found.rows - 1))

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Project a part onto the components."""
        values = part.to_numpy(dtype=np.float64, na_value=np.nan) - self.mean_
        projected = values @ np.asarray(self.components_).T
        if self.whiten:
            scale = np.sqrt(self.explained_variance_)
            projected = projected / np.where(scale > 0, scale, 1.0)
        return pd.DataFrame(projected, index=part.index, columns=self.output_names())

    def output_names(self) -> list[str]:
        """Return ``pca0``, ``pca1`` ..."""
        return [f"pca{number}" for number in range(len(self.components_))]


def with_signs(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn components so that the largest entry of each is positive."""
    largest = np.argmax(np.abs(components), axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    turned: NDArray[np.float64] = components * np.where(signs == 0, 1, signs)[:, None]
    return turned
