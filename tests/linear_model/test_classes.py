"""Logistic regression tells several classes apart as scikit-learn's does, on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
from sklearn.base import clone

from dmlkit.errors import InputError
from dmlkit.linear_model import LogisticRegression, PoissonRegressor, sampled_start
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(5)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(11)
    values = random.normal(size=(1_500, 5)) * [1, 2, 0.5, 1, 1] + [0, 5, 0, 0, 0]
    frame = pd.DataFrame(values, columns=FEATURES)
    frame["x4"] = (random.random(1_500) < 0.05).astype("float32")
    margins = (values - values.mean(axis=0)) @ random.normal(size=(5, 4)) * 0.6
    margins += random.gumbel(size=margins.shape)
    frame["kind"] = pd.Series(np.array(["d", "b", "a", "c"])[margins.argmax(axis=1)], dtype="str")
    frame["count"] = random.poisson(np.exp(values[:, 0] / 2))
    frame["weight"] = random.random(1_500) * (random.random(1_500) < 0.9)
    return frame


OPTIONS = [{}, {"C": 0.01}, {"fit_intercept": False}, {"C": np.inf}, {"C": 0.2, "l1_ratio": 0.5}]


def _scaled(table: pd.DataFrame) -> pd.DataFrame:
    X = table[FEATURES]
    return table.assign(**(X - X.mean()) / X.std())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_solution_is_scikit_learns_on_any_partitions(table, options) -> None:
    saga = {"solver": "saga"} if options.get("l1_ratio") else {}
    rows = _scaled(table) if saga else table
    theirs = sklearn.linear_model.LogisticRegression(**options, **saga, tol=1e-9, max_iter=50_000)
    theirs.fit(rows[FEATURES], rows["kind"], sample_weight=rows["weight"])
    ours = LogisticRegression(**options)
    found = []
    for partitions in (1, 3, 16):
        frame = lazy(rows, partitions)
        model = clone(ours).fit(frame[FEATURES], frame["kind"], sample_weight=frame["weight"])
        np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
        np.testing.assert_allclose(model.intercept_, theirs.intercept_, atol=2e-4)
        found.append(model)
    np.testing.assert_allclose(found[2].coef_, found[0].coef_, atol=1e-7)
    assert max(model.n_iter_ for model in found) <= 12
    assert model.classes_.tolist() == ["a", "b", "c", "d"]
    chances = model.predict_proba(frame)
    np.testing.assert_allclose(chances, theirs.predict_proba(rows[FEATURES]), atol=1e-5)
    assert list(chances.columns) == ["a", "b", "c", "d"]
    margins = model.decision_function(frame).compute()
    np.testing.assert_allclose(margins, theirs.decision_function(rows[FEATURES]), atol=1e-3)
    labels = model.predict(frame).compute()
    assert labels.dtype == "str"
    assert labels.tolist() == theirs.predict(rows[FEATURES]).tolist()


def test_columns_that_only_l1_leaves_out_are_those_of_scikit_learn(table) -> None:
    X = _scaled(table)[FEATURES]
    y = table["kind"].where(table["kind"] != "d", "c")  # of three classes, one is in the middle
    options = {"C": 0.02, "l1_ratio": 1.0}
    theirs = sklearn.linear_model.LogisticRegression(
        **options, solver="saga", tol=1e-9, max_iter=50_000
    ).fit(X, y)
    ours = LogisticRegression(**options).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    assert ((ours.coef_ == 0) == (np.abs(theirs.coef_) < 1e-6)).all()


@pytest.mark.parametrize("labels", [[False, True], [2.0, 5.0], ["no", "yes"]], ids=str)
def test_two_classes_may_have_any_labels(table, labels) -> None:
    y = pd.Series(np.where(table["kind"] == "a", *labels[::-1]))
    model = LogisticRegression().fit(table[FEATURES], y)
    theirs = sklearn.linear_model.LogisticRegression(tol=1e-8, max_iter=10_000)
    theirs.fit(table[FEATURES], y)
    assert model.classes_.tolist() == theirs.classes_.tolist() == labels
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-4)
    assert model.predict(table).tolist() == theirs.predict(table[FEATURES]).tolist()
    assert list(model.predict_proba(table).columns) == labels


@pytest.mark.parametrize("label", ["kind", "count"])
def test_a_sample_to_start_from_saves_passes_and_changes_nothing(table, label, monkeypatch) -> None:
    model = LogisticRegression() if label == "kind" else PoissonRegressor(alpha=1e-3)
    frame = lazy(table, 3)
    before = clone(model).fit(frame[FEATURES], frame[label])
    monkeypatch.setattr(sampled_start, "ROWS", 250)
    monkeypatch.setattr(sampled_start, "ROWS_FOR_EACH", 1)
    for rows in (frame, table):
        after = clone(model).fit(rows[FEATURES], rows[label])
        np.testing.assert_allclose(after.coef_, before.coef_, atol=1e-6)
        assert after.n_iter_ < before.n_iter_ + (label == "count")


def test_a_sample_that_has_no_least_is_no_place_to_start_from(table, monkeypatch) -> None:
    monkeypatch.setattr(sampled_start, "ROWS", 5)
    monkeypatch.setattr(sampled_start, "ROWS_FOR_EACH", 1)
    free = LogisticRegression(C=np.inf, fit_intercept=False)
    found = free.fit(table[FEATURES], table["kind"]).coef_
    theirs = sklearn.linear_model.LogisticRegression(
        C=np.inf, fit_intercept=False, tol=1e-8, max_iter=50_000
    ).fit(table[FEATURES], table["kind"])
    np.testing.assert_allclose(found, theirs.coef_, atol=1e-4)


def test_mistakes_are_told(table) -> None:
    X = table[FEATURES]
    with pytest.raises(InputError, match="Column 'kind' has 1 rows of a partition without a label"):
        LogisticRegression().fit(X, table["kind"].where(table.index > 0))
    with pytest.raises(InputError, match="more than 10,000 coefficients"):
        LogisticRegression().fit(pd.concat([X] * 2), pd.Series(np.arange(3_000) / 7))
    with pytest.raises(InputError, match="Labels must be of one type"):
        LogisticRegression().fit(X, pd.Series([1, "a"] * 750, dtype=object))
    with pytest.raises(
        InputError, match=r"the columns kind\. Take one of them, as in table\['kind"
    ):
        LogisticRegression().fit(X, table[["kind"]])
    with pytest.raises(InputError, match="Labels and weights must be a Series"):
        LogisticRegression().fit(lazy(X, 3), lazy(table[["kind"]], 3))
