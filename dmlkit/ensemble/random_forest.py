"""Random forests: trees that XGBoost grows side by side on samples of rows and columns."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Self

import numpy as np
import pandas as pd

from dmlkit.boosting import XGBClassifier, XGBRegressor
from dmlkit.declared import parameters_of, seed_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import names_of
from dmlkit.linear_model.labels import class_numbers_of
from dmlkit.metrics.scorers import ScoredClassifier, ScoredRegressor

__all__ = ["RandomForestClassifier", "RandomForestRegressor"]


@dataclass(eq=False)
class RandomForestRegressor(ScoredRegressor):
    """A random forest for numbers: the mean of many deep trees.

    Parameters
    ----------
    n_estimators : int
        Trees.
    max_depth : int
        Of a tree; the memory of workers grows with two to the power of it.
    min_samples_leaf : float
        Rows, or their weight, that a leaf has at least.
    max_features : "sqrt" or float
        The share of columns that each split chooses from, or the square root of their number.
    max_samples : float
        The share of rows that each tree grows on, drawn without putting back.
    random_state : int
    device : {"auto", "cpu", "cuda"}
        As of `XGBRegressor`.

    Attributes
    ----------
    model_ : XGBRegressor
        The trained forest; `dmlkit.boosting.save_bundle` keeps it, and it has the importances.
    feature_names_in_ : (features,) object array

    Notes
    -----
    XGBoost grows all trees in one round with no shrinking, so that leaves are means, as in any
    random forest. What `XGBRegressor` tells of workers that are lost and of partitions holds here;
    splits are between 256 quantiles of a column. Missing values and categories are allowed.

    References
    ----------
    Breiman: *Random Forests*. Machine Learning 45, 2001.
    Chen, Guestrin: *XGBoost: A Scalable Tree Boosting System*. KDD 2016.

    Examples
    --------
    >>> from dmlkit import connect
    >>> frame = pd.DataFrame({"x": [0.0, 0.0, 1.0, 1.0], "y": [2.0, 4.0, 7.0, 9.0]})
    >>> import dask.dataframe as dd
    >>> table = dd.from_pandas(frame, npartitions=2)
    >>> forest = RandomForestRegressor(n_estimators=10, max_samples=1.0)
    >>> with connect(workers=1, threads=1, memory="1GiB"):
    ...     forest.fit(table[["x"]], table["y"]).predict(table[["x"]]).compute().tolist()
    [3.0, 3.0, 8.0, 8.0]
    """

    n_estimators: int = 100
    max_depth: int = 14
    min_samples_leaf: float = 1
    max_features: str | float = 1.0
    max_samples: float = 0.632
    random_state: int = 0
    device: str = "auto"

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on the current client's workers; for X, y and sample_weight see `XGBRegressor`."""
        self.model_ = _trained(self, X, y, sample_weight)
        self.feature_names_in_ = self.model_.feature_names_in_
        return self

    def predict(self, X: Any) -> Any:
        """Return predictions, lazily: a Series like `X`."""
        return _model_of(self).predict(X)

    _repr_html_ = html_of

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("regressor")


@dataclass(eq=False)
class RandomForestClassifier(ScoredClassifier):
    """A random forest for classes: the mean shares of classes in the leaves of many deep trees.

    Parameters
    ----------
    n_estimators : int
        Trees; of several classes, for each of them.
    max_depth, min_samples_leaf, max_features, max_samples, random_state, device
        As of `RandomForestRegressor`.

    Attributes
    ----------
    model_ : XGBRegressor or XGBClassifier
        The trained forest: of two classes it gives the probability of the second, of several
        margins, which `predict_proba` turns to shares.
    classes_ : (classes,) array
        Sorted.
    feature_names_in_ : (features,) object array

    Notes
    -----
    For labels of 0 and 1, splits that lower the squared error most are those that lower Gini's
    impurity most, and the mean of a leaf is the share of class 1. So it is a random forest as
    others are: `xgboost.XGBRFClassifier` takes a step on log-odds instead, whose means are no
    probabilities. Of several classes each has trees of its own, which tell it from all others; the
    shares of a row are divided by their sum.

    References
    ----------
    Breiman: *Random Forests*. Machine Learning 45, 2001.
    Chen, Guestrin: *XGBoost: A Scalable Tree Boosting System*. KDD 2016.

    Examples
    --------
    Trained as `RandomForestRegressor` is, on labels of any type.

    >>> forest = RandomForestClassifier(n_estimators=500, min_samples_leaf=5)
    >>> forest.get_params()["max_features"]  # of each split
    'sqrt'
    """

    n_estimators: int = 100
    max_depth: int = 14
    min_samples_leaf: float = 1
    max_features: str | float = "sqrt"
    max_samples: float = 0.632
    random_state: int = 0
    device: str = "auto"

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on the current client's workers.

        Labels are of any type that can be sorted; for X and sample_weight see `XGBRegressor`.
        """
        numbers, labels = class_numbers_of(y)
        if len(labels) < 2:
            raise InputError(
                f"Labels of two classes are needed at least, but there are only {labels}. Look at "
                "the filters before it."
            )
        self.model_ = _trained(self, X, numbers, sample_weight, len(labels))
        self.classes_ = pd.Series(labels).to_numpy()
        self.feature_names_in_ = self.model_.feature_names_in_
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with a column for each."""
        return _partwise(_shares, self._grown(X), self.classes_.tolist())

    def predict(self, X: Any) -> Any:
        """Return the most probable class, lazily: a Series like `X`, of the labels' type."""
        return _partwise(_likeliest, self._grown(X), self.classes_.tolist())

    def _grown(self, X: Any) -> Any:
        model = _model_of(self)
        return model.predict(X) if len(self.classes_) == 2 else model.predict(X, output_margin=True)

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


