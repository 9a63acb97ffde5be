"""What naive Bayes makes of rows: the most likely class, and how likely each is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax

from dmlkit.errors import NotFittedError
from dmlkit.linear_model.blocks import map_rows

__all__ = ["likeliest", "log_probabilities", "probabilities"]

Array = NDArray[np.float64]

#: From (n, features) to (n, classes): the logarithm of class and row together.
Likelihood = Callable[[Array], Array]


def likeliest(model: Any, likelihood: Likelihood, X: Any) -> Any:
    """Return the most likely class, lazily: a Series like `X`, of the labels' type."""
    features = _features(model)
    labels = pd.Series(model.classes_.tolist()).array

    def label(values: Array) -> Any:
        return labels.take(np.argmax(likelihood(values), axis=1))

    return map_rows(label, X, features, "prediction")


def log_probabilities(model: Any, likelihood: Likelihood, X: Any) -> Any:
    """Return the logarithm of each class's probability, lazily: a frame like `X`."""

    def shares(values: Array) -> Array:
        found: Array = log_softmax(likelihood(values), axis=1)
        return found

    return map_rows(shares, X, _features(model), model.classes_.tolist())


def probabilities(model: Any, likelihood: Likelihood, X: Any) -> Any:
    """Return the probability of each class, lazily: a frame like `X` with a column for each."""

    def shares(values: Array) -> Array:
        return np.exp(log_softmax(likelihood(values), axis=1))

    return map_rows(shares, X, _features(model), model.classes_.tolist())


def _features(model: Any) -> list[str]:
    if not hasattr(model, "classes_"):
        raise NotFittedError(f"This {type(model).__name__} is not fitted yet: call fit first.")
    return [str(name) for name in model.feature_names_in_]
