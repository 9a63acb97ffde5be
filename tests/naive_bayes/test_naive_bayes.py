"""Naive Bayes learns what scikit-learn's does, on any partitions."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.naive_bayes
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from dmlkit.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(5)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Counts, and labels as text, one of which only the last rows have."""
    random = np.random.default_rng(2)
    label = random.choice(["dog", "cat", "bird"], 1_200, p=[0.6, 0.3, 0.1]).astype(object)
    label[-3:] = "zebra"
    means = {"dog": 1.0, "cat": 2.0, "bird": 4.0, "zebra": 0.5}
    rates = np.array([means[each] for each in label])[:, None] * [1, 1, 2, 0.5, 0.1]
    frame = pd.DataFrame(random.poisson(rates), columns=FEATURES)
    return frame.assign(label=pd.Series(label, dtype="str"), weight=random.random(1_200))


MODELS = [
    GaussianNB(),
    GaussianNB(priors=[0.1, 0.2, 0.3, 0.4], var_smoothing=0.1),
    MultinomialNB(),
    MultinomialNB(alpha=0.1, fit_prior=False),
    BernoulliNB(binarize=1.0),
    BernoulliNB(alpha=2.0, class_prior=[0.1, 0.2, 0.3, 0.4]),
    CategoricalNB(),
    CategoricalNB(alpha=0.5, min_categories=40),
]


@pytest.mark.parametrize("partitions", [1, 3, 16])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model)[:40])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_learns_and_predicts_what_scikit_learn_does(table, partitions, model, weighted) -> None:
    theirs = getattr(sklearn.naive_bayes, type(model).__name__)(**model.get_params())
    weights = {"sample_weight": table["weight"]} if weighted else {}
    theirs.fit(table[FEATURES], table["label"], **weights)
    frame = lazy(table, partitions)
    weights = {"sample_weight": frame["weight"]} if weighted else {}
    ours = clone(model).fit(frame[FEATURES], frame["label"], **weights)
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    np.testing.assert_allclose(ours.class_count_, theirs.class_count_, rtol=1e-12)
    found = ours.predict_log_proba(frame).compute()
    assert found.columns.tolist() == ["bird", "cat", "dog", "zebra"]
    expected = theirs.predict_log_proba(table[FEATURES])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    expected = theirs.predict_proba(table[FEATURES])
    np.testing.assert_allclose(ours.predict_proba(frame).compute(), expected, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(frame).compute(), theirs.predict(table[FEATURES]))


@pytest.mark.parametrize("partitions", [1, 16])
def test_a_large_mean_with_a_small_spread_loses_nothing(table, partitions) -> None:
    far = table[FEATURES] + 1e8
    frame = lazy(far.assign(label=table["label"]), partitions)
    near, model = GaussianNB(var_smoothing=0), GaussianNB(var_smoothing=0)
    near.fit(table[FEATURES].assign(x4=table["weight"]), table["label"])
    model.fit(frame[FEATURES[:4]], frame["label"])
    np.testing.assert_allclose(model.var_, near.var_[:, :4], rtol=1e-6)


@pytest.mark.parametrize("kind", ["category", "string", "int8", "bool", "float64", "Int64"])
def test_labels_are_of_any_type_and_predictions_lazy(table, kind) -> None:
    text = kind in ("category", "string")
    label = table["label"] if text else (table["label"] == "dog")
    frame = lazy(table[FEATURES].assign(label=label.astype(kind)), 3)
    labels = GaussianNB().fit(frame[FEATURES], frame["label"]).predict(frame)
    assert isinstance(labels, dd.Series)
    assert labels.dtype == labels.compute().dtype
    assert set(labels.compute().unique()) <= set(label.unique())


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["label"]
    with pytest.raises(InputError, match="Column 'label' has 4 rows of a partition without"):
        GaussianNB().fit(X, y.where(y.index > 3))
    with pytest.raises(InputError, match="Column 'x1' has 2 rows of a partition that are missing"):
        frame = lazy(table.assign(x1=X["x1"].where(X.index > 1)), 2)
        BernoulliNB().fit(frame[FEATURES], frame["label"])
    with pytest.raises(InputError, match="but here are 'int' and 'str'"):
        GaussianNB().fit(X, y.astype(object).where(y.index > 0, 1))
    with pytest.raises(InputError, match="Column 'label' is str"):
        GaussianNB().fit(table, y)
    with pytest.raises(InputError, match="'x2' has 1 rows of a partition, such as -1, that are be"):
        MultinomialNB().fit(X.assign(x2=X["x2"].where(X.index > 0, -1)), y)
    with pytest.raises(InputError, match="such as 2, that are neither 0 nor 1"):
        BernoulliNB(binarize=None).fit(X.clip(upper=2), y)
    with pytest.raises(InputError, match=r"1,200 rows of a partition, such as \d\.5, that are no"):
        CategoricalNB().fit(X + 0.5, y)
    with pytest.raises(InputError, match="numbered from 0 to 6"):
        CategoricalNB().fit(X.clip(upper=6), y).predict(X)
    with pytest.raises(InputError, match="There is no row"):
        frame = lazy(table.iloc[:0], 1)
        GaussianNB().fit(frame[FEATURES], frame["label"])
    with pytest.raises(ConfigurationError, match="alpha is 0"):
        MultinomialNB(alpha=0).fit(X, y)
    with pytest.raises(ConfigurationError, match="2 priors are given for 4 classes"):
        GaussianNB(priors=[0.5, 0.5]).fit(X, y)
    with pytest.raises(MissingColumnError, match="x4"):
        GaussianNB().fit(X, y).predict(X.drop(columns="x4"))
    with pytest.raises(NotFittedError, match="BernoulliNB is not fitted"):
        BernoulliNB().predict(X)
