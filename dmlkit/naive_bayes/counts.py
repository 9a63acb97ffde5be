"""`MultinomialNB` and `BernoulliNB`: columns that count, and columns that say whether."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.html_estimators import html_of
from dmlkit.metrics.scorers import ScoredClassifier
from dmlkit.naive_bayes.classes import Rows, class_priors, learnt_by_class
from dmlkit.naive_bayes.prediction import likeliest, log_probabilities, probabilities

__all__ = ["BernoulliNB", "MultinomialNB", "check_alpha", "log_priors"]

Array = NDArray[np.float64]


class Counts(NamedTuple):
    """Sums of each column, by class."""

    sums: Array
    features: list[str]


@dataclass(eq=False)
class MultinomialNB(ScoredClassifier):
    """Naive Bayes with counts, such as of words.

    One pass adds counts up; rows stay where they are.

    Parameters
    ----------
    alpha : float
        Is added to all counts, so that what a class never had is not impossible.
    fit_prior : bool
        Whether classes are as likely as they are often, else all the same.
    class_prior : (classes,) array-like, optional
        Chances of the classes.

    Attributes
    ----------
    classes_ : (classes,) array
        The labels, sorted.
    class_count_, class_log_prior_ : (classes,) float64 array
    feature_count_, feature_log_prob_ : (classes, features) float64 array
    feature_names_in_ : (features,) object array

    Notes
    -----
    Equal to scikit-learn's within 1e-12, on any partitions.

    References
    ----------
    Manning, Raghavan, Schütze: *Introduction to Information Retrieval*, chapter 13. Cambridge 2008.

    Examples
    --------
    >>> table = pd.DataFrame({"cheap": [3, 2, 0, 0], "regards": [0, 1, 2, 3]})
    >>> model = MultinomialNB().fit(table, pd.Series(["spam", "spam", "mail", "mail"]))
    >>> model.predict(pd.DataFrame({"cheap": [1, 0], "regards": [0, 1]})).tolist()
    ['spam', 'mail']
    """

    alpha: float = 1.0
    fit_prior: bool = True
    class_prior: ArrayLike | None = None

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table of numbers that are 0 or more; see `GaussianNB.fit`."""
        check_alpha(self.alpha)
        found = learnt_by_class(X, y, sample_weight, _learn_counts, _add)
        self.class_count_, (self.feature_count_, features) = found.weight, found.learnt
        self.class_log_prior_ = log_priors(
            found.weight, self.class_prior, as_in_table=self.fit_prior
        )
        self.classes_ = pd.Series(found.labels).to_numpy()
        self.feature_names_in_ = np.array(features, dtype=object)
        counts = self.feature_count_ + self.alpha
        self.feature_log_prob_ = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
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
        likelihood: Array = values @ self.feature_log_prob_.T + self.class_log_prior_
        return likelihood


@dataclass(eq=False)
class BernoulliNB(ScoredClassifier):
    """Naive Bayes with columns that say whether something is so.

    One pass counts how often; rows stay where they are.

    Parameters
    ----------
    alpha, fit_prior, class_prior
        As of `MultinomialNB`.
    binarize : float, optional
        It is so where a number is above this. Without, columns must be 0 or 1.

    Attributes
    ----------
    classes_ : (classes,) array
        The labels, sorted.
    class_count_, class_log_prior_ : (classes,) float64 array
    feature_count_, feature_log_prob_ : (classes, features) float64 array
    feature_names_in_ : (features,) object array

    Notes
    -----
    Equal to scikit-learn's within 1e-12, on any partitions.

    References
    ----------
    Manning, Raghavan, Schütze: *Introduction to Information Retrieval*, chapter 13. Cambridge 2008.

    Examples
    --------
    >>> table = pd.DataFrame({"wings": [1, 1, 0, 0], "legs": [1, 1, 1, 0]})
    >>> model = BernoulliNB().fit(table, pd.Series(["bird", "bird", "dog", "fish"]))
    >>> model.predict(table).tolist()
    ['bird', 'bird', 'dog', 'fish']
    """

    alpha: float = 1.0
    binarize: float | None = 0.0
    fit_prior: bool = True
    class_prior: ArrayLike | None = None

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table of numbers; see `GaussianNB.fit`."""
        check_alpha(self.alpha)
        learn = partial(_learn_whether, above=self.binarize)
        found = learnt_by_class(X, y, sample_weight, learn, _add)
        self.class_count_, (self.feature_count_, features) = found.weight, found.learnt
        self.class_log_prior_ = log_priors(
            found.weight, self.class_prior, as_in_table=self.fit_prior
        )
        self.classes_ = pd.Series(found.labels).to_numpy()
        self.feature_names_in_ = np.array(features, dtype=object)
        totals = self.class_count_[:, None] + 2 * self.alpha
        self.feature_log_prob_ = np.log(self.feature_count_ + self.alpha) - np.log(totals)
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
        yes = self.feature_log_prob_
        no = np.log1p(-np.exp(yes))
        so = values if self.binarize is None else (values > self.binarize).astype(np.float64)
        likelihood: Array = so @ (yes - no).T + no.sum(axis=1) + self.class_log_prior_
        return likelihood


def check_alpha(alpha: float) -> None:
    """Raise a ConfigurationError where alpha is not above 0."""
    if not alpha > 0:
        raise ConfigurationError(
            f"alpha is {alpha}; it must be above 0, or what a class never had would be impossible."
        )


def log_priors(weight: Array, given: Any, *, as_in_table: bool) -> Array:
    """Return the logarithms of `class_priors`; that of 0 is minus infinity."""
    with np.errstate(divide="ignore"):
        return np.log(class_priors(weight, given, as_in_table=as_in_table))


def _learn_counts(rows: Rows) -> Counts:
    _check_values(rows, rows.design < 0, "below 0, but counts are 0 or more")
    return Counts(rows.sums(rows.design * rows.weight[:, None]), rows.features)


def _learn_whether(rows: Rows, above: float | None) -> Counts:
    if above is None:
        _check_values(rows, (rows.design != 0) & (rows.design != 1), "neither 0 nor 1")
    so = rows.design if above is None else rows.design > above
    return Counts(rows.sums(so * rows.weight[:, None]), rows.features)


def _check_values(rows: Rows, bad: NDArray[np.bool_], told: str) -> None:
    if bad.any():
        place = int(np.argmax(bad.any(axis=0)))
        example = rows.design[bad[:, place], place][0]
        raise InputError(
            f"Column {rows.features[place]!r} has {int(bad[:, place].sum()):,} rows of a "
            f"partition, such as {example:g}, that are {told}. Prepare it first."
        )


def _add(parts: Sequence[Counts], places: Sequence[NDArray[np.int64]], count: int) -> Counts:
    sums = np.zeros((count, parts[0].sums.shape[1]))
    for part, place in zip(parts, places, strict=True):
        sums[place] += part.sums
    return Counts(sums, parts[0].features)
