"""`GaussianMixture`: rows drawn from some normal distributions, which are found."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmlkit.clustering.held import Held, hold
from dmlkit.clustering.initial import initial_centres
from dmlkit.clustering.lloyd import settle
from dmlkit.declared import parameters_of, seed_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import map_rows
from dmlkit.mixture.components import (
    KINDS,
    Components,
    factors_of_covariances,
    factors_of_precisions,
    log_densities,
    responsibilities,
    shape_of,
)
from dmlkit.mixture.expectation import (
    from_clusters,
    log_likelihood,
    maximised,
    shared_out,
    spread_of,
)

__all__ = ["GaussianMixture"]

Array = NDArray[np.float64]

#: Of the k-means to start from: rows drawn a round for each component, rounds, passes, tolerance.
OVERSAMPLING, ROUNDS, PASSES, TOLERANCE = 2.0, 5, 300, 1e-4


class Grown(NamedTuple):
    """Where expectation and maximisation ended, about the mean of the table."""

    components: Components
    covariances: Array
    bounds: list[float]
    converged: bool


@dataclass(eq=False)
class GaussianMixture:
    """A mixture of normal distributions, found by expectation and maximisation.

    The rows stay on the workers as numbers; each step is one pass over them.

    Parameters
    ----------
    n_components : int
    covariance_type : {"full", "tied", "diag", "spherical"}
        A covariance matrix for each component, one for all, variances of columns, one variance.
    tol : float
        Steps that raise the mean log-likelihood by less have arrived.
    reg_covar : float
        Is added to variances, so that no component shrinks to a point.
    max_iter : int
    n_init : int
        Starts, of which the best is kept.
    weights_init, means_init, precisions_init : array-like, optional
        Where it starts. What is not given comes from k-means.
    random_state : int
        Of k-means.

    Attributes
    ----------
    weights_ : (n_components,) float64 array
    means_ : (n_components, features) float64 array
    covariances_, precisions_, precisions_cholesky_ : float64 array
        Of shapes (n_components, features, features), (features, features),
        (n_components, features) or (n_components,), by the type.
    converged_ : bool
    n_iter_ : int
    lower_bound_ : float
        The mean log-likelihood of a row before the last step.
    lower_bounds_ : list of float
        Of each step.
    feature_names_in_ : (features,) object array

    Notes
    -----
    From the same start as scikit-learn's, equal to it within 1e-6, on any partitions. From
    k-means|| it is the same on any partitions, too.

    References
    ----------
    Dempster, Laird, Rubin: *Maximum Likelihood from Incomplete Data via the EM Algorithm*. Journal
    of the Royal Statistical Society B 39, 1977.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [-1.0, 0.0, 1.0, 9.0, 10.0, 11.0]})
    >>> model = GaussianMixture(n_components=2).fit(table)
    >>> sorted(model.means_.round(3).ravel().tolist()), model.weights_.round(3).tolist()
    ([0.0, 10.0], [0.5, 0.5])
    """

    n_components: int = 1
    covariance_type: str = "full"
    tol: float = 1e-3
    reg_covar: float = 1e-6
    max_iter: int = 100
    n_init: int = 1
    weights_init: ArrayLike | None = None
    means_init: ArrayLike | None = None
    precisions_init: ArrayLike | None = None
    random_state: int = 0

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Find the components.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : ignored

        Raises
        ------
        InputError
            A column is no number, a value is missing, or there are too few rows.
        TrainingError
            A component shrank to nothing.
        """
        self._check()
        held = hold(X)
        if held.rows < self.n_components:
            raise InputError(
                f"The table has {held.rows:,} rows for {self.n_components:,} components. Lower "
                "n_components, or look at the filters before it."
            )
        spread = spread_of(held) if self.covariance_type == "tied" else np.zeros(0)
        first = seed_of(self.random_state)
        seeds = range(first, first + self.n_init)
        grown = [self._grown(held, spread, seed) for seed in seeds]
        best = max(grown, key=lambda each: each.bounds[-1])
        self.weights_, self.means_ = best.components.weights, best.components.means + held.mean
        self.precisions_cholesky_, self.covariances_ = best.components.factors, best.covariances
        self.precisions_ = _precisions(best.components.factors, self.covariance_type)
        self.converged_, self.n_iter_ = best.converged, len(best.bounds)
        self.lower_bounds_, self.lower_bound_ = best.bounds, best.bounds[-1]
        self.feature_names_in_ = np.array(held.features, dtype=object)
        return self

    def predict(self, X: Any) -> Any:
        """Return the number of each row's likeliest component, lazily: a Series like `X`."""
        return map_rows(self._labels, X, self._features(), "component")

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Find the components and return the number of each row's, lazily."""
        return self.fit(X, y).predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Return how likely each component is, lazily: a frame with the columns 0, 1 ..."""
        columns = list(range(self.n_components))
        return map_rows(self._shares, X, self._features(), columns)

    def score_samples(self, X: Any) -> Any:
        """Return the logarithm of each row's density, lazily: a Series like `X`."""
        return map_rows(self._log_density, X, self._features(), "log_density")

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the mean log-likelihood of a row."""
        held = hold(X[self._features()])
        return log_likelihood(held, self._about(held.mean)) / held.rows

    def bic(self, X: Any) -> float:
        """Return the Bayesian information criterion: less is better."""
        held = hold(X[self._features()])
        likelihood = log_likelihood(held, self._about(held.mean))
        return -2 * likelihood + self._free_parameters() * float(np.log(held.rows))

    def aic(self, X: Any) -> float:
        """Return the Akaike information criterion: less is better."""
        held = hold(X[self._features()])
        return -2 * log_likelihood(held, self._about(held.mean)) + 2 * self._free_parameters()

    _repr_html_ = html_of

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("density_estimator")

    def _grown(self, held: Held, spread: Array, seed: int) -> Grown:
        """Take steps of expectation and maximisation until they gain no more."""
        kind = self.covariance_type
        components, covariances = self._start(held, spread, seed)
        bounds: list[float] = []
        converged = False
        while len(bounds) < self.max_iter and not converged:
            moments = shared_out(held, components)
            weights, means, covariances = maximised(
                moments, components.means, kind, spread, self.reg_covar
            )
            factors = factors_of_covariances(covariances, kind)
            components = Components(weights, means, factors, kind)
            bounds.append(moments.log_likelihood / held.rows)
            converged = len(bounds) > 1 and abs(bounds[-1] - bounds[-2]) < self.tol
        return Grown(components, covariances, bounds, converged)

    def _start(self, held: Held, spread: Array, seed: int) -> tuple[Components, Array]:
        kind, count, features = self.covariance_type, self.n_components, len(held.features)
        weights = _given("weights_init", self.weights_init, (count,))
        means = _given("means_init", self.means_init, (count, features))
        shape = shape_of(kind, count, features)
        precisions = _given("precisions_init", self.precisions_init, shape)
        covariances = np.zeros(0)
        if weights is None or means is None or precisions is None:
            centres = initial_centres(held, count, OVERSAMPLING, ROUNDS, seed)
            centres, _ = settle(held, centres, PASSES, TOLERANCE)
            moments = from_clusters(held, centres, kind)
            found = maximised(moments, centres, kind, spread, self.reg_covar)
            weights = found[0] if weights is None else weights
            means = found[1] + held.mean if means is None else means
            covariances = found[2]
        if precisions is None:
            factors = factors_of_covariances(covariances, kind)
        else:
            factors = factors_of_precisions(precisions, kind)
        return Components(weights, means - held.mean, factors, kind), covariances

    def _check(self) -> None:
        for name, least in (("n_components", 1), ("max_iter", 1), ("n_init", 1), ("tol", 0)):
            if not getattr(self, name) >= least:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be {least} or more."
                )
        if not self.reg_covar >= 0:
            raise ConfigurationError(f"reg_covar is {self.reg_covar}; it must be 0 or more.")
        weights = _given("weights_init", self.weights_init, (self.n_components,))
        if weights is not None and not ((weights > 0).all() and np.isclose(weights.sum(), 1)):
            raise ConfigurationError("weights_init must be above 0, and 1 together.")
        if self.covariance_type not in KINDS:
            raise ConfigurationError(
                f"covariance_type is {self.covariance_type!r}; it must be one of "
                f"{', '.join(map(repr, KINDS))}."
            )

    def _features(self) -> list[str]:
        if not hasattr(self, "means_"):
            raise NotFittedError("This GaussianMixture is not fitted yet: call fit first.")
        return [str(name) for name in self.feature_names_in_]

    def _about(self, origin: Array) -> Components:
        means = self.means_ - origin
        return Components(self.weights_, means, self.precisions_cholesky_, self.covariance_type)

    def _densities(self, values: Array) -> Array:
        origin = self.means_.mean(axis=0)
        return log_densities(values - origin, self._about(origin))

    def _labels(self, values: Array) -> NDArray[np.int64]:
        return np.argmax(self._densities(values), axis=1)

    def _shares(self, values: Array) -> Array:
        return responsibilities(self._densities(values))[1]

    def _log_density(self, values: Array) -> Array:
        return responsibilities(self._densities(values))[0]

    def _free_parameters(self) -> int:
        count, features = self.means_.shape
        matrix = features * (features + 1) // 2
        sizes = {"full": count * matrix, "tied": matrix, "diag": count * features}
        return count * features + count - 1 + sizes.get(self.covariance_type, count)


def _given(name: str, value: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if value is None:
        return None
    array = np.asarray(value, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ConfigurationError(
            f"{name} has the shape {array.shape}; it must have {shape}, without missing values."
        )
    return array


def _precisions(factors: Array, kind: str) -> Array:
    if kind in ("full", "tied"):
        return factors @ np.swapaxes(factors, -1, -2)
    return np.square(factors)
