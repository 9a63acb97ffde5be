"""Linear models reach scikit-learn's solutions, on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, NotFittedError, TrainingError
from dmlkit.linear_model import LinearRegression, LogisticRegression, Ridge
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(8)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(5)
    values = random.normal(size=(3_000, 8)) * [1, 1, 1, 10, 0.1, 1, 1, 1] + [0, 5, 0, 0, 0, 0, 0, 0]
    frame = pd.DataFrame(values, columns=FEATURES)
    frame["x7"] = (random.random(3_000) < 0.02).astype(float)  # rare
    margin = frame @ [1, -0.5, 0, 0.1, 2, 0, 0.3, 1.5] + 1
    frame["label"] = (random.random(3_000) < 1 / (1 + np.exp(-margin))).astype(int)
    frame["amount"] = margin + random.normal(size=3_000)
    frame["weight"] = random.random(3_000)
    return frame


@pytest.mark.parametrize("partitions", [1, 3, 16])
@pytest.mark.parametrize(
    "options", [{}, {"C": 0.01}, {"C": 1e6}, {"fit_intercept": False}], ids=str
)
def test_logistic_regression_reaches_the_solution(table, partitions, options) -> None:
    theirs = sklearn.linear_model.LogisticRegression(**options, tol=1e-10, max_iter=10_000)
    theirs.fit(table[FEATURES], table["label"], sample_weight=table["weight"])
    frame = lazy(table, partitions)
    ours = LogisticRegression(**options)
    ours.fit(frame[FEATURES], frame["label"], sample_weight=frame["weight"])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    found = ours.predict_proba(frame).compute()
    np.testing.assert_allclose(found, theirs.predict_proba(table[FEATURES]), atol=1e-5)
    assert list(found.columns) == [0, 1]


@pytest.mark.parametrize("partitions", [1, 3, 16])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LinearRegression(), sklearn.linear_model.LinearRegression()),
        (
            LinearRegression(fit_intercept=False),
            sklearn.linear_model.LinearRegression(fit_intercept=False),
        ),
        (Ridge(alpha=30.0), sklearn.linear_model.Ridge(alpha=30.0, tol=1e-12)),
    ],
    ids=str,
)
def test_least_squares_reach_the_solution(table, partitions, ours, theirs) -> None:
    theirs.fit(table[FEATURES], table["amount"], sample_weight=table["weight"])
    frame = lazy(table, partitions)
    ours = clone(ours).fit(frame[FEATURES], frame["amount"], sample_weight=frame["weight"])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
    expected = theirs.predict(table[FEATURES])
    np.testing.assert_allclose(ours.predict(frame).compute(), expected, atol=1e-8)


def test_classes_that_a_line_separates_have_a_solution_with_a_penalty() -> None:
    X = pd.DataFrame({"x": [-1e3, -1.0, 1.0, 1e3]})
    y = pd.Series([0, 0, 1, 1])
    theirs = sklearn.linear_model.LogisticRegression(C=1e4, tol=1e-12, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(LogisticRegression(C=1e4).fit(X, y).coef_, theirs.coef_, rtol=1e-3)


def test_collinear_columns_are_borne(table) -> None:
    twice = table[FEATURES].assign(again=table["x0"])
    once = LinearRegression().fit(table[FEATURES], table["amount"])
    both = LinearRegression().fit(twice, table["amount"])
    np.testing.assert_allclose(both.predict(twice), once.predict(table), atol=1e-6)


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["label"]
    with pytest.raises(InputError, match="Column 'x0' has 1 rows"):
        LogisticRegression().fit(X.assign(x0=X["x0"].where(X.index > 0)), y)
    with pytest.raises(InputError, match="All 3,000 labels are 0"):
        LogisticRegression().fit(X, y * 0)
    with pytest.raises(InputError, match="Column 'x1' is str"):
        LinearRegression().fit(X.assign(x1="a"), y)
    with pytest.raises(ConfigurationError, match="C is 0"):
        LogisticRegression(C=0).fit(X, y)
    with pytest.raises(TrainingError, match="did not converge in 2 steps"):
        LogisticRegression(max_iter=2).fit(X, y)
    with pytest.raises(NotFittedError, match="Ridge is not fitted"):
        Ridge().predict(X)
