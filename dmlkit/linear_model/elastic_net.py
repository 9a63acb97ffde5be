"""`Lasso` and `ElasticNet`: least squares that leave columns out, in one pass over the rows."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, TrainingError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import blocks_of
from dmlkit.linear_model.coordinates import least_quadratic
from dmlkit.linear_model.prediction import linear_prediction
from dmlkit.linear_model.products import products_of
from dmlkit.metrics.scorers import ScoredRegressor

__all__ = ["ElasticNet", "Lasso", "check_share"]

Vector = NDArray[np.float64]


@dataclass(eq=False)
class ElasticNet(ScoredRegressor):
    """Least squares with L1 and L2 penalties.

    One pass adds up the products of all columns; the client does the rest with them alone.

    Parameters
    ----------
    alpha : float
        Strength of both penalties; the intercept is not penalised.
    l1_ratio : float
        The share of L1: 0 is L2 alone, 1 is L1 alone.
    fit_intercept : bool
    positive : bool
        Whether coefficients must not be below 0.
    max_iter : int
        Sweeps of coordinate descent over the columns; they cost no pass over the rows.

    Attributes
    ----------
    coef_ : (features,) float64 array
    intercept_ : float
    n_iter_ : int
        Sweeps.
    feature_names_in_ : (features,) object array

    Notes
    -----
    The solution of `sklearn.linear_model.ElasticNet` within 1e-8 of the largest coefficient on
    columns that are not collinear, where that has converged: least is half the mean squared error
    plus ``alpha * l1_ratio`` times the sizes of coefficients and half of ``alpha * (1 - l1_ratio)``
    times their squares. Memory on the client grows with the square of the columns.

    References
    ----------
    Friedman, Hastie, Tibshirani: *Regularization Paths for Generalized Linear Models via Coordinate
    Descent*. Journal of Statistical Software 33, 2010.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "noise": [1.0, 0.0, 0.0, 1.0]})
    >>> model = ElasticNet(alpha=0.5).fit(table, pd.Series([0.0, 2.0, 4.0, 6.0]))
    >>> model.coef_.round(6).tolist(), round(model.intercept_, 6)
    ([1.5, 0.0], 0.75)
    """

    alpha: float = 1.0
    l1_ratio: float = 0.5
    fit_intercept: bool = True
    positive: bool = False
    max_iter: int = 10_000

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table; of what X, y and sample_weight are, see `LogisticRegression.fit`."""
        check_share(self.l1_ratio)
        return _fitted(self, self.l1_ratio, X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        """Return predictions, lazily: a Series like `X`."""
        return linear_prediction(self, X)

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
class Lasso(ScoredRegressor):
    """Least squares with an L1 penalty, which leaves columns out.

    Parameters
    ----------
    alpha : float
        Strength of the penalty; the intercept is not penalised.
    fit_intercept, positive, max_iter
        As of `ElasticNet`.

    Attributes
    ----------
    coef_ : (features,) float64 array
    intercept_ : float
    n_iter_ : int
        Sweeps.
    feature_names_in_ : (features,) object array

    Notes
    -----
    `ElasticNet` with an l1_ratio of 1.

    References
    ----------
    Tibshirani: *Regression Shrinkage and Selection via the Lasso*. Journal of the Royal Statistical
    Society B 58, 1996.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "noise": [1.0, 0.0, 0.0, 1.0]})
    >>> Lasso(alpha=0.5).fit(table, pd.Series([0.0, 2.0, 4.0, 6.0])).coef_.round(6).tolist()
    [1.6, 0.0]
    """

    alpha: float = 1.0
    fit_intercept: bool = True
    positive: bool = False
    max_iter: int = 10_000

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table; of what X, y and sample_weight are, see `LogisticRegression.fit`."""
        return _fitted(self, 1.0, X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        """Return predictions, lazily: a Series like `X`."""
        return linear_prediction(self, X)

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


def check_share(l1_ratio: float) -> None:
    """Raise a ConfigurationError where l1_ratio is no share."""
    if not 0 <= l1_ratio <= 1:
        raise ConfigurationError(f"l1_ratio is {l1_ratio}; it must be from 0 to 1.")


def _fitted(model: Any, l1_ratio: float, X: Any, y: Any, sample_weight: Any) -> Any:
    if not model.alpha >= 0:
        raise ConfigurationError(f"alpha is {model.alpha}; it must be 0 or more.")
    blocks = blocks_of(X, y, sample_weight)
    found = products_of(blocks, about_mean=model.fit_intercept)
    count = len(blocks.features)
    l2 = model.alpha * (1 - l1_ratio)
    least = least_quadratic(
        found.products[:count, :count] / found.weight + l2 * np.eye(count),
        -found.products[:count, -1] / found.weight,
        np.full(count, model.alpha * l1_ratio),
        np.zeros(count),
        positive=model.positive,
        most_sweeps=model.max_iter,
    )
    if not least.settled:
        raise TrainingError(
            f"{type(model).__name__} did not converge in {least.sweeps:,} sweeps. Leave out "
            "columns that say the same, raise alpha, or raise max_iter."
        )
    model.coef_, model.n_iter_ = least.point, least.sweeps
    model.intercept_ = float(found.mean[-1] - found.mean[:count] @ least.point)
    model.feature_names_in_ = np.array(blocks.features, dtype=object)
    return model
