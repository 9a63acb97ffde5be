"""Random forests: trees that XGBoost grows side by side on samples of rows and columns."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Self

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting import XGBRegressor
from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.linear_model.blocks import names_of

__all__ = ["RandomForestClassifier", "RandomForestRegressor"]


@dataclass(eq=False)
class RandomForestRegressor:
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
        return _means(self, X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters."""
        return parameters_of(self)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("regressor")


@dataclass(eq=False)
class RandomForestClassifier:
    """A random forest for two classes: the mean share of class 1 in the leaves of many deep trees.

    Parameters
    ----------
    n_estimators, max_depth, min_samples_leaf, max_features, max_samples, random_state, device
        As of `RandomForestRegressor`.

    Attributes
    ----------
    model_ : XGBRegressor
        The trained forest, which gives the probability of class 1.
    classes_ : (2,) int64 array
    feature_names_in_ : (features,) object array

    Notes
    -----
    For labels of 0 and 1, splits that lower the squared error most are those that lower Gini's
    impurity most, and the mean of a leaf is the share of class 1. So it is a random forest as
    others are: `xgboost.XGBRFClassifier` takes a step on log-odds instead, whose means are no
    probabilities. For several classes there is `XGBClassifier`.

    References
    ----------
    Breiman: *Random Forests*. Machine Learning 45, 2001.
    Chen, Guestrin: *XGBoost: A Scalable Tree Boosting System*. KDD 2016.

    Examples
    --------
    Trained as `RandomForestRegressor` is, on labels of 0 and 1.

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
        """Train on the current client's workers; labels are 0 and 1. See `XGBRegressor.fit`."""
        _check_labels(y)
        self.model_ = _trained(self, X, y, sample_weight)
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = self.model_.feature_names_in_
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with the columns 0, 1."""
        return _partwise(_both_classes, _means(self, X))

    def predict(self, X: Any) -> Any:
        """Return the more probable class, lazily: a Series like `X`."""
        return _partwise(_likelier, _means(self, X))

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters."""
        return parameters_of(self)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("classifier")


def _trained(forest: Any, X: Any, y: Any, sample_weight: Any) -> XGBRegressor:
    names = names_of(X)
    for name in ("n_estimators", "max_depth"):
        if not getattr(forest, name) >= 1:
            raise ConfigurationError(f"{name} is {getattr(forest, name)}; it must be 1 or more.")
    if not 0 < forest.max_samples <= 1:
        raise ConfigurationError(
            f"max_samples is {forest.max_samples}; it must be a share above 0 and up to 1."
        )
    model = XGBRegressor(
        n_estimators=1,
        num_parallel_tree=forest.n_estimators,
        learning_rate=1.0,
        reg_lambda=0,
        max_depth=forest.max_depth,
        min_child_weight=forest.min_samples_leaf,
        subsample=forest.max_samples,
        colsample_bynode=_share(forest.max_features, len(names)),
        random_state=forest.random_state,
        device=forest.device,
    )
    return model.fit(X, y, sample_weight=sample_weight)


def _share(max_features: str | float, columns: int) -> float:
    if max_features == "sqrt":
        return sqrt(columns) / columns
    if isinstance(max_features, str) or not 0 < max_features <= 1:
        raise ConfigurationError(
            f"max_features is {max_features!r}; it must be 'sqrt', or a share above 0 and up to 1."
        )
    return max_features


def _check_labels(y: Any) -> None:
    if not isinstance(y, (pd.Series, dd.Series)):
        raise InputError(f"Labels must be a Series like the table, not {type(y).__name__}.")
    rows, negatives, positives = dask.compute(y.size, (y == 0).sum(), (y == 1).sum())
    if negatives + positives < rows or 0 in (negatives, positives):
        raise InputError(
            f"Of {rows:,} labels, {negatives:,} are 0 and {positives:,} are 1. Both are needed, "
            "and no others. For several classes take XGBClassifier."
        )


def _means(forest: Any, X: Any) -> Any:
    if not hasattr(forest, "model_"):
        raise NotFittedError(f"This {type(forest).__name__} is not fitted yet: call fit first.")
    return forest.model_.predict(X)


def _partwise(function: Any, means: Any) -> Any:
    if isinstance(means, pd.Series):
        return function(means)
    return means.map_partitions(function, meta=function(means._meta))


def _both_classes(means: pd.Series) -> pd.DataFrame:
    chance = means.clip(0, 1)
    return pd.DataFrame({0: 1 - chance, 1: chance})


def _likelier(means: pd.Series) -> pd.Series:
    return (means > 0.5).astype(np.int64)
