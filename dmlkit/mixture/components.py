"""The components of a Gaussian mixture: how dense rows are in each. Arrays only."""

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import logsumexp

from dmlkit.errors import TrainingError

__all__ = [
    "KINDS",
    "Components",
    "factors_of_covariances",
    "factors_of_precisions",
    "log_densities",
    "responsibilities",
    "shape_of",
]

Array = NDArray[np.float64]

#: How covariances are kept: a matrix a component, one for all, a variance a column, or one number.
KINDS = ("full", "tied", "diag", "spherical")


class Components(NamedTuple):
    """A mixture.

    Attributes
    ----------
    weights : (components,) array
    means : (components, features) array
        About some origin.
    factors : array
        Of precisions: each is a factor times its transpose. Shaped by the kind as `shape_of` tells.
    kind : str
    """

    weights: Array
    means: Array
    factors: Array
    kind: str

    def factor(self, number: int) -> Array:
        """Return the factor of one component: a matrix, a vector or a number."""
        factor: Array = self.factors if self.kind == "tied" else self.factors[number]
        return factor


def shape_of(kind: str, components: int, features: int) -> tuple[int, ...]:
    """Return the shape of covariances and precisions, which is scikit-learn's.

    Examples
    --------
    >>> [shape_of(kind, 2, 3) for kind in KINDS]
    [(2, 3, 3), (3, 3), (2, 3), (2,)]
    """
    shapes: dict[str, tuple[int, ...]] = {
        "full": (components, features, features),
        "tied": (features, features),
        "diag": (components, features),
        "spherical": (components,),
    }
    return shapes[kind]


def factors_of_covariances(covariances: Array, kind: str) -> Array:
    """Return factors of the precisions that belong to covariances.

    Raises
    ------
    TrainingError
        A covariance has no extent in some direction.
    """
    try:
        if kind == "full":
            return np.array([_factor(each) for each in covariances])
        if kind == "tied":
            return _factor(covariances)
    except scipy.linalg.LinAlgError as error:
        raise _flat() from error
    if not (covariances > 0).all():
        raise _flat()
    return 1 / np.sqrt(covariances)


def factors_of_precisions(precisions: Array, kind: str) -> Array:
    """Return factors of precisions.

    Raises
    ------
    TrainingError
        A precision is none.
    """
    try:
        if kind in ("full", "tied"):
            return np.asarray(np.linalg.cholesky(precisions), dtype=np.float64)
    except np.linalg.LinAlgError as error:
        raise TrainingError("precisions_init must be positive definite.") from error
    if not (precisions > 0).all():
        raise TrainingError("precisions_init must be above 0.")
    return np.sqrt(precisions)


def log_densities(rows: Array, components: Components) -> Array:
    """Return the logarithm of each component's weighted density, as (n, components)."""
    features = rows.shape[1]
    found = np.empty((len(rows), len(components.weights)))
    for number, mean in enumerate(components.means):
        factor = components.factor(number)
        apart = rows - mean
        scaled = apart @ factor if factor.ndim == 2 else apart * factor
        found[:, number] = _log_size(factor, features) - np.square(scaled).sum(axis=1) / 2
    weights: Array = np.log(components.weights) - features * np.log(2 * np.pi) / 2
    return found + weights


def responsibilities(densities: Array) -> tuple[Array, Array]:
    """Return the logarithm of each row's density, and what share each component has in it."""
    together = logsumexp(densities, axis=1)
    return together, np.exp(densities - together[:, None])


def _factor(covariance: Array) -> Array:
    lower = scipy.linalg.cholesky(covariance, lower=True)
    factor: Array = scipy.linalg.solve_triangular(lower, np.eye(len(lower)), lower=True).T
    return factor


def _log_size(factor: Any, features: int) -> float:
    """Return half the logarithm of the determinant of a precision."""
    if factor.ndim == 2:
        return float(np.log(np.diag(factor)).sum())
    return float(np.log(factor).sum()) if factor.ndim else features * float(np.log(factor))


def _flat() -> TrainingError:
    return TrainingError(
        "A component shrank to fewer dimensions than there are columns. Lower n_components, leave "
        "out columns that say the same, or raise reg_covar."
    )
