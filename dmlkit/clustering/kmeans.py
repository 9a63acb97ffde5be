"""`KMeans`: rows by the nearest of some centres."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmlkit.clustering.held import Held, hold
from dmlkit.clustering.initial import initial_centres
from dmlkit.clustering.lloyd import inertia_of, settle
from dmlkit.clustering.prediction import (
    cluster_names,
    distances_to,
    given_centres,
    nearest_to,
    squares_to,
)
from dmlkit.declared import parameters_of, seed_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.html_estimators import html_of

__all__ = ["KMeans"]


@dataclass(eq=False)
class KMeans:
    """K-means clustering: k-means|| to start from, then Lloyd's algorithm.

    The rows stay on the workers as numbers; each iteration is one pass over them.

    Parameters
    ----------
    n_clusters : int
    init : "k-means||" or (n_clusters, features) array
        Where the centres start.
    oversampling_factor : float
        Rows that each round of k-means|| draws, for each cluster.
    init_rounds : int
        Rounds of k-means||, each of them two passes over what the workers hold.
    max_iter : int
    tol : float
        Centres whose squared moves sum up to less than this share of the columns' mean variance
        have arrived.
    random_state : int
        Rows are drawn by a hash of it and of their position.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, features) float64 array
    inertia_ : float
        The sum of squared distances of rows to the nearest centre.
    n_iter_ : int
    feature_names_in_ : (features,) object array

    Notes
    -----
    From the same centres as scikit-learn's, equal to it within 1e-9 of a column's spread; on any
    partitions the same within that. Where no row is nearest to a centre, it goes to the row that is
    farthest from its own, as there. Scale columns first (StandardScaler): the one with the largest
    numbers decides else.

    References
    ----------
    Bahmani, Moseley, Vattani, Kumar, Vassilvitskii: *Scalable K-Means++*. VLDB 2012.
    Lloyd: *Least Squares Quantization in PCM*. IEEE Transactions on Information Theory 28, 1982.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 11.0, 12.0], "y": [0.0, 0.0, 5.0, 5.0]})
    >>> model = KMeans(n_clusters=2).fit(table)
    >>> sorted(model.cluster_centers_.tolist()), model.inertia_
    ([[1.5, 0.0], [11.5, 5.0]], 1.0)
    """

    n_clusters: int = 8
    init: str | ArrayLike = "k-means||"
    oversampling_factor: float = 2.0
    init_rounds: int = 5
    max_iter: int = 300
    tol: float = 1e-4
    random_state: int = 0

    def fit(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Self:  # noqa: ARG002
        """Find the centres.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : ignored
        sample_weight : Series like X, optional
            How many rows each one counts for.

        Raises
        ------
        InputError
            A column is no number, a value is missing, or there are fewer different rows than
            clusters.
        """
        self._check()
        held = hold(X, sample_weight)
        if held.rows < self.n_clusters:
            raise InputError(
                f"The table has {held.rows:,} rows for {self.n_clusters:,} clusters. Lower "
                "n_clusters, or look at the filters before it."
            )
        centres, self.n_iter_ = settle(held, self._start(held), self.max_iter, self.tol)
        self.inertia_ = inertia_of(held, centres)
        self.cluster_centers_ = centres + held.mean
        self.feature_names_in_ = np.array(held.features, dtype=object)
        return self

    def predict(self, X: Any) -> Any:
        """Return the number of each row's cluster, lazily: a Series like `X`."""
        return nearest_to(self, X)

    def fit_predict(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Any:
        """Find the centres and return the number of each row's cluster, lazily."""
        return self.fit(X, y, sample_weight=sample_weight).predict(X)

    def transform(self, X: Any) -> Any:
        """Return the distance of each row to each centre, lazily: a frame like `X`."""
        return distances_to(self, X)

    def fit_transform(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Any:
        """Find the centres and return the distances to them, lazily."""
        return self.fit(X, y, sample_weight=sample_weight).transform(X)

    def score(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> float:  # noqa: ARG002
        """Return the sum of squared distances to the nearest centre, negative: more is better."""
        return -squares_to(self, X, sample_weight)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Return the columns that `transform` makes: ``kmeans0``, ``kmeans1`` ..."""
        return cluster_names(self)

    _repr_html_ = html_of

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("clusterer")

    def _check(self) -> None:
        for name, least in (("n_clusters", 1), ("init_rounds", 1), ("max_iter", 1), ("tol", 0)):
            if not getattr(self, name) >= least:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be {least} or more."
                )
        if not self.oversampling_factor > 0:
            raise ConfigurationError(
                f"oversampling_factor is {self.oversampling_factor}; it must be above 0."
            )

    def _start(self, held: Held) -> NDArray[np.float64]:
        if not isinstance(self.init, str):
            return given_centres(self.init, self.n_clusters, len(held.features)) - held.mean
        if self.init != "k-means||":
            raise ConfigurationError(
                f"init is {self.init!r}; it must be 'k-means||' or an array of centres."
            )
        drawing = (self.oversampling_factor, self.init_rounds, seed_of(self.random_state))
        return initial_centres(held, self.n_clusters, *drawing)
