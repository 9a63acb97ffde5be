"""Models that scikit-learn has fitted give the same on frames, lazily, and are sent once."""

import pickle
import warnings

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.ensemble
import sklearn.linear_model
from distributed import Client
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from dmlkit import save_estimator
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from dmlkit.wrappers import OnPartitions
from tests.frames import with_an_empty_part as lazy

FEATURES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame(random.normal(size=(90, 3)), columns=FEATURES)
    frame["code"] = pd.Series(random.choice(["x", "y"], 90), dtype="str")
    frame["kind"] = pd.Series(np.array(["p", "q", "r"])[frame["a"].argsort() // 30], dtype="str")
    return frame.assign(amount=frame["a"] * 2 + frame["b"])


LINEAR = sklearn.linear_model
CASES = [
    (LINEAR.LogisticRegression(), "kind", "predict predict_proba predict_log_proba"),
    (LINEAR.LogisticRegression(), "kind", "decision_function"),
    (LinearSVC(), "code", "predict decision_function"),
    (LINEAR.Ridge(), "amount", "predict"),
    (LINEAR.Ridge(), ["amount", "a"], "predict"),
    (sklearn.ensemble.RandomForestClassifier(3), ["kind", "code"], "predict predict_proba"),
    (
        sklearn.ensemble.IsolationForest(n_estimators=5),
        "amount",
        "predict score_samples decision_function",
    ),
    (KMeans(2, n_init=1), "amount", "predict transform"),
    (make_pipeline(StandardScaler(), PCA(2)), "amount", "transform"),
    (StandardScaler().set_output(transform="pandas"), "amount", "transform"),
]


@pytest.mark.parametrize(("model", "label", "methods"), CASES, ids=str)
@pytest.mark.usefixtures("in_this_process")
def test_results_are_those_of_the_model(table, model, label, methods) -> None:
    model.fit(table[FEATURES], table[label])
    others = table[["amount", "c", "code", "b", "a"]]  # another order, and more columns
    for method in methods.split():
        expected = getattr(model, method)(table[FEATURES])
        result = getattr(OnPartitions(model), method)(lazy(others, 3))
        assert isinstance(result, (dd.DataFrame, dd.Series))
        found = result.compute()
        assert found.index.equals(table.index)
        if isinstance(found, pd.DataFrame):
            assert found.dtypes.equals(result.dtypes)
        else:
            assert found.dtype == result.dtype
        if isinstance(expected, list):
            expected = np.hstack(expected)
        expected = np.asarray(expected)
        if expected.dtype.kind == "f":  # sums of more or fewer rows at once are rounded otherwise
            np.testing.assert_allclose(found, expected, atol=1e-12)
        else:
            assert found.to_numpy().tolist() == expected.tolist()
        here = getattr(OnPartitions(model), method)(others)
        assert here.shape == found.shape


@pytest.mark.usefixtures("in_this_process")
def test_columns_are_called_after_classes_and_features(table) -> None:
    frame = lazy(table, 2)
    several = sklearn.ensemble.RandomForestClassifier(3).fit(
        table[FEATURES], table[["kind", "code"]]
    )
    chances = OnPartitions(several).predict_proba(frame)
    names = ["prediction0_p", "prediction0_q", "prediction0_r", "prediction1_x", "prediction1_y"]
    assert list(chances.columns) == names
    assert list(OnPartitions(several).predict(frame).columns) == ["prediction0", "prediction1"]
    model = LINEAR.LogisticRegression().fit(table[FEATURES], table["kind"])
    wrapped = OnPartitions(model)
    assert list(wrapped.predict_proba(frame).columns) == list(wrapped.classes_) == ["p", "q", "r"]
    assert wrapped.predict(frame).compute().dtype == "str"
    assert list(wrapped.feature_names_in_) == FEATURES
    scaled = OnPartitions(StandardScaler().fit(table[FEATURES])).transform(frame)
    assert list(scaled.columns) == FEATURES
    assert not hasattr(wrapped, "transform")
    assert hasattr(wrapped, "decision_function")


@pytest.mark.usefixtures("in_this_process")
def test_encoders_and_texts_work_with_rows_as_an_example(table) -> None:
    encoder = make_column_transformer((OneHotEncoder(), ["code"]), remainder="passthrough")
    encoder.fit(table[["code", "a"]])
    with pytest.raises(InputError, match=r"refuses made-up example rows: .*example=table.head"):
        OnPartitions(encoder).transform(lazy(table, 2))
    found = OnPartitions(encoder, example=table.head()).transform(lazy(table, 2)).compute()
    assert list(found.columns) == list(encoder.get_feature_names_out())
    np.testing.assert_array_equal(found, encoder.transform(table))
    words = TfidfVectorizer(token_pattern=r"\w").fit(table["code"])
    made = OnPartitions(words).transform(lazy(table, 2)["code"]).compute()
    np.testing.assert_array_equal(made, words.transform(table["code"]).toarray())


@pytest.mark.usefixtures("in_this_process")
def test_models_that_were_fitted_on_arrays_take_columns_in_their_order(table) -> None:
    model = LINEAR.Ridge().fit(table[FEATURES].to_numpy(), table["amount"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = OnPartitions(model).predict(lazy(table, 2)[FEATURES]).compute()
    np.testing.assert_array_equal(found, model.predict(table[FEATURES].to_numpy()))
    with pytest.raises(InputError, match=r"Ridge was fitted on 3 columns without names, .* has 6"):
        OnPartitions(model).predict(lazy(table, 2))


@pytest.mark.cluster
def test_a_model_is_in_the_graph_once_and_not_with_each_task(client: Client, table) -> None:
    model = sklearn.ensemble.RandomForestRegressor(100).fit(table[FEATURES], table["amount"])
    result = OnPartitions(model).predict(lazy(table, 20))
    graph = dict(result.optimize().__dask_graph__())
    sizes = [len(pickle.dumps(task)) for task in graph.values()]
    assert sum(size >= len(pickle.dumps(model)) for size in sizes) == 1
    assert sum(sizes) < 1.5 * len(pickle.dumps(model))
    np.testing.assert_allclose(result.compute(), model.predict(table[FEATURES]))


def test_mistakes_are_told(table, tmp_path) -> None:
    with pytest.raises(NotFittedError, match="This Ridge is not fitted yet"):
        OnPartitions(LINEAR.Ridge())
    with pytest.raises(InputError, match="A fitted model is needed, but this is dict"):
        OnPartitions({})
    model = OnPartitions(LINEAR.Ridge().fit(table[FEATURES], table["amount"]))
    with pytest.raises(MissingColumnError, match="has no column 'c'"):
        model.predict(table[["a", "b"]])
    with pytest.raises(InputError, match="this is ndarray"):
        model.predict(table.to_numpy())
    for each in (model, model.model):
        with pytest.raises(ConfigurationError, match=r"hold no pickle.*scikit-learn.*skops"):
            save_estimator(tmp_path / "kept", each)
