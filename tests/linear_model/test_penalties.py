"""Models that leave columns out reach scikit-learn's solutions, on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, TrainingError
from dmlkit.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(12)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Columns that lean on each other, and a label that only some of them say something of."""
    random = np.random.default_rng(6)
    values = random.normal(size=(1_500, 12)) + random.normal(size=(1_500, 1))
    frame = pd.DataFrame(values + np.array([50.0, *[0.0] * 11]), columns=FEATURES)
    margin = frame @ [1, -1, 0.5, 0, 0, 0, 0.05, 0, 0, 0, 0, 0.3] - 50
    frame["amount"] = margin + random.normal(size=1_500)
    frame["label"] = (margin + random.logistic(size=1_500) > 0).astype(int)
    frame["weight"] = random.random(1_500)
    return frame


@pytest.mark.parametrize(
    "model",
    [
        Lasso(alpha=0.1),
        Lasso(alpha=1e-4),
        Lasso(alpha=100),
        Lasso(alpha=0.01, positive=True),
        Lasso(alpha=0.1, fit_intercept=False),
        ElasticNet(alpha=0.2, l1_ratio=0.3),
        ElasticNet(alpha=0.01, l1_ratio=0.9, positive=True),
    ],
    ids=str,
)
def test_least_squares_reach_the_solution(table, model) -> None:
    options = model.get_params() | {"tol": 1e-13, "max_iter": 100_000}
    theirs = getattr(sklearn.linear_model, type(model).__name__)(**options)
    theirs.fit(table[FEATURES], table["amount"], sample_weight=table["weight"])
    ours = clone(model)
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        ours.fit(frame[FEATURES], frame["amount"], sample_weight=frame["weight"])
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
        np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    expected = theirs.predict(table[FEATURES])
    np.testing.assert_allclose(ours.predict(frame).compute(), expected, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"C": 0.02, "l1_ratio": 1.0},
        {"C": 1.0, "l1_ratio": 1.0},
        {"C": 0.01, "l1_ratio": 0.5},
        {"C": 0.05, "l1_ratio": 0.8, "fit_intercept": False},
    ],
    ids=str,
)
def test_logistic_regression_reaches_the_solution(table, options) -> None:
    # Its solver for L1 needs columns about 0; the penalty is the same for both.
    near = table.assign(x0=table["x0"] - 50)
    theirs = sklearn.linear_model.LogisticRegression(
        **options, solver="saga", tol=1e-9, max_iter=10_000, random_state=0
    )
    theirs.fit(near[FEATURES], near["label"], sample_weight=near["weight"])
    found = []
    for partitions in (1, 3, 16):
        frame = lazy(near, partitions)
        ours = LogisticRegression(**options)
        ours.fit(frame[FEATURES], frame["label"], sample_weight=frame["weight"])
        found.append(np.append(ours.coef_, ours.intercept_))
        np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    expected = np.append(theirs.coef_, theirs.intercept_)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-9, atol=1e-11)
    if ours.fit_intercept:
        far = LogisticRegression(**options).fit(table[FEATURES], table["label"])
        ours.fit(near[FEATURES], near["label"])
        np.testing.assert_allclose(far.coef_, ours.coef_, atol=1e-9)


def test_without_a_penalty_it_is_least_squares(table) -> None:
    X, y = table[FEATURES], table["amount"]
    np.testing.assert_allclose(Lasso(alpha=0).fit(X, y).coef_, LinearRegression().fit(X, y).coef_)


def test_columns_that_say_the_same_are_borne(table) -> None:
    X, y = table[FEATURES], table["amount"]
    twice = X.assign(again=X["x0"], nothing=1.0)
    once, both = Lasso(alpha=0.1).fit(X, y), Lasso(alpha=0.1).fit(twice, y)
    np.testing.assert_allclose(both.predict(twice), once.predict(X), atol=1e-8)
    sparse = LogisticRegression(C=0.02, l1_ratio=1.0)
    alone = sparse.fit(X, table["label"]).decision_function(X)
    together = sparse.fit(twice, table["label"]).decision_function(twice)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["amount"]
    with pytest.raises(ConfigurationError, match="l1_ratio is 2"):
        ElasticNet(l1_ratio=2).fit(X, y)
    with pytest.raises(ConfigurationError, match="l1_ratio is -1"):
        LogisticRegression(l1_ratio=-1).fit(X, table["label"])
    with pytest.raises(ConfigurationError, match="alpha is -1"):
        Lasso(alpha=-1).fit(X, y)
    with pytest.raises(InputError, match="Column 'amount' has 3 rows"):
        Lasso().fit(X, y.where(y.index > 2))
    with pytest.raises(TrainingError, match="Lasso did not converge in 1 sweeps"):
        Lasso(alpha=1e-3, max_iter=1).fit(X, y)
