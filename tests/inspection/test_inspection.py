"""What a model makes of its features: as scikit-learn tells it, and the same on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.inspection
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.inspection import partial_dependence, permutation_importance
from dmlkit.linear_model import LinearRegression
from dmlkit.positions import chances, permuted
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = ["strong", "weak", "none"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(2_000, 3)), columns=FEATURES)
    frame["amount"] = 3 * frame["strong"] + frame["weak"] + random.normal(size=2_000) / 10
    frame["label"] = (frame["amount"] + random.normal(size=2_000) > 0).astype(int)
    return frame


@pytest.mark.parametrize("total", [1, 2, 3, 17, 64, 1_000])
def test_a_permutation_brings_each_row_to_one_place(total) -> None:
    parts = [permuted(start, min(7, total - start), total, 0, 1) for start in range(0, total, 7)]
    to = np.concatenate(parts)
    assert sorted(to) == list(range(total))
    np.testing.assert_array_equal(to, permuted(0, total, total, 0, 1))
    if total == 1_000:
        assert abs(np.corrcoef(to, np.arange(total))[0, 1]) < 0.1
        assert (to == permuted(0, total, total, 0, 2)).sum() < 10


def test_chances_are_uniform() -> None:
    drawn = np.histogram(chances(0, 100_000, 5, 0), bins=10, range=(0, 1))[0]
    assert drawn.sum() == 100_000
    assert abs(drawn - 10_000).max() < 400


@pytest.mark.parametrize(
    ("metric", "theirs"), [("roc_auc", "roc_auc"), ("log_loss", "neg_log_loss")]
)
def test_importances_are_scikit_learns_within_their_errors(table, metric, theirs) -> None:
    X, y = table[FEATURES], table["label"]
    model = LogisticRegression().fit(X, y)
    expected = sklearn.inspection.permutation_importance(
        model, X, y, scoring=theirs, n_repeats=10, random_state=0
    )
    found = permutation_importance(model, X, y, metric=metric, n_repeats=10)
    assert found["feature"].tolist() == FEATURES
    error = np.hypot(found["standard_error"], expected.importances_std / np.sqrt(10))
    assert (abs(found["importance"] - expected.importances_mean) < 4 * error).all()
    np.testing.assert_allclose(
        found["standard_error"], expected.importances_std / np.sqrt(9), rtol=0.9, atol=1e-4
    )


def test_importances_do_not_depend_on_partitions(table) -> None:
    model = LogisticRegression().fit(table[FEATURES], table["label"])
    chosen = {"features": ["weak", "none"], "n_repeats": 2, "metric": "brier"}
    here = permutation_importance(model, table, table["label"], **chosen)
    for partitions in (1, 7):
        frame = lazy(table, partitions)
        there = permutation_importance(model, frame, frame["label"], **chosen)
        pd.testing.assert_frame_equal(there, here, rtol=1e-9)
    sampled = [
        permutation_importance(model, frame, frame["label"], max_rows=300, **chosen)
        for frame in (table, lazy(table, 3))
    ]
    pd.testing.assert_frame_equal(*sampled, rtol=1e-9)
    assert not np.allclose(sampled[0]["importance"], here["importance"])


def test_what_a_number_loses_is_told_of_regressions(table) -> None:
    model = LinearRegression().fit(table[FEATURES], table["amount"])
    found = permutation_importance(model, table, table["amount"]).set_index("feature")
    # Two independent values of 3 * strong apart from each other: sqrt(2 * 9) less what was left.
    assert found["importance"]["strong"] == pytest.approx(np.sqrt(18) - 0.1, rel=0.05)
    assert abs(found["importance"]["none"]) < 0.01


def test_dependence_is_scikit_learns_on_the_same_grid(table) -> None:
    X = table[FEATURES]
    model = DecisionTreeClassifier(max_depth=5).fit(X, table["label"])
    frame = lazy(table, 5)
    found = partial_dependence(model, frame, ["strong", "weak"], grid_resolution=7)
    for name, curve in found.items():
        np.testing.assert_allclose(curve.index, table[name].quantile(np.linspace(0.05, 0.95, 7)))
        expected = sklearn.inspection.partial_dependence(
            model, X, [name], custom_values={name: curve.index.to_numpy()}, method="brute",
            response_method="predict_proba",
        )  # fmt: skip
        np.testing.assert_allclose(curve["average"], expected["average"][0], rtol=1e-9)
    (alone,) = partial_dependence(model, frame, "strong", grid_resolution=7).values()
    assert alone.equals(found["strong"])


def test_categories_whole_numbers_and_classes_are_told_by_their_values() -> None:
    kinds = pd.Categorical(["a", "b", "c"] * 40)
    table = pd.DataFrame({"kind": kinds, "count": np.arange(120) % 4})
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table, table["kind"].cat.codes)
    found = partial_dependence(model, lazy(table, 2), ["kind", "count"])
    assert list(found["kind"].index) == ["a", "b", "c"]
    assert list(found["count"].index) == [0, 1, 2, 3]
    assert list(found["kind"].columns) == [0, 1, 2]
    assert found["kind"].to_numpy().argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(found["kind"].sum(axis=1), 1)


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["label"]
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ConfigurationError, match=r"'roc_acu' \(nearest: 'roc_auc'"):
        permutation_importance(model, X, y, metric="roc_acu")
    with pytest.raises(ConfigurationError, match="for a model of numbers"):
        permutation_importance(LinearRegression().fit(X, y), X, y, metric="brier")
    with pytest.raises(MissingColumnError, match="weka"):
        permutation_importance(model, X, y, features=["weka"])
    with pytest.raises(InputError, match="partitioned like the table"):
        permutation_importance(model, lazy(table, 3), lazy(table, 2)["label"])
    with pytest.raises(InputError, match="no row to look at"):
        partial_dependence(model, X.iloc[:0], ["weak"])
    with pytest.raises(ConfigurationError, match="percentiles"):
        partial_dependence(model, X, ["weak"], percentiles=(0.5, 0.5))
