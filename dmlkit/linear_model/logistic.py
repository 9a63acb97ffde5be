"""`LogisticRegression`: classes, L1 and L2 penalties, Newton's method over the partitions."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import Blocks, map_rows
from dmlkit.linear_model.elastic_net import check_share
from dmlkit.linear_model.labels import class_blocks_of
from dmlkit.linear_model.losses import Logistic, sigmoid
from dmlkit.linear_model.multinomial import Multinomial
from dmlkit.linear_model.newton import minimised
from dmlkit.linear_model.penalised import Penalised, Totals, totals_of
from dmlkit.linear_model.prediction import fitted_features
from dmlkit.linear_model.sampled_start import starts_of
from dmlkit.metrics.scorers import ScoredClassifier

__all__ = ["LogisticRegression"]

Vector = NDArray[np.float64]

#: With more of them, their Hessian would not fit a usual client.
MOST_COEFFICIENTS = 10_000


@dataclass(eq=False)
class LogisticRegression(ScoredClassifier):
    """Logistic regression of two classes or more.

    Each step of Newton's method is one pass over rows that stay on the workers. Of a large table a
    sample says where to start: three to six passes over all rows are enough then, else some ten.

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
    coef_ : (1, features) or (classes, features) float64 array
        Of two classes one row, of the second one.
    intercept_ : (1,) or (classes,) float64 array
    classes_ : (classes,) array
        Sorted.
    n_iter_ : int
        Passes over all rows.
    feature_names_in_ : (features,) object array

    Notes
    -----
    The solution of `sklearn.linear_model.LogisticRegression` within 1e-6 where that has converged.
    Without a penalty there is none for classes that a plane separates. Several classes are told
    apart together (multinomial): the Hessian of some rows steers the steps, the gradient of all
    says where they end. A matrix as large as there are coefficients, those of all classes, is
    solved on the client: some thousand are the most.

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
    >>> LogisticRegression(C=10).fit(table, pd.Series(list("aabc"))).predict(table).tolist()
    ['a', 'a', 'b', 'c']
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
            Labels of any type that can be sorted.
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
        blocks, labels = class_blocks_of(X, y, sample_weight)
        totals = totals_of(blocks)
        problem = self._problem(blocks, labels, totals)
        starts = starts_of(problem, totals.rows, problem.start())
        found = minimised(problem, starts, self.tol, self.max_iter, "LogisticRegression")
        coefficients, intercept = problem.about_zero(found.point)
        self.coef_ = np.atleast_2d(coefficients)
        self.intercept_ = np.atleast_1d(intercept)
        self.n_iter_ = found.passes
        self.classes_ = pd.Series(labels).to_numpy()
        self.feature_names_in_ = np.array(blocks.features, dtype=object)
        return self

    def decision_function(self, X: Any) -> Any:
        """Return the log-odds of the second class, lazily: a Series like `X`.

        Of several classes a frame like `X` with the margin of each, which sum up to 0.
        """
        features = fitted_features(self)
        if len(self.classes_) == 2:
            return map_rows(lambda design: self._margins(design)[:, 0], X, features, "score")
        return map_rows(self._margins, X, features, self.classes_.tolist())

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with a column for each."""
        features = fitted_features(self)
        return map_rows(self._probabilities, X, features, self.classes_.tolist())

    def predict(self, X: Any) -> Any:
        """Return the most probable class, lazily: a Series like `X`, of the labels' type."""
        return map_rows(self._labels, X, fitted_features(self), "prediction")

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

    def _problem(self, blocks: Blocks, labels: list[Any], totals: Totals) -> Any:
        count = len(labels)
        if count < 2:
            raise InputError(
                f"All {totals.rows:,} labels are {labels[0]!r}. Two classes are needed at least."
            )
        centre = totals.centre(self.fit_intercept)
        penalties = (self.l1_ratio / self.C, (1 - self.l1_ratio) / self.C)
        if count == 2:
            return Penalised(blocks, Logistic(), penalties, centre, self.fit_intercept)
        if count * (len(centre) + 1) > MOST_COEFFICIENTS:
            raise InputError(
                f"{count:,} classes (such as {labels[0]!r} and {labels[1]!r}) of {len(centre):,} "
                f"columns have more than {MOST_COEFFICIENTS:,} coefficients. Put rare classes "
                "together, take fewer columns, or take XGBClassifier."
            )
        return Multinomial(blocks, totals.rows, count, penalties, centre, self.fit_intercept)

    def _margins(self, design: Vector) -> Vector:
        margins: Vector = design @ self.coef_.T + self.intercept_
        return margins

    def _probabilities(self, design: Vector) -> Vector:
        margins = self._margins(design)
        if len(self.classes_) > 2:
            chances: Vector = softmax(margins, axis=1)
            return chances
        chance = sigmoid(margins[:, 0])
        return np.column_stack([1 - chance, chance])

    def _labels(self, design: Vector) -> Any:
        margins = self._margins(design)
        two = len(self.classes_) == 2
        place = (margins[:, 0] > 0).astype(np.int64) if two else margins.argmax(axis=1)
        return pd.Series(self.classes_.tolist()).array.take(place)
