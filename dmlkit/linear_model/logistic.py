"""`LogisticRegression`: two classes, an L2 penalty, Newton's method over the partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.declared import parameters_of, set_parameters
from dmlkit.errors import ConfigurationError, InputError, NotFittedError, TrainingError
from dmlkit.linear_model.blocks import Block, Blocks, blocks_of, map_rows

__all__ = ["LogisticRegression"]

Vector = NDArray[np.float64]

#: A step that made the loss larger is halved so often at most.
MOST_HALVINGS = 30


class Slope(NamedTuple):
    """Loss, gradient and Hessian over some rows, the intercept's entry last."""

    loss: float
    gradient: Vector
    hessian: Vector


@dataclass(eq=False)
class LogisticRegression:
    """Logistic regression of two classes.

    Each step of Newton's method is one pass over rows that stay on the workers; the client solves
    a system as large as there are features. Some six to ten steps are enough.

    Parameters
    ----------
    C : float
        Inverse strength of the L2 penalty; infinite for none.
    fit_intercept : bool
        The intercept is not penalised.
    tol : float
        The largest entry of the gradient, for each row, that is taken for zero.
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
    Memory on the client grows with the square of the features: some thousand at most.

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
        blocks = blocks_of(X, y, sample_weight)
        rows = _checked_rows(blocks)
        parameters = self._minimised(blocks, len(blocks.features), rows)
        self.coef_ = parameters[None, :-1]
        self.intercept_ = parameters[-1:]
        self.classes_ = np.array([0, 1])
        self.feature_names_in_ = np.array(blocks.features, dtype=object)
        return self

    def decision_function(self, X: Any) -> Any:
        """Return the log-odds of class 1, lazily: a Series like `X`."""
        return map_rows(self._margin, X, self._features(), "score")

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with the columns 0, 1."""
        return map_rows(self._probabilities, X, self._features(), (0, 1))

    def predict(self, X: Any) -> Any:
        """Return the more probable class, lazily: a Series like `X`."""
        return map_rows(self._labels, X, self._features(), "prediction")

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters."""
        return parameters_of(self)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def _features(self) -> list[str]:
        if not hasattr(self, "coef_"):
            raise NotFittedError("This LogisticRegression is not fitted yet: call fit first.")
        return [str(name) for name in self.feature_names_in_]

    def _margin(self, design: Vector) -> Vector:
        margin: Vector = design @ self.coef_[0] + self.intercept_[0]
        return margin

    def _probabilities(self, design: Vector) -> Vector:
        chance = _sigmoid(self._margin(design))
        return np.column_stack([1 - chance, chance])

    def _labels(self, design: Vector) -> Vector:
        return (self._margin(design) > 0).astype(np.int64)

    def _minimised(self, blocks: Blocks, features: int, rows: float) -> Vector:
        """Return coefficients and intercept at which the penalised loss is least."""
        penalty = np.append(np.full(features, 1 / self.C), 0.0)
        here, step = np.zeros(features + 1), np.zeros(features + 1)
        least, halvings = np.inf, 0
        for step_number in range(1, self.max_iter + 1):
            self.n_iter_ = step_number
            found = blocks.sum(_slope, _add, here, self.fit_intercept)
            loss = found.loss + penalty @ here**2 / 2
            if loss > least + 1e-12 * abs(least) and halvings < MOST_HALVINGS:
                step, halvings = step / 2, halvings + 1
                here = here + step  # back by half of what was gone
                continue
            least, halvings = loss, 0
            gradient = found.gradient + penalty * here
            if np.abs(gradient).max() <= self.tol * rows:
                return here
            hessian = found.hessian + np.diag(penalty)
            step = np.linalg.lstsq(hessian, gradient, rcond=1e-14)[0]
            here = here - step
        raise TrainingError(
            f"LogisticRegression did not converge in {self.max_iter} steps. Scale the columns "
            "(StandardScaler), lower C, or raise max_iter."
        )


def _checked_rows(blocks: Blocks) -> float:
    rows, negatives, positives, weight = blocks.sum(_count, _total).tolist()
    if negatives + positives < rows or 0 in (negatives, positives):
        raise InputError(
            f"Of {rows:,.0f} labels, {negatives:,.0f} are 0 and {positives:,.0f} are 1. Both are "
            "needed, and no others."
        )
    return float(weight)


def _count(block: Block) -> Vector:
    label = block.label
    counts = [len(label), (label == 0).sum(), (label == 1).sum(), block.weight.sum()]
    return np.array(counts, dtype=np.float64)


def _total(counts: Sequence[Vector]) -> Vector:
    return reduce(np.add, counts)


def _slope(block: Block, parameters: Vector, fit_intercept: bool) -> Slope:
    design = np.column_stack([block.design, np.full(len(block.label), float(fit_intercept))])
    margin = design @ parameters
    chance = _sigmoid(margin)
    # log(1 + exp(margin)) - label * margin, without overflow.
    loss = np.logaddexp(0, margin) - block.label * margin
    curvature = block.weight * chance * (1 - chance)
    return Slope(
        float(block.weight @ loss),
        design.T @ (block.weight * (chance - block.label)),
        (design.T * curvature) @ design,
    )


def _add(parts: Sequence[Slope]) -> Slope:
    loss, gradient, hessian = (reduce(np.add, each) for each in zip(*parts, strict=True))
    return Slope(float(loss), gradient, hessian)


def _sigmoid(margin: Vector) -> Vector:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-margin))
