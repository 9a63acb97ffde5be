"""A random forest predicts as well as scikit-learn's, and is the same on any partitions."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.ensemble
from distributed import Client
from sklearn.base import clone
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, r2_score, roc_auc_score

from dmlkit import load_estimator, save_estimator
from dmlkit.boosting import Bundle, load_bundle, save_bundle
from dmlkit.ensemble import RandomForestClassifier, RandomForestRegressor
from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.cluster

FEATURES = [f"x{number}" for number in range(6)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.normal(size=(4_000, 6)), columns=FEATURES)
    margin = frame["x0"] * frame["x1"] + np.sin(2 * frame["x2"])
    frame["label"] = (margin + random.logistic(size=4_000) / 2 > 0).astype(int)
    return frame.assign(amount=margin + random.normal(size=4_000) / 2)


def test_classes_are_told_as_well_as_by_scikit_learn(client: Client, table) -> None:
    train, test = table.iloc[:1_500], table.iloc[1_500:]
    theirs = sklearn.ensemble.RandomForestClassifier(50, min_samples_leaf=3, random_state=0)
    best = theirs.fit(train[FEATURES], train["label"]).predict_proba(test[FEATURES])[:, 1]
    ours = RandomForestClassifier(50, min_samples_leaf=3)
    found = []
    for partitions in (1, 5):
        frame = lazy(train, partitions)
        model = clone(ours).fit(frame[FEATURES], frame["label"])
        shares = model.predict_proba(lazy(test, 3)[FEATURES])
        assert isinstance(shares, dd.DataFrame)
        found.append(shares.compute())
    pd.testing.assert_frame_equal(found[1], found[0])
    assert list(found[0].columns) == [0, 1]
    assert roc_auc_score(test["label"], found[0][1]) > roc_auc_score(test["label"], best) - 0.01
    # Means of leaves are probabilities.
    brier = brier_score_loss(test["label"], best)
    assert brier_score_loss(test["label"], found[0][1]) == pytest.approx(brier, abs=0.01)
    labels = model.predict(test[FEATURES])
    assert labels.eq((found[0][1] > 0.5).astype(int)).all()


def test_several_classes_are_told_as_well_as_by_scikit_learn(
    client: Client, table, tmp_path
) -> None:
    names = np.array(["low", "middle", "high"])
    kind = pd.Series(names[np.digitize(table["amount"], [-0.6, 0.6])], dtype="str")
    table = table.assign(kind=kind)
    train, test = table.iloc[:1_500], table.iloc[1_500:]
    theirs = sklearn.ensemble.RandomForestClassifier(100, min_samples_leaf=3, random_state=0)
    best = theirs.fit(train[FEATURES], train["kind"]).predict_proba(test[FEATURES])
    found = []
    for partitions in (1, 5):
        frame = lazy(train, partitions)
        model = RandomForestClassifier(100, min_samples_leaf=3).fit(frame[FEATURES], frame["kind"])
        shares = model.predict_proba(lazy(test, 3)[FEATURES])
        assert isinstance(shares, dd.DataFrame)
        found.append(shares.compute())
    pd.testing.assert_frame_equal(found[1], found[0])
    assert list(found[0].columns) == model.classes_.tolist() == theirs.classes_.tolist()
    np.testing.assert_allclose(found[0].sum(axis=1), 1, atol=1e-6)
    assert log_loss(test["kind"], found[0]) < log_loss(test["kind"], best) + 0.02
    labels = model.predict(lazy(test, 3)[FEATURES]).compute()
    assert labels.dtype == "str"
    right = accuracy_score(test["kind"], theirs.predict(test[FEATURES]))
    assert accuracy_score(test["kind"], labels) > right - 0.02
    save_estimator(tmp_path / "forest", model)
    again = load_estimator(tmp_path / "forest").predict_proba(test[FEATURES])
    pd.testing.assert_frame_equal(again, found[0])


def test_leaves_are_shares_of_several_classes(client: Client) -> None:
    table = pd.DataFrame(
        {"x": [0.0] * 4 + [1.0] * 4 + [2.0] * 4, "kind": [*"aaab", *"bbcc", *"cccc"]}
    )
    forest = RandomForestClassifier(3, max_samples=1.0, max_features=1.0)
    shares = forest.fit(table[["x"]], table["kind"]).predict_proba(table[["x"]])
    expected = [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 1]]
    np.testing.assert_allclose(shares.iloc[[0, 4, 8]], expected, atol=1e-6)


def test_numbers_are_predicted_as_well_as_by_scikit_learn(client: Client, table, tmp_path) -> None:
    train, test = table.iloc[:1_500], table.iloc[1_500:]
    theirs = sklearn.ensemble.RandomForestRegressor(50, max_features=0.5, random_state=0)
    best = theirs.fit(train[FEATURES], train["amount"]).predict(test[FEATURES])
    frame = lazy(train, 3)
    model = RandomForestRegressor(50, max_features=0.5).fit(frame[FEATURES], frame["amount"])
    found = model.predict(lazy(test, 2)[FEATURES]).compute()
    assert r2_score(test["amount"], found) > r2_score(test["amount"], best) - 0.02
    save_bundle(tmp_path / "model", Bundle(model.model_, {}, {}, None, {}))
    again = load_bundle(tmp_path / "model").model.predict(test[FEATURES])
    np.testing.assert_array_equal(again, found)


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["label"]
    with pytest.raises(InputError, match=r"two classes are needed at least, .* only \[1\]"):
        RandomForestClassifier().fit(X, y * 0 + 1)
    with pytest.raises(
        InputError, match="Column 'label' has 1 rows of a partition without a label"
    ):
        RandomForestClassifier().fit(X, y.where(y.index > 0))
    with pytest.raises(ConfigurationError, match="max_features is 'log2'"):
        RandomForestRegressor(max_features="log2").fit(X, y)
    with pytest.raises(ConfigurationError, match="max_samples is 2"):
        RandomForestRegressor(max_samples=2).fit(X, y)
    with pytest.raises(ConfigurationError, match="n_estimators is 0"):
        RandomForestRegressor(n_estimators=0).fit(X, y)
    with pytest.raises(NotFittedError, match="RandomForestClassifier is not fitted"):
        RandomForestClassifier().predict(X)