def _trained(forest: Any, X: Any, y: Any, sample_weight: Any, classes: int = 2) -> Any:
    names = names_of(X)
    for name in ("n_estimators", "max_depth"):
        if not getattr(forest, name) >= 1:
            raise ConfigurationError(f"{name} is {getattr(forest, name)}; it must be 1 or more.")
    if not 0 < forest.max_samples <= 1:
        raise ConfigurationError(
            f"max_samples is {forest.max_samples}; it must be a share above 0 and up to 1."
        )
    common: dict[str, Any] = {
        "n_estimators": 1,
        "num_parallel_tree": forest.n_estimators,
        "learning_rate": 1.0,
        "reg_lambda": 0,
        "max_depth": forest.max_depth,
        "subsample": forest.max_samples,
        "colsample_bynode": _share(forest.max_features, len(names)),
        "random_state": seed_of(forest.random_state),
        "device": forest.device,
    }
    least = forest.min_samples_leaf
    model: Any = XGBRegressor(**common, min_child_weight=least)
    if classes > 2:
        # From a margin of 0 all classes are as likely, and leaves tell their shares by one rule.
        least *= _curvature(classes) * (1 - 1e-4)  # what rounding leaves of it is enough
        model = XGBClassifier(**common, min_child_weight=least, base_score=0)
    return model.fit(X, y, sample_weight=sample_weight)


def _curvature(classes: int) -> float:
    """Return what XGBoost takes for a row's second derivative where all classes are as likely.

    A leaf is the share of a class less the usual one, divided by it.
    """
    return 2 * (1 - 1 / classes) / classes


def _share(max_features: str | float, columns: int) -> float:
    if max_features == "sqrt":
        return sqrt(columns) / columns
    if isinstance(max_features, str) or not 0 < max_features <= 1:
        raise ConfigurationError(
            f"max_features is {max_features!r}; it must be 'sqrt', or a share above 0 and up to 1."
        )
    return max_features


def _model_of(forest: Any) -> Any:
    if not hasattr(forest, "model_"):
        raise NotFittedError(f"This {type(forest).__name__} is not fitted yet: call fit first.")
    return forest.model_


def _partwise(function: Any, grown: Any, labels: list[Any]) -> Any:
    if isinstance(grown, (pd.Series, pd.DataFrame)):
        return function(grown, labels)
    return grown.map_partitions(function, labels, meta=function(grown._meta, labels))


def _shares(grown: Any, labels: list[Any]) -> pd.DataFrame:
    if len(labels) == 2:
        chance = grown.clip(0, 1)
        return pd.DataFrame({labels[0]: 1 - chance, labels[1]: chance})
    count = len(labels)
    # Rounding may take a share a little below 0; one class has some.
    shares = np.clip(1 / count + _curvature(count) * grown.to_numpy(), 1e-9, 1)
    shares /= shares.sum(axis=1, keepdims=True)
    return pd.DataFrame(shares, index=grown.index, columns=labels)


def _likeliest(grown: Any, labels: list[Any]) -> pd.Series:
    place = (grown > 0.5).astype(np.int64) if len(labels) == 2 else grown.to_numpy().argmax(axis=1)
    values = pd.Series(labels).array.take(np.asarray(place))
    return pd.Series(values, index=grown.index, name="prediction")
