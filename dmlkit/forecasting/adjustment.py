"""The linear algebra of reconciliation: forecasts of series and of their sums made to add up.

With C the matrix that takes from the forecast of each sum those of its series, and W the
covariance of errors, forecasts f become ``f - W C' (C W C')^-1 C f``. MinT is mostly written as
``S (S' W^-1 S)^-1 S' W^-1 f``, which is the same; but this has as many unknowns as there are sums,
and needs no dense W.

References
----------
Wickramasuriya, Athanasopoulos, Hyndman: *Optimal Forecast Reconciliation for Hierarchical and
Grouped Time Series Through Trace Minimization*. JASA 114, 2019.
Schaefer, Strimmer: *A Shrinkage Approach to Large-Scale Covariance Matrix Estimation*. 2005.
"""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

__all__ = ["adjusted", "error_variances", "shrinkage", "shrunk"]

#: Of the mean variance: no series is taken for more certain than that.
LEAST = 1e-8


def adjusted(
    forecasts: np.ndarray, sums: Any, variances: np.ndarray, factor: np.ndarray | None = None
) -> np.ndarray:
    """Return forecasts of series that, added up, are nearest to all forecasts.

    Parameters
    ----------
    forecasts : (sums + series, steps) float64 array
        Of the sums first.
    sums : (sums, series) sparse matrix
    variances : (sums + series,) float64 array
        Of the errors; only their ratios matter.
    factor : (sums + series, m) float64 array, optional
        ``factor @ factor.T`` is added to the covariance of the errors.

    Returns
    -------
    (series, steps) float64 array
    """
    count = sums.shape[0]
    above, below = forecasts[:count], forecasts[count:]
    own = np.maximum(variances, LEAST * variances.mean())
    apart = above - sums @ below
    weighted = sums.multiply(own[count:])  # sums @ diag(own)
    system = splu(sparse.csc_matrix(sparse.diags(own[:count]) + weighted @ sums.T))
    found = system.solve(apart)
    if factor is None:
        return np.asarray(below + weighted.T @ found)
    # Woodbury's identity: the factor has few columns.
    difference = factor[:count] - sums @ factor[count:]
    solved = system.solve(difference)
    inner = np.eye(factor.shape[1]) + difference.T @ solved
    found = found - solved @ np.linalg.solve(inner, difference.T @ found)
    return np.asarray(below + weighted.T @ found - factor[count:] @ (difference.T @ found))


def error_variances(errors: np.ndarray) -> np.ndarray:
    """Return the mean square of each series' known errors: an (n,) float64 array."""
    known = np.isfinite(errors)
    count = np.maximum(known.sum(axis=1), 1)
    return np.asarray((np.where(known, errors, 0.0) ** 2).sum(axis=1) / count)


def shrunk(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variances and a factor whose covariance is the sample's, shrunk to its diagonal.

    Parameters
    ----------
    errors : (n, m) float64 array
        Missing ones say nothing about how series go together.
    """
    variances = error_variances(errors)
    intensity = shrinkage(errors)
    share = np.sqrt((1 - intensity) / errors.shape[1])
    return intensity * variances, share * np.where(np.isfinite(errors), errors, 0.0)


def shrinkage(errors: np.ndarray) -> float:
    """Return how far a covariance is to be shrunk to its diagonal, from nearly 0 to 1.

    No matrix of all pairs is made: the sums over pairs are sums over times.
    """
    count = errors.shape[1]
    deviations = np.sqrt(error_variances(errors))[:, None]
    scaled = np.where(np.isfinite(errors), errors, 0.0) / np.where(deviations > 0, deviations, 1.0)
    squares = scaled**2
    products = (squares.sum(axis=0) ** 2 - (squares**2).sum(axis=0)).sum()
    together = ((scaled.T @ scaled) ** 2).sum() - (squares.sum(axis=1) ** 2).sum()
    if together <= 0:
        return 1.0
    noise = (products - together / count) / (count * (count - 1))
    return float(np.clip(noise / (together / count**2), LEAST, 1.0))
