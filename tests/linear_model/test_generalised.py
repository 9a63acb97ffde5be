"""Generalised linear models reach scikit-learn's solutions, on any partitions."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, NotFittedError, TrainingError
from dmlkit.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(6)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(8)
    values = random.normal(size=(3_000, 6)) * [1, 1, 1, 3, 0.1, 1] + [0, 5, 0, 0, 0, 0]
    frame = pd.DataFrame(values, columns=FEATURES)
    mean = np.exp(frame @ [0.3, -0.2, 0, 0.1, 2, 0.5] + 0.5)
    frame["count"] = random.poisson(mean)
    frame["amount"] = mean * random.gamma(2, 0.5, 3_000)
    frame["cost"] = frame["amount"].where(random.random(3_000) < 0.6, 0)
    frame["level"] = frame @ [0.3, -0.2, 0, 0.1, 2, 0.5, 0, 0, 0] * 100 + random.normal(size=3_000)
    frame["near"] = 20 + frame["x0"] + random.random(3_000)
    frame["weight"] = random.random(3_000)
    return frame


CASES = [
    (PoissonRegressor(), "count"),
    (PoissonRegressor(alpha=0, fit_intercept=False), "count"),
    (GammaRegressor(alpha=0.1), "amount"),
    (TweedieRegressor(), "level"),
    (TweedieRegressor(power=0, alpha=0.01, link="log"), "near"),
    (TweedieRegressor(power=1.5, alpha=0.01), "cost"),
    (TweedieRegressor(power=3, alpha=0.1), "amount"),
    (TweedieRegressor(power=1, link="identity"), "near"),
    (TweedieRegressor(power=2.5, link="identity"), "near"),
    (TweedieRegressor(power=-1), "near"),
]


@pytest.mark.parametrize(("model", "label"), CASES, ids=str)
def test_the_solution_is_scikit_learns_on_any_partitions(table, model, label) -> None:
    options = model.get_params() | {"tol": 1e-12, "solver": "newton-cholesky"}
    theirs = getattr(sklearn.linear_model, type(model).__name__)(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it ends where rounding begins, and says so
        theirs.fit(table[FEATURES], table[label], sample_weight=table["weight"])
    ours, found = clone(model), []
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        ours.fit(frame[FEATURES], frame[label], sample_weight=frame["weight"])
        found.append(np.append(ours.coef_, ours.intercept_))
    expected = np.append(theirs.coef_, theirs.intercept_)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-9, atol=1e-10)
    predicted = ours.predict(frame)
    assert predicted.npartitions == frame.npartitions
    np.testing.assert_allclose(predicted.compute(), theirs.predict(table[FEATURES]), rtol=1e-5)


def test_the_size_of_columns_and_labels_makes_no_difference(table) -> None:
    X, y = table[FEATURES], table["amount"]
    model = GammaRegressor(alpha=0).fit(X, y)
    far = GammaRegressor(alpha=0).fit(X * 1e-6 + 1, y * 1e9)
    np.testing.assert_allclose(far.coef_ * 1e-6, model.coef_, rtol=1e-6)
    assert far.n_iter_ == model.n_iter_


def test_labels_that_fit_a_model_exactly_are_borne(table) -> None:
    X = table[FEATURES]
    model = PoissonRegressor(alpha=0).fit(X, np.exp(0.3 * X["x0"] - 1))
    np.testing.assert_allclose(model.coef_, [0.3, 0, 0, 0, 0, 0], atol=1e-9)


def test_rows_with_no_weight_are_as_if_they_were_not_there(table) -> None:
    X, y = table[FEATURES], table["count"].astype(float)
    some = table["weight"] > 0.5
    model = PoissonRegressor().fit(X[some], y[some])
    weighted = PoissonRegressor().fit(X, y.where(some, 1e300), sample_weight=some.astype(float))
    np.testing.assert_allclose(weighted.coef_, model.coef_, rtol=1e-12)


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["count"]
    frame = lazy(table.assign(x3=table["x3"].where(table.index > 1)), 3)
    with pytest.raises(InputError, match="Column 'x3' has 2 rows"):
        PoissonRegressor().fit(frame[FEATURES], frame["count"])
    with pytest.raises(InputError, match="Column 'count' has 4 rows"):
        PoissonRegressor().fit(X, y.astype("Int64").where(y.index > 3))
    with pytest.raises(InputError, match="2 of 3,000 labels are below 0"):
        PoissonRegressor().fit(X, y.where(y.index > 1, -1))
    with pytest.raises(InputError, match="labels are 0 or below"):
        GammaRegressor().fit(X, table["cost"])
    with pytest.raises(InputError, match="mean of the labels is 0"):
        PoissonRegressor().fit(X, y * 0)
    with pytest.raises(InputError, match="1 weights of a partition are below 0, such as -1"):
        PoissonRegressor().fit(X, y, sample_weight=table["weight"].where(X.index > 0, -1))
    with pytest.raises(InputError, match="no row to train on, or none with a weight"):
        PoissonRegressor().fit(X, y, sample_weight=y * 0)
    with pytest.raises(ConfigurationError, match="alpha is -1"):
        GammaRegressor(alpha=-1).fit(X, y)
    with pytest.raises(ConfigurationError, match="link is 'logit'"):
        TweedieRegressor(link="logit").fit(X, y)
    with pytest.raises(ConfigurationError, match=r"power is 0\.5"):
        TweedieRegressor(power=0.5).fit(X, y)
    with pytest.raises(ConfigurationError, match="needs an intercept"):
        TweedieRegressor(power=1, link="identity", fit_intercept=False).fit(X, y)
    with pytest.raises(TrainingError, match="PoissonRegressor did not converge in 2 steps"):
        PoissonRegressor(max_iter=2).fit(X, y)
    with pytest.raises(NotFittedError, match="GammaRegressor is not fitted"):
        GammaRegressor().predict(X)
