"""Generalised linear models: counts, amounts and whatever else varies more the larger it is."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import blocks_of, map_rows
from dmlkit.linear_model.losses import Tweedie
from dmlkit.linear_model.newton import minimised
from dmlkit.linear_model.penalised import Penalised, Totals, totals_of
from dmlkit.linear_model.prediction import fitted_features
from dmlkit.linear_model.sampled_start import starts_of
from dmlkit.metrics.scorers import ScoredByDeviance

__all__ = ["GammaRegressor", "PoissonRegressor", "TweedieRegressor"]

Vector = NDArray[np.float64]

POISSON, GAMMA = Tweedie(1, log=True), Tweedie(2, log=True)


@dataclass(eq=False)
class TweedieRegressor(ScoredByDeviance):
    """A generalised linear model of a label whose variance is a power of its mean.

    Each step of Newton's method is one pass over rows that stay on the workers; some five to ten
    are enough.

    Parameters
    ----------
    power : float
        0 is normal, 1 Poisson, between 1 and 2 compound Poisson (some labels are 0), 2 gamma,
        3 inverse Gaussian.
    alpha : float
        Strength of the L2 penalty; the intercept is not penalised.
    fit_intercept : bool
    link : {"auto", "identity", "log"}
        What the mean is a linear function after; "auto" is the logarithm where power is above 0.
    tol : float
        A step that promises to lower the loss by less than the square of it, as a share, is the
        last one.
    max_iter : int

    Attributes
    ----------
    coef_ : (features,) float64 array
    intercept_ : float
    n_iter_ : int
        Passes.
    feature_names_in_ : (features,) object array

    Notes
    -----
    The solution of `sklearn.linear_model.TweedieRegressor` within 1e-6 where that has converged:
    least is half the mean deviance plus ``alpha / 2`` times the squared coefficients. With the
    link "identity" and a power other than 0, the best means of all rows must be above 0.

    References
    ----------
    McCullagh, Nelder: *Generalized Linear Models*. Chapman and Hall 1989.
    Jørgensen: *The Theory of Dispersion Models*. Chapman and Hall 1997.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    >>> model = TweedieRegressor(power=1.5, alpha=0).fit(table, pd.Series([1.0, 2.0, 4.0, 8.0]))
    >>> model.predict(table).round(6).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """

    power: float = 0.0
    alpha: float = 1.0
    fit_intercept: bool = True
    link: str = "auto"
    tol: float = 1e-9
    max_iter: int = 100

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : Series like X
            Above 0 where power is 2 or more, and not below where it is 1 or more.
        sample_weight : Series like X, optional

        Raises
        ------
        InputError
            Labels or features cannot be trained on.
        TrainingError
            It did not converge in `max_iter` steps.
        """
        return _fitted(self, self._loss(), X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        """Return the expected labels, lazily: a Series like `X`."""
        return _predicted(self, self._loss(), X)

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

    def _loss(self) -> Tweedie:
        if 0 < self.power < 1:
            raise ConfigurationError(
                f"power is {self.power}; no distribution has one between 0 and 1."
            )
        if self.link not in ("auto", "identity", "log"):
            raise ConfigurationError(
                f"link is {self.link!r}; it must be one of 'auto', 'identity', 'log'."
            )
        return Tweedie(self.power, self.link == "log" or (self.link == "auto" and self.power > 0))


@dataclass(eq=False)
class PoissonRegressor(ScoredByDeviance):
    """A generalised linear model of counts.

    Parameters
    ----------
    alpha : float
        Strength of the L2 penalty; the intercept is not penalised.
    fit_intercept : bool
    tol : float
        As of `TweedieRegressor`.
    max_iter : int

    Attributes
    ----------
    coef_ : (features,) float64 array
    intercept_ : float
    n_iter_ : int
        Passes.
    feature_names_in_ : (features,) object array

    Notes
    -----
    `TweedieRegressor` with a power of 1: the logarithm of the expected count is a linear function.
    For counts over different times, give ``count / time`` as labels and ``time`` as weights.

    References
    ----------
    McCullagh, Nelder: *Generalized Linear Models*. Chapman and Hall 1989.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0, 0, 1, 1]})
    >>> model = PoissonRegressor(alpha=0).fit(table, pd.Series([1, 3, 4, 8]))
    >>> model.predict(table).round(6).tolist()
    [2.0, 2.0, 6.0, 6.0]
    """

    alpha: float = 1.0
    fit_intercept: bool = True
    tol: float = 1e-9
    max_iter: int = 100

    power = POISSON.power  # of this distribution, and no parameter

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table; labels are 0 or more. See `TweedieRegressor.fit`."""
        return _fitted(self, POISSON, X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        """Return the expected counts, lazily: a Series like `X`."""
        return _predicted(self, POISSON, X)

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
class GammaRegressor(ScoredByDeviance):
    """A generalised linear model of amounts above 0 that scatter in proportion to their size.

    Parameters
    ----------
    alpha : float
        Strength of the L2 penalty; the intercept is not penalised.
    fit_intercept : bool
    tol : float
        As of `TweedieRegressor`.
    max_iter : int

    Attributes
    ----------
    coef_ : (features,) float64 array
    intercept_ : float
    n_iter_ : int
        Passes.
    feature_names_in_ : (features,) object array

    Notes
    -----
    `TweedieRegressor` with a power of 2: the logarithm of the expected amount is a linear function.

    References
    ----------
    McCullagh, Nelder: *Generalized Linear Models*. Chapman and Hall 1989.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [0, 0, 1, 1]})
    >>> model = GammaRegressor(alpha=0).fit(table, pd.Series([1.0, 3.0, 4.0, 8.0]))
    >>> model.predict(table).round(6).tolist()
    [2.0, 2.0, 6.0, 6.0]
    """

    alpha: float = 1.0
    fit_intercept: bool = True
    tol: float = 1e-9
    max_iter: int = 100

    power = GAMMA.power  # of this distribution, and no parameter

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train on a table; labels are above 0. See `TweedieRegressor.fit`."""
        return _fitted(self, GAMMA, X, y, sample_weight)

    def predict(self, X: Any) -> Any:
        """Return the expected amounts, lazily: a Series like `X`."""
        return _predicted(self, GAMMA, X)

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


