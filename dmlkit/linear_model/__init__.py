"""Linear models on frames of any size, converging to scikit-learn's solutions."""

from dmlkit.linear_model.elastic_net import ElasticNet, Lasso
from dmlkit.linear_model.generalised import GammaRegressor, PoissonRegressor, TweedieRegressor
from dmlkit.linear_model.least_squares import LinearRegression, Ridge
from dmlkit.linear_model.logistic import LogisticRegression

__all__ = [
    "ElasticNet",
    "GammaRegressor",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "TweedieRegressor",
]
