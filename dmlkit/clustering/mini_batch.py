"""`MiniBatchKMeans`: centres from small batches of rows, in two passes over the table."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sklearn.cluster
from numpy.typing import ArrayLike, NDArray

from dmlkit.clustering.kernels import nearest_sums
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
from dmlkit.samples import drawn, rows_of

__all__ = ["MiniBatchKMeans"]

Array = NDArray[np.float64]


@dataclass(eq=False)
class MiniBatchKMeans:
    """K-means clustering by batches of rows: nearly as good as `KMeans`, in two passes.

    One pass counts the rows, and one draws all batches; they come here, and centres move with one
    after the other.

    Parameters
    ----------
    n_clusters : int
    init : "k-means++" or (n_clusters, features) array
        Where the centres start; "k-means++" clusters the first batch.
    batch_size : int
    n_batches : int
        All batches together are brought here.
    random_state : int
        Rows are drawn by a hash of it and of their position.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, features) float64 array
    feature_names_in_ : (features,) object array

    Notes
    -----
    From the same centres and batches equal to scikit-learn's ``partial_fit`` without reassignment,
    within 1e-9. Batches, and so the centres, are the same on any partitions; all of them are used.

    References
    ----------
    Sculley: *Web-Scale K-Means Clustering*. WWW 2010.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 11.0, 12.0] * 50})
    >>> model = MiniBatchKMeans(n_clusters=2).fit(table)
    >>> sorted(model.cluster_centers_.round(1).ravel().tolist())
    [1.5, 11.5]
    """

    n_clusters: int = 8
    init: str | ArrayLike = "k-means++"
    batch_size: int = 1_024
    n_batches: int = 100
    random_state: int = 0

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Find the centres.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : ignored

        Raises
        ------
        InputError
            A column is no number, a value is missing, or there are fewer rows than clusters.
        """
        self._check()
        rows = rows_of(X)
        if rows.total < self.n_clusters:
            raise InputError(
                f"The table has {rows.total:,} rows for {self.n_clusters:,} clusters. Lower "
                "n_clusters, or look at the filters before it."
            )
        size, seed = min(self.batch_size, rows.total), seed_of(self.random_state)
        draws = [
            drawn(rows.total, size, seed, number, again=False) for number in range(self.n_batches)
        ]
        batches = rows.at(np.array(draws))
        # About their mean, so that large numbers with a small spread lose no digits.
        origin = batches.mean(axis=(0, 1))
        centres = self._start(batches[0], origin)
        self.cluster_centers_ = _moved(batches, centres, origin) + origin
        self.feature_names_in_ = np.array(rows.features, dtype=object)
        return self

    def predict(self, X: Any) -> Any:
        """Return the number of each row's cluster, lazily: a Series like `X`."""
        return nearest_to(self, X)

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Find the centres and return the number of each row's cluster, lazily."""
        return self.fit(X, y).predict(X)

    def transform(self, X: Any) -> Any:
        """Return the distance of each row to each centre, lazily: a frame like `X`."""
        return distances_to(self, X)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Find the centres and return the distances to them, lazily."""
        return self.fit(X, y).transform(X)

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
        for name in ("n_clusters", "n_batches"):
            if not getattr(self, name) >= 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        if self.batch_size < self.n_clusters:
            raise ConfigurationError(
                f"batch_size is {self.batch_size}; it must be {self.n_clusters}, as many "
                "as there are clusters, or more."
            )

    def _start(self, batch: Array, origin: Array) -> Array:
        if not isinstance(self.init, str):
            return given_centres(self.init, self.n_clusters, len(origin)) - origin
        if self.init != "k-means++":
            raise ConfigurationError(
                f"init is {self.init!r}; it must be 'k-means++' or an array of centres."
            )
        found = sklearn.cluster.KMeans(
            self.n_clusters, n_init=5, random_state=seed_of(self.random_state)
        )
        centres: Array = found.fit(batch - origin).cluster_centers_
        return centres


def _moved(batches: Array, centres: Array, origin: Array) -> Array:
    """Move each centre to the mean of the rows that were nearest to it, batch after batch."""
    seen = np.zeros(len(centres))
    for batch in batches:
        sums, counts = nearest_sums(batch, None, centres, origin)
        together = seen + counts
        moved = (centres * seen[:, None] + sums) / np.where(together > 0, together, 1.0)[:, None]
        centres = np.where(together[:, None] > 0, moved, centres)
        seen = together
    return centres
