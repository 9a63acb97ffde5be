"""Scorers say what scikit-learn's say, on any partitions, and nothing is gathered for them."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
import sklearn.metrics

from dmlkit import metrics
from dmlkit.clustering import KMeans
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.linear_model import GammaRegressor, LogisticRegression, PoissonRegressor, Ridge
from dmlkit.metrics import check_scoring, get_scorer, get_scorer_names
from dmlkit.metrics.scorers import SCORERS
from dmlkit.model_selection import cross_val_score
from dmlkit.naive_bayes import GaussianNB
from dmlkit.wrappers import OnPartitions

pytestmark = pytest.mark.usefixtures("in_this_process")

NUMBERS = [name for name in get_scorer_names() if SCORERS[name].of == "class"]
NUMBERS = [name for name in NUMBERS if "accuracy" not in name and not name.startswith("f1")]
RANKED = [name for name in get_scorer_names() if SCORERS[name].of == "queries"]
CLASSES = [name for name in get_scorer_names() if name not in (*NUMBERS, *RANKED)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(5)
    frame = pd.DataFrame(random.normal(size=(400, 3)), columns=["a", "b", "c"])
    noisy = frame["a"] + frame["b"] / 2 + random.normal(size=400)
    return frame.assign(
        two=np.where(noisy > 0.3, "yes", "no"),
        many=np.digitize(noisy, [-1, 0.8]),
        number=np.exp(noisy / 2),
        weight=random.uniform(0.5, 2, 400),
    )


def lazy(table: pd.DataFrame) -> dd.DataFrame:
    return dd.concat([dd.from_pandas(table[:0], 1), dd.from_pandas(table, 5, sort=False)])


def of_theirs(name: str, table: pd.DataFrame, label: str, weight: Any) -> float:
    """What scikit-learn says, which takes 1 for the second class."""
    X, y = table[["a", "b", "c"]], table[label]
    y = (y == "yes").astype(int) if label == "two" else y
    model = kind_of(label)().fit(X, y)
    return sklearn.metrics.get_scorer(name)(model, X, y, sample_weight=weight)


def kind_of(label: str) -> Any:
    of_numbers = label == "number"
    linear = sklearn.linear_model
    return linear.GammaRegressor if of_numbers else linear.LogisticRegression


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "label"),
    [
        *((name, "number") for name in NUMBERS),
        *((name, "two") for name in CLASSES if "roc_auc_ov" not in name),
        *((name, "many") for name in CLASSES if SCORERS[name].of in ("class", "chances")),
    ],
)
def test_each_is_scikit_learns(table, name, label, weighted) -> None:
    if weighted and name in ("neg_max_error", "roc_auc_ovo"):
        pytest.skip("scikit-learn's takes no weights")
    model = kind_of(label)().fit(table[["a", "b", "c"]], table[label])
    expected = of_theirs(name, table, label, table["weight"] if weighted else None)
    for rows in (table, lazy(table)):
        weight = {"sample_weight": rows["weight"]} if weighted else {}
        found = get_scorer(name)(OnPartitions(model), rows[["a", "b", "c"]], rows[label], **weight)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("model", "theirs", "label"),
    [
        (LogisticRegression(), sklearn.metrics.accuracy_score, "two"),
        (GaussianNB(), sklearn.metrics.accuracy_score, "many"),
        (Ridge(), sklearn.metrics.r2_score, "number"),
        (GammaRegressor(), lambda y, f: sklearn.metrics.d2_tweedie_score(y, f, power=2), "number"),
        (
            PoissonRegressor(),
            lambda y, f: sklearn.metrics.d2_tweedie_score(y, f, power=1),
            "number",
        ),
    ],
)
def test_models_have_the_score_of_scikit_learns(table, model, theirs, label) -> None:
    rows = lazy(table)
    X, y = rows[["a", "b", "c"]], rows[label]
    model.fit(X, y)
    expected = theirs(y.compute(), model.predict(X).compute())
    assert model.score(X, y) == pytest.approx(expected, rel=1e-12)
    assert sklearn.metrics.check_scoring(model)(model, X, y) == model.score(X, y)
    assert check_scoring(model)(model, X, y) == model.score(X, y)


def test_scikit_learns_scorers_of_classes_and_margins_take_models_on_frames(table) -> None:
    rows = lazy(table)
    X, y = rows[["a", "b", "c"]], rows["two"]
    model = LogisticRegression().fit(X, y)
    for name in ("roc_auc", "accuracy"):
        theirs = sklearn.metrics.get_scorer(name)(model, X, y)
        assert theirs == pytest.approx(get_scorer(name)(model, X, y), rel=1e-12)


@pytest.mark.parametrize("label", ["two", "many"])
def test_scikit_learns_scorers_of_probabilities_are_given_arrays(table, label) -> None:
    rows = lazy(table)
    X, y, weight = rows[["a", "b", "c"]], rows[label], rows["weight"]
    model = GaussianNB().fit(X, y)
    log_loss = sklearn.metrics.make_scorer(
        sklearn.metrics.log_loss, greater_is_better=False, response_method="predict_proba"
    )
    of_areas = "roc_auc" if label == "two" else "roc_auc_ovr"
    theirs = sklearn.metrics.get_scorer(of_areas)
    for name, scorer in (("neg_log_loss", log_loss), (of_areas, theirs)):
        found = get_scorer(scorer)(model, X, y, weight)
        assert found == pytest.approx(get_scorer(name)(model, X, y, weight), rel=1e-9)
    scores = cross_val_score(GaussianNB(), X, y, cv=2, scoring=theirs)
    assert scores.min() > 0.7


def test_those_of_rows_ranked_in_queries_take_the_query_of_each(table) -> None:
    rows = lazy(table.assign(grade=(table["many"] > 1).astype(int), query=np.arange(400) // 8))
    X, y, qid = rows[["a", "b", "c"]], rows["grade"], rows["query"]
    model = Ridge().fit(X, y)
    for name in RANKED:
        metric = getattr(metrics, "ndcg_score" if name == "ndcg" else name)
        assert get_scorer(name)(model, X, y, qid=qid) == metric(y, model.predict(X), qid) > 0.5
    with pytest.raises(ConfigurationError, match=r"'ndcg' judges how rows are ranked .* give qid"):
        get_scorer("ndcg")(model, X, y)


def test_mistakes_are_told(table) -> None:
    X = table[["a", "b", "c"]]
    with pytest.raises(ConfigurationError, match=r"no scorer 'roc_auk' .nearest: 'roc_auc'"):
        get_scorer("roc_auk")
    with pytest.raises(ConfigurationError, match=r"'roc_auc' needs a classifier .* Ridge is none"):
        get_scorer("roc_auc")(Ridge().fit(X, table["number"]), X, table["two"])
    many = LogisticRegression().fit(X, table["many"])
    with pytest.raises(InputError, match=r"'roc_auc' is of two classes, .* 3\. .*'roc_auc_ov"):
        get_scorer("roc_auc")(many, X, table["many"])
    with pytest.raises(ConfigurationError, match="int has no score of its own"):
        check_scoring(3)
    assert check_scoring(KMeans(2)) is check_scoring(Ridge())
