"""`GaussianNB`: each column a normal distribution of its own in each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError
from dmlkit.html_estimators import html_of
from dmlkit.metrics.scorers import ScoredClassifier
from dmlkit.naive_bayes.classes import Rows, class_priors, learnt_by_class
from dmlkit.naive_bayes.prediction import likeliest, log_probabilities, probabilities

__all__ = ["GaussianNB"]

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """Of some groups of rows and each column the weight, mean, and squares about it."""

    weight: Array
    mean: Array
    squares: Array


class Learnt(NamedTuple):
    """Moments of each class, and of all rows without their weights."""

    classes: Moments
    rows: Moments
    features: list[str]


@dataclass(eq=False)
class GaussianNB(ScoredClassifier):
    """Naive Bayes with normal distributions.

    One pass adds up means and variances of each class; rows stay where they are.

    Parameters
    ----------
    priors : (classes,) array-like, optional
        Chances of the classes; as often as in the table without.
    var_smoothing : float
        The share of the largest variance of a column that is added to all variances.

    Attributes
    ----------
    classes_ : (classes,) array
        The labels, sorted: numbers, text or whatever can be sorted.
    class_count_, class_prior_ : (classes,) float64 array
    theta_, var_ : (classes, features) float64 array
        Means and variances.
    epsilon_ : float
        What was added to variances.
    feature_names_in_ : (features,) object array

    Notes
    -----
    Equal to scikit-learn's within 1e-9, on any partitions.

    References
    ----------
    Chan, Golub, LeVeque: *Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances*. COMPSTAT 1982.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 8.0, 9.0]})
    >>> model = GaussianNB().fit(table, pd.Series(["low", "low", "high", "high"]))
    >>> model.predict(pd.DataFrame({"x": [0.0, 7.0]})).tolist(), model.theta_.tolist()
    (['low', 'high'], [[8.5], [1.5]])
    """

    priors: ArrayLike | None = None
    var_smoothing: float = 1e-9

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : Series like X
            Labels of any type that can be sorted.
        sample_weight : Series like X, optional

        Raises
        ------
        InputError
            Labels or features cannot be trained on.
        """
        if not self.var_smoothing >= 0:
            raise ConfigurationError(
                f"var_smoothing is {self.var_smoothing}; it must be 0 or more."
            )
        found = learnt_by_class(X, y, sample_weight, _learn, _add)
        learnt: Learnt = found.learnt
        variances = learnt.rows.squares / learnt.rows.weight
        self.epsilon_ = self.var_smoothing * float(variances.max())
        self.class_prior_ = class_priors(found.weight, self.priors, as_in_table=True)
        self.class_count_ = found.weight
        self.theta_ = learnt.classes.mean
        self.var_ = learnt.classes.squares / found.weight[:, None] + self.epsilon_
        self.classes_ = pd.Series(found.labels).to_numpy()
        self.feature_names_in_ = np.array(learnt.features, dtype=object)
        return self

    def predict(self, X: Any) -> Any:
        """Return the most likely class, lazily: a Series like `X`."""
        return likeliest(self, self._likelihood, X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame with a column for each."""
        return probabilities(self, self._likelihood, X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`, lazily."""
        return log_probabilities(self, self._likelihood, X)

    _repr_html_ = html_of

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("classifier")

    def _likelihood(self, values: Array) -> Array:
        with np.errstate(divide="ignore"):  # a prior of 0 has a logarithm, too
            priors = np.log(self.class_prior_)
        sizes = np.log(2 * np.pi * self.var_).sum(axis=1) / 2
        both = zip(self.theta_, self.var_, strict=True)
        apart = [(np.square(values - mean) / variance).sum(axis=1) / 2 for mean, variance in both]
        return priors - sizes - np.column_stack(apart)


def _learn(rows: Rows) -> Learnt:
    weight = rows.sums(rows.weight)
    mean = rows.sums(rows.design * rows.weight[:, None]) / _or_one(weight)
    apart = np.square(rows.design - mean[rows.codes]) * rows.weight[:, None]
    classes = Moments(weight, mean, rows.sums(apart))
    if not len(rows.design):
        nothing = np.zeros((1, rows.design.shape[1]))
        return Learnt(classes, Moments(np.zeros(1), nothing, nothing), rows.features)
    middle = rows.design.mean(axis=0)
    squares = np.square(rows.design - middle).sum(axis=0)
    together = Moments(np.array([float(len(rows.design))]), middle[None], squares[None])
    return Learnt(classes, together, rows.features)


def _add(parts: Sequence[Learnt], places: Sequence[NDArray[np.int64]], count: int) -> Learnt:
    first = [np.zeros(1, np.int64)] * len(parts)
    classes = _together([part.classes for part in parts], places, count)
    rows = _together([part.rows for part in parts], first, 1)
    return Learnt(classes, rows, parts[0].features)


def _together(parts: Sequence[Moments], places: Sequence[NDArray[np.int64]], count: int) -> Moments:
    """Add moments up about their common means (Chan, Golub, LeVeque)."""
    features = parts[0].mean.shape[1]
    weight, mean, squares = (
        np.zeros(count),
        np.zeros((count, features)),
        np.zeros((count, features)),
    )
    for part, place in zip(parts, places, strict=True):
        weight[place] += part.weight
        mean[place] += part.weight[:, None] * part.mean
    mean /= _or_one(weight)
    for part, place in zip(parts, places, strict=True):
        squares[place] += part.squares + part.weight[:, None] * np.square(part.mean - mean[place])
    return Moments(weight, mean, squares)


def _or_one(weight: Array) -> Array:
    return np.where(weight > 0, weight, 1.0)[:, None]
