"""What centres make of rows: the nearest one, and how far each is."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dmlkit.clustering.held import hold
from dmlkit.clustering.kernels import distances, nearest
from dmlkit.clustering.lloyd import inertia_of
from dmlkit.errors import ConfigurationError, NotFittedError
from dmlkit.linear_model.blocks import map_rows

__all__ = ["cluster_names", "distances_to", "given_centres", "nearest_to", "squares_to"]

Array = NDArray[np.float64]


def nearest_to(model: Any, X: Any) -> Any:
    """Return the number of each row's cluster, lazily: a Series like `X`."""
    features, (centres, origin) = _features(model), _about_their_mean(model)
    return map_rows(lambda values: nearest(values, centres, origin)[0], X, features, "cluster")


def distances_to(model: Any, X: Any) -> Any:
    """Return the distance of each row to each centre, lazily: a frame like `X`."""
    features, (centres, origin) = _features(model), _about_their_mean(model)
    names = cluster_names(model).tolist()
    return map_rows(lambda values: distances(values, centres, origin), X, features, names)


def squares_to(model: Any, X: Any, sample_weight: Any) -> float:
    """Return the sum of squared distances to the nearest centre."""
    held = hold(X[_features(model)], sample_weight)
    return inertia_of(held, model.cluster_centers_ - held.mean)


def cluster_names(model: Any) -> NDArray[Any]:
    """Return the columns of distances: ``kmeans0``, ``kmeans1`` ..."""
    _features(model)
    return np.array([f"kmeans{n}" for n in range(len(model.cluster_centers_))], dtype=object)


def given_centres(init: ArrayLike, clusters: int, features: int) -> Array:
    """Return centres to start from as numbers.

    Raises
    ------
    ConfigurationError
        They are too few or too many, of other columns, or missing.
    """
    centres = np.asarray(init, dtype=np.float64)
    if centres.shape != (clusters, features) or not np.isfinite(centres).all():
        raise ConfigurationError(
            f"init has the shape {centres.shape}; {clusters} clusters of {features} columns need "
            f"{(clusters, features)}, without missing values."
        )
    return centres


def _features(model: Any) -> list[str]:
    if not hasattr(model, "cluster_centers_"):
        raise NotFittedError(f"This {type(model).__name__} is not fitted yet: call fit first.")
    return [str(name) for name in model.feature_names_in_]


def _about_their_mean(model: Any) -> tuple[Array, Array]:
    origin = model.cluster_centers_.mean(axis=0)
    return model.cluster_centers_ - origin, origin
