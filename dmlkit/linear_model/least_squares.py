"""`LinearRegression` and `Ridge`: least squares in one pass over the partitions."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import blocks_of
from dmlkit.linear_model.prediction import linear_prediction
from dmlkit.linear_model.products import products_of
from dmlkit.metrics.scorers import ScoredRegressor

__all__ = ["LinearRegression", "Ridge"]

Vector = NDArray[np.float64]


@dataclass(eq=False)
class Ridge(ScoredRegressor):
    """Least squares with an L2 penalty.

    Parameters
    ----------
    alpha : float
        Strength of the penalty; the intercept is not penalised.
    fit_intercept : bool

    Attributes
    ----------
    coef_ : (features,) float64 array
    intercept_ : float
    feature_names_in_ : (features,) object array

    Notes
    -----
    The solution of `sklearn.linear_model.Ridge` within 1e-8 of the largest coefficient on columns
    that are not collinear: normal equations of products about the means, from one pass.

    Examples
    --------
    >>> import pandas as pd
    >>> model = Ridge(alpha=2.0).fit(pd.DataFrame({"x": [0.0, 1.0, 2.0]}), pd.Series([1, 3, 5]))
    >>> model.coef_.tolist(), model.intercept_
    ([1.0], 2.0)
    """

    alpha: float = 1.0
    fit_intercept: bool = True

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table; of what X, y and sample_weight are, see `LogisticRegression.fit`."""
        if not self.alpha >= 0:
            raise ConfigurationError(f"alpha is {self.alpha}; it must be 0 or more.")
        self.coef_, self.intercept_, self.feature_names_in_ = _solved(
            X, y, sample_weight, self.alpha, self.fit_intercept
        )
        return self

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
class LinearRegression(ScoredRegressor):
    """Least squares without a penalty.

    Parameters
    ----------
    fit_intercept : bool

    Attributes
    ----------
    coef_ : (features,) float64 array
        Of collinear columns the solution with the smallest norm.
    intercept_ : float
    feature_names_in_ : (features,) object array

    Notes
    -----
    As `Ridge`, without the penalty. Where columns are collinear, many coefficients give the same
    predictions, which are scikit-learn's: these are the smallest on columns of one size.

    Examples
    --------
    >>> import pandas as pd
    >>> model = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0, 2.0]}), pd.Series([1, 3, 5]))
    >>> model.predict(pd.DataFrame({"x": [10.0]})).round(6).tolist()
    [21.0]
    """

    fit_intercept: bool = True

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table; of what X, y and sample_weight are, see `LogisticRegression.fit`."""
        self.coef_, self.intercept_, self.feature_names_in_ = _solved(
            X, y, sample_weight, 0.0, self.fit_intercept
        )
        return self

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


def _solved(
    X: Any, y: Any, sample_weight: Any, alpha: float, fit_intercept: bool
) -> tuple[Vector, float, Any]:
    blocks = blocks_of(X, y, sample_weight)
    found = products_of(blocks, about_mean=fit_intercept)
    features, products, mean = len(blocks.features), found.products, found.mean
    # On columns of one size, so that small ones are not taken for collinear.
    size = np.sqrt(np.diag(products)[:features])
    size = np.where(size > 0, size, 1.0)
    scaled = products[:features, :features] / np.outer(size, size) + np.diag(alpha / size**2)
    coefficients = np.linalg.lstsq(scaled, products[:features, -1] / size, rcond=1e-13)[0] / size
    intercept = float(mean[-1] - mean[:features] @ coefficients)
    return coefficients, intercept, np.array(blocks.features, dtype=object)
