"""`LogisticRegression`: two classes, L1 and L2 penalties, Newton's method over the partitions."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.linear_model.blocks import blocks_of, map_rows
from dmlkit.linear_model.elastic_net import check_share
from dmlkit.linear_model.losses import Logistic, sigmoid
from dmlkit.linear_model.newton import Penalised, Totals, minimised, totals_of
from dmlkit.linear_model.prediction import fitted_features

__all__ = ["LogisticRegression"]

Vector = NDArray[np.float64]


@dataclass(eq=False)
class LogisticRegression:
    """Logistic regression of two classes.

    Each step of Newton's method is one pass over rows that stay on the workers; the client solves
    a system as large as there are features. Some six to ten steps are enough.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty; infinite for none.
    l1_ratio : float
        The share of L1 in the penalty: 0 is L2 alone, 1 is L1 alone, which leaves columns out.
    fit_intercept : bool
        The intercept is not penalised.
    tol : float
        A step that promises to lower the loss by less than the square of it, as a share, is the
        last one.
    max_iter : int

    Attributes
    ----------
    coef_ : (1, features) float64 array
    intercept_ : (1,) float64 array
    classes_ : (2,) int64 array
    n_iter_ : int
    feature_names_in_ : (features,) object array

    Notes
    -----
    The solution of `sklearn.linear_model.LogisticRegression` within 1e-6 where that has converged.
    Without a penalty there is none for classes that a plane separates. Memory on the client grows
    with the square of the features: some thousand at most.

    References
    ----------
    Hastie, Tibshirani, Friedman: *The Elements of Statistical Learning*, section 4.4.1.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    >>> model = LogisticRegression().fit(table, pd.Series([0, 0, 1, 1]))
    >>> model.predict(table).tolist(), model.coef_.round(3).tolist()
    ([0, 0, 1, 1], [[0.958]])
    """

    C: float = 1.0
    l1_ratio: float = 0.0
    fit_intercept: bool = True
    tol: float = 1e-9
    max_iter: int = 100

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : Series like X
            0 and 1.
        sample_weight : Series like X, optional

        Raises
        ------
        InputError
            Labels or features cannot be trained on.
        TrainingError
            It did not converge in `max_iter` steps.
        """
        if not self.C > 0:
            raise ConfigurationError(f"C is {self.C}; it must be above 0.")
        check_share(self.l1_ratio)
        blocks = blocks_of(X, y, sample_weight)
        totals = totals_of(blocks, Logistic())
        _checked(totals)
        centre = totals.centre(self.fit_intercept)
        l1, l2 = self.l1_ratio / self.C, (1 - self.l1_ratio) / self.C
        penalised = Penalised(blocks, Logistic(), l1, l2, centre, self.fit_intercept)
        found = minimised(penalised, 0.0, self.tol, self.max_iter, "LogisticRegression")
        self.coef_ = found.coefficients[None]
        self.intercept_ = np.array([found.intercept])
        self.n_iter_ = found.passes
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array(blocks.features, dtype=object)
        return self

    def decision_function(self, X: Any) -> Any:
        """Return the log-odds of class 1, lazily: a Series like `X`."""
        return map_rows(self._margin, X, fitted_features(self), "score")

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with the columns 0, 1."""
        return map_rows(self._probabilities, X, fitted_features(self), (0, 1))

    def predict(self, X: Any) -> Any:
        """Return the more probable class, lazily: a Series like `X`."""
        return map_rows(self._labels, X, fitted_features(self), "prediction")

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters."""
        return parameters_of(self)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("classifier")

    def _margin(self, design: Vector) -> Vector:
        margin: Vector = design @ self.coef_[0] + self.intercept_[0]
        return margin

    def _probabilities(self, design: Vector) -> Vector:
        chance = sigmoid(self._margin(design))
        return np.column_stack([1 - chance, chance])

    def _labels(self, design: Vector) -> Vector:
        return (self._margin(design) > 0).astype(np.int64)


def _checked(totals: Totals) -> None:
    positives = totals.labels
    negatives = totals.rows - totals.outside - positives
    if totals.outside or 0 in (negatives, positives):
        raise InputError(
            f"Of {totals.rows:,} labels, {negatives:,.0f} are 0 and {positives:,.0f} are 1. "
            "Both are needed, and no others."
        )