def _fitted(model: Any, loss: Tweedie, X: Any, y: Any, sample_weight: Any) -> Any:
    if not model.alpha >= 0:
        raise ConfigurationError(f"alpha is {model.alpha}; it must be 0 or more.")
    blocks = blocks_of(X, y, sample_weight)
    totals = totals_of(blocks, loss)
    intercept = _start(totals, loss, model.fit_intercept)
    centre = totals.centre(model.fit_intercept)
    # scikit-learn penalises the mean loss, not the sum.
    l2 = model.alpha * totals.weight
    penalised = Penalised(blocks, loss, (0.0, l2), centre, model.fit_intercept)
    starts = starts_of(penalised, totals.rows, penalised.start(intercept))
    found = minimised(penalised, starts, model.tol, model.max_iter, type(model).__name__)
    model.coef_, model.intercept_ = penalised.about_zero(found.point)
    model.n_iter_ = found.passes
    model.feature_names_in_ = np.array(blocks.features, dtype=object)
    return model


def _start(totals: Totals, loss: Tweedie, fit_intercept: bool) -> float:
    """Return the intercept at which all rows have the mean of the labels."""
    if totals.outside:
        bound = "below 0" if loss.power < 2 else "0 or below"
        raise InputError(
            f"{totals.outside:,} of {totals.rows:,} labels are {bound}, which a power of "
            f"{loss.power:g} does not allow. Leave these rows out, or choose another power."
        )
    if not fit_intercept:
        if loss.log or loss.power == 0:
            return 0.0
        raise ConfigurationError(
            f"With link='identity', a power of {loss.power:g} needs an intercept: means "
            "start above 0. Set fit_intercept=True or link='log'."
        )
    mean = totals.weighted_labels / totals.weight
    start = loss.margin(mean)
    if not np.isfinite(start):
        raise InputError(
            f"The mean of the labels is {mean:g}, but it must be above 0 here. Look at the labels, "
            "or choose a power of 0 with link='identity'."
        )
    return start


def _predicted(model: Any, loss: Tweedie, X: Any) -> Any:
    names = fitted_features(model)
    coefficients, intercept = model.coef_, model.intercept_

    def expected(design: Vector) -> Vector:
        return loss.mean(design @ coefficients + intercept)

    return map_rows(expected, X, names, "prediction")
