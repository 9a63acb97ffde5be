"""`CategoricalNB`: columns of categories, numbered from 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import InputError
from dmlkit.html_estimators import html_of
from dmlkit.metrics.scorers import ScoredClassifier
from dmlkit.naive_bayes.classes import Rows, learnt_by_class
from dmlkit.naive_bayes.counts import check_alpha, log_priors
from dmlkit.naive_bayes.prediction import likeliest, log_probabilities, probabilities

__all__ = ["CategoricalNB"]

Array = NDArray[np.float64]

#: More categories of a column than this are numbers or names.
MOST_CATEGORIES = 1_000_000


class Tables(NamedTuple):
    """Of each column how often each class had each category: (classes, categories) arrays."""

    counts: list[Array]
    features: list[str]


@dataclass(eq=False)
class CategoricalNB(ScoredClassifier):
    """Naive Bayes with categories.

    One pass counts them; rows stay where they are.

    Parameters
    ----------
    alpha : float
        Is added to all counts, so that what a class never had is not impossible.
    fit_prior : bool
        Whether classes are as likely as they are often, else all the same.
    class_prior : (classes,) array-like, optional
        Chances of the classes.
    min_categories : int or (features,) array-like, optional
        How many categories columns have at least, where the table may not have all of them.

    Attributes
    ----------
    classes_ : (classes,) array
        The labels, sorted.
    class_count_, class_log_prior_ : (classes,) float64 array
    category_count_, feature_log_prob_ : list of (classes, categories) float64 array
        One for each column.
    n_categories_ : (features,) int64 array
    feature_names_in_ : (features,) object array

    Notes
    -----
    Equal to scikit-learn's within 1e-12, on any partitions. Columns are whole numbers from 0, such
    as `dmlkit.preprocessing.OrdinalEncoder` makes. To predict, a category that was not there is
    an error unless `min_categories` made room for it.

    References
    ----------
    Manning, Raghavan, Schütze: *Introduction to Information Retrieval*, chapter 13. Cambridge 2008.

    Examples
    --------
    >>> table = pd.DataFrame({"colour": [0, 0, 1, 2], "shape": [1, 1, 0, 0]})
    >>> model = CategoricalNB().fit(table, pd.Series([0, 0, 1, 1]))
    >>> model.predict(table).tolist()
    [0, 0, 1, 1]
    """

    alpha: float = 1.0
    fit_prior: bool = True
    class_prior: ArrayLike | None = None
    min_categories: int | ArrayLike | None = None

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table of whole numbers from 0; see `GaussianNB.fit`."""
        check_alpha(self.alpha)
        found = learnt_by_class(X, y, sample_weight, _learn, _add)
        learnt: Tables = found.learnt
        least = np.broadcast_to(self.min_categories or 0, len(learnt.features))
        self.category_count_ = [
            _widened(counts, max(counts.shape[1], int(width)))
            for counts, width in zip(learnt.counts, least, strict=True)
        ]
        self.n_categories_ = np.array([counts.shape[1] for counts in self.category_count_])
        self.feature_log_prob_ = [_shares(counts + self.alpha) for counts in self.category_count_]
        self.class_log_prior_ = log_priors(
            found.weight, self.class_prior, as_in_table=self.fit_prior
        )
        self.class_count_ = found.weight
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
        names = [str(name) for name in self.feature_names_in_]
        likelihood = np.tile(self.class_log_prior_, (len(values), 1))
        for place, shares in enumerate(self.feature_log_prob_):
            categories = _categories(values[:, place], names[place], shares.shape[1])
            likelihood += shares.T[categories]
        return likelihood


def _learn(rows: Rows) -> Tables:
    counts = []
    for place, name in enumerate(rows.features):
        categories = _categories(rows.design[:, place], name, MOST_CATEGORIES)
        width = int(categories.max(initial=-1)) + 1
        cells = np.bincount(
            rows.codes * width + categories, rows.weight, minlength=len(rows.starts) * width
        ).astype(np.float64)
        counts.append(cells.reshape(len(rows.starts), width))
    return Tables(counts, rows.features)


def _categories(values: Array, name: str, count: int) -> NDArray[np.int64]:
    categories = values.astype(np.int64)
    bad = (categories != values) | (categories < 0) | (categories >= count)
    if bad.any():
        raise InputError(
            f"Column {name!r} has {int(bad.sum()):,} rows of a partition, such as "
            f"{values[bad][0]:g}, that are no category: these are numbered from 0 to "
            f"{count - 1:,}. Number them first (OrdinalEncoder), or raise min_categories."
        )
    return categories


def _add(parts: Sequence[Tables], places: Sequence[NDArray[np.int64]], count: int) -> Tables:
    added = []
    for tables in zip(*(part.counts for part in parts), strict=True):
        total = np.zeros((count, max(table.shape[1] for table in tables)))
        for table, place in zip(tables, places, strict=True):
            total[place, : table.shape[1]] += table
        added.append(total)
    return Tables(added, parts[0].features)


def _widened(counts: Array, width: int) -> Array:
    return np.pad(counts, ((0, 0), (0, width - counts.shape[1])))


def _shares(counts: Array) -> Array:
    return np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
