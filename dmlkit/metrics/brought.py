"""scikit-learn's own scorers on frames: what they take is brought to the client for them.

They index what ``predict_proba`` gives by places, and a frame by its columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import dask
import numpy as np

__all__ = ["Brought", "is_scikit_learns"]

#: What a scorer asks a model for.
ASKED = ("predict", "predict_proba", "decision_function")


def is_scikit_learns(scoring: Callable[..., float]) -> bool:
    """Tell whether this is a scorer that scikit-learn made: by its name, or `make_scorer`.

    Examples
    --------
    >>> import sklearn.metrics
    >>> is_scikit_learns(sklearn.metrics.get_scorer("roc_auc")), is_scikit_learns(print)
    (True, False)
    """
    return type(scoring).__module__.startswith("sklearn.") and hasattr(scoring, "_score_func")


@dataclass(frozen=True)
class Brought:
    """A scorer of scikit-learn's, which is given arrays.

    Parameters
    ----------
    scorer : callable

    Examples
    --------
    >>> import pandas as pd, sklearn.metrics
    >>> from dmlkit.naive_bayes import GaussianNB
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    >>> model = GaussianNB().fit(table, pd.Series([0, 0, 1, 1]))
    >>> Brought(sklearn.metrics.get_scorer("roc_auc"))(model, table, pd.Series([0, 1, 0, 1]))
    0.75
    """

    scorer: Callable[..., float]

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score."""
        labels, weights = dask.compute(y, sample_weight)
        weight = {} if weights is None else {"sample_weight": np.asarray(weights)}
        return float(self.scorer(_OfArrays(estimator), X, np.asarray(labels), **weight))


class _OfArrays:
    """A model whose predictions are arrays."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        return _brought(found) if name in ASKED else found


def _brought(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)  # scikit-learn looks at its name
    def called(X: Any) -> Any:
        return np.asarray(dask.compute(method(X))[0])

    return called
