"""Every estimator that dmlkit exports, how it is trained, and which one of scikit-learn's it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import sklearn.cluster
import sklearn.compose
import sklearn.decomposition
import sklearn.feature_extraction.text
import sklearn.impute
import sklearn.linear_model
import sklearn.mixture
import sklearn.naive_bayes
import sklearn.pipeline
import sklearn.preprocessing
import xgboost

from dmlkit import (
    boosting,
    clustering,
    decomposition,
    ensemble,
    linear_model,
    mixture,
    naive_bayes,
    preprocessing,
)

PACKAGES: list[ModuleType] = [
    boosting,
    clustering,
    decomposition,
    ensemble,
    linear_model,
    mixture,
    naive_bayes,
    preprocessing,
]

NUMBERS, COUNTS = ["a", "b", "c"], ["n", "m"]
GAPS, LEVELS, TEXTS = ["gap", "a"], ["code", "ward"], ["note"]


@dataclass(frozen=True)
class Entry:
    """How an estimator is trained.

    Attributes
    ----------
    estimator : Any
    columns : list of str
    twin : scikit-learn's, or a function from a table to what should come out, or None
        None where results are equal in distribution only, or there is no such estimator.
    label : str or None
    needs : dict
        More arguments of `fit`: name and column.
    output : str
        The method whose results are compared.
    tolerance : float
        Between layouts, and between it and its twin.
    trains_on_workers : bool
        Whether it needs a cluster.
    """

    estimator: Any
    columns: list[str]
    twin: Any = None
    label: str | None = None
    needs: dict[str, str] = field(default_factory=dict)
    output: str = "transform"
    tolerance: float = 1e-9
    trains_on_workers: bool = False


@cache
def table() -> pd.DataFrame:
    """Numbers, counts, gaps, an Arrow string, a categorical, texts, labels."""
    random = np.random.default_rng(7)
    rows = 600
    a, b, c = random.normal(size=(3, rows))
    margin = 2 * a - b + random.logistic(size=rows)
    words = np.array(["oil", "belt", "hot", "cold", "noise", "leak"])
    return pd.DataFrame(
        {
            "a": a,
            "b": 3 * b + a + 10,
            "c": np.exp(c),
            "n": random.poisson(2, rows),
            "m": random.integers(0, 4, rows),
            "gap": pd.Series(random.normal(size=rows)).mask(random.random(rows) < 0.2),
            "code": pd.Series(random.choice(["x", "y", "z"], rows), dtype="str"),
            "ward": pd.Categorical(random.choice(["east", "west"], rows)),
            "note": [" ".join(random.choice(words, 4)) for _ in range(rows)],
            "label": (margin > 0).astype("int64"),
            "name": pd.Series(np.where(margin > 1, "high", "low"), dtype="str"),
            "amount": np.exp(a / 3) + random.random(rows),
            "query": np.arange(rows) // 10,
            "when": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(rows) % 97, "h"),
        }
    )


def _centres() -> np.ndarray:
    return table()[NUMBERS].iloc[:3].to_numpy()


def _start() -> dict[str, Any]:
    start = {"means_init": _centres(), "weights_init": np.full(3, 1 / 3)}
    return start | {"precisions_init": np.stack([np.eye(3)] * 3), "n_components": 3}


def _by_ward(of: pd.DataFrame) -> Any:
    usual = of.groupby("ward", observed=True)["gap"].transform("mean")
    return of[["ward"]].assign(gap=of["gap"].fillna(usual))


def _shares(of: pd.DataFrame) -> Any:
    return of[LEVELS].apply(
        lambda column: column.astype(str).map(column.value_counts(normalize=True))
    )


def _hashes(of: pd.DataFrame) -> Any:
    rows = of[LEVELS].astype(str).to_dict("records")
    return pd.DataFrame(sklearn.feature_extraction.FeatureHasher(8).transform(rows).toarray())


def _steps(pipeline: Callable[..., Any], impute: Any, scale: Any) -> Any:
    return pipeline([("fill", impute), ("scale", scale)])


def _side_by_side(transformer: Callable[..., Any], scale: Any, encode: Any) -> Any:
    return transformer([("scale", scale, NUMBERS), ("code", encode, ["code"])])


def entries() -> dict[str, Entry]:
    """Return an entry for each exported estimator, by its name."""
    return transformers() | models() | trained_on_workers()


def transformers() -> dict[str, Entry]:
    """Return those that make columns of columns."""
    ours, theirs = preprocessing, sklearn.preprocessing
    text = sklearn.feature_extraction.text
    svd = sklearn.decomposition.TruncatedSVD(2, algorithm="arpack", random_state=0)
    dense = theirs.OneHotEncoder(sparse_output=False)
    return {
        "ColumnTransformer": Entry(
            _side_by_side(ours.ColumnTransformer, ours.StandardScaler(), ours.OneHotEncoder()),
            [*NUMBERS, "code"],
            _side_by_side(sklearn.compose.ColumnTransformer, theirs.StandardScaler(), dense),
        ),
        "CountVectorizer": Entry(ours.CountVectorizer(), TEXTS, text.CountVectorizer()),
        "EntropyDiscretizer": Entry(ours.EntropyDiscretizer(), NUMBERS, label="label", tolerance=0),
        "FeatureHasher": Entry(ours.FeatureHasher(8), LEVELS, _hashes),
        "FrequencyEncoder": Entry(ours.FrequencyEncoder(), LEVELS, _shares),
        "GroupImputer": Entry(ours.GroupImputer(by="ward"), ["ward", "gap"], _by_ward),
        "HashingVectorizer": Entry(
            ours.HashingVectorizer(8), TEXTS, text.HashingVectorizer(n_features=8)
        ),
        "KBinsDiscretizer": Entry(
            ours.KBinsDiscretizer(encode="ordinal"),
            NUMBERS,
            theirs.KBinsDiscretizer(
                encode="ordinal", subsample=None, quantile_method="averaged_inverted_cdf"
            ),
        ),
        "MinMaxScaler": Entry(ours.MinMaxScaler(), NUMBERS, theirs.MinMaxScaler()),
        "OneHotEncoder": Entry(ours.OneHotEncoder(), LEVELS, dense),
        "OrdinalEncoder": Entry(ours.OrdinalEncoder(), LEVELS, theirs.OrdinalEncoder()),
        "PCA": Entry(
            decomposition.PCA(2), NUMBERS, sklearn.decomposition.PCA(2, svd_solver="full")
        ),
        "Pipeline": Entry(
            _steps(ours.Pipeline, ours.SimpleImputer(), ours.StandardScaler()),
            GAPS,
            _steps(
                sklearn.pipeline.Pipeline, sklearn.impute.SimpleImputer(), theirs.StandardScaler()
            ),
        ),
        "PolynomialFeatures": Entry(
            ours.PolynomialFeatures(), NUMBERS, theirs.PolynomialFeatures()
        ),
        "PowerTransformer": Entry(
            ours.PowerTransformer(), NUMBERS, theirs.PowerTransformer(), tolerance=1e-4
        ),
        "QuantileTransformer": Entry(
            ours.QuantileTransformer(50), NUMBERS, theirs.QuantileTransformer(n_quantiles=50)
        ),
        "RobustScaler": Entry(ours.RobustScaler(), NUMBERS, theirs.RobustScaler()),
        "SimpleImputer": Entry(ours.SimpleImputer(), GAPS, sklearn.impute.SimpleImputer()),
        "StandardScaler": Entry(ours.StandardScaler(), NUMBERS, theirs.StandardScaler()),
        "TargetEncoder": Entry(
            ours.TargetEncoder(),
            LEVELS,
            theirs.TargetEncoder(target_type="continuous"),
            label="amount",
        ),
        "TfidfVectorizer": Entry(ours.TfidfVectorizer(), TEXTS, text.TfidfVectorizer()),
        "TimeTargetEncoder": Entry(
            ours.TimeTargetEncoder(time="when", delay="1d"), [*LEVELS, "when"], label="amount"
        ),
        "TruncatedSVD": Entry(decomposition.TruncatedSVD(2), NUMBERS, svd),
    }


def models() -> dict[str, Entry]:
    """Return those that predict, or find clusters."""
    linear, bayes = sklearn.linear_model, sklearn.naive_bayes
    numbers = {"output": "predict", "label": "amount"}
    classes = {"output": "predict_proba", "label": "name"}
    glm = numbers | {"tolerance": 1e-5}
    kmeans = sklearn.cluster.KMeans(3, init=_centres(), n_init=1)
    nets = {"alpha": 0.01, "tol": 1e-12}
    logistic = linear.LogisticRegression(tol=1e-10, max_iter=10_000)
    return {
        "BernoulliNB": Entry(naive_bayes.BernoulliNB(), COUNTS, bayes.BernoulliNB(), **classes),
        "CategoricalNB": Entry(
            naive_bayes.CategoricalNB(), COUNTS, bayes.CategoricalNB(), **classes
        ),
        "ElasticNet": Entry(
            linear_model.ElasticNet(alpha=0.01), NUMBERS, linear.ElasticNet(**nets), **glm
        ),
        "GammaRegressor": Entry(
            linear_model.GammaRegressor(), NUMBERS, linear.GammaRegressor(tol=1e-10), **glm
        ),
        "GaussianMixture": Entry(
            mixture.GaussianMixture(**_start(), max_iter=20, tol=1e-2),
            NUMBERS,
            sklearn.mixture.GaussianMixture(**_start(), max_iter=20, tol=1e-2, random_state=0),
            output="predict_proba",
            tolerance=1e-6,
        ),
        "GaussianNB": Entry(naive_bayes.GaussianNB(), NUMBERS, bayes.GaussianNB(), **classes),
        "IsolationForest": Entry(
            ensemble.IsolationForest(10), NUMBERS, output="score_samples", tolerance=1e-12
        ),
        "KMeans": Entry(clustering.KMeans(3, init=_centres()), NUMBERS, kmeans),
        "Lasso": Entry(linear_model.Lasso(alpha=0.01), NUMBERS, linear.Lasso(**nets), **glm),
        "LinearRegression": Entry(
            linear_model.LinearRegression(), NUMBERS, linear.LinearRegression(), **numbers
        ),
        "LogisticRegression": Entry(
            linear_model.LogisticRegression(),
            NUMBERS,
            logistic,
            output="predict_proba",
            label="label",
            tolerance=1e-5,
        ),
        "MiniBatchKMeans": Entry(
            clustering.MiniBatchKMeans(3, init=_centres(), batch_size=50, n_batches=5), NUMBERS
        ),
        "MultinomialNB": Entry(
            naive_bayes.MultinomialNB(), COUNTS, bayes.MultinomialNB(), **classes
        ),
        "PoissonRegressor": Entry(
            linear_model.PoissonRegressor(), NUMBERS, linear.PoissonRegressor(tol=1e-10), **glm
        ),
        "Ridge": Entry(linear_model.Ridge(), NUMBERS, linear.Ridge(), **numbers),
        "TweedieRegressor": Entry(
            linear_model.TweedieRegressor(power=1.5),
            NUMBERS,
            linear.TweedieRegressor(power=1.5, tol=1e-10),
            **glm,
        ),
    }


def trained_on_workers() -> dict[str, Entry]:
    """Return those that XGBoost trains, whose twins are its own; of forests none draws alike."""
    shared: dict[str, Any] = {"tolerance": 1e-5, "trains_on_workers": True}
    trees = {"n_estimators": 4, "max_depth": 3}
    return {
        "RandomForestClassifier": Entry(
            ensemble.RandomForestClassifier(**trees),
            NUMBERS,
            label="label",
            output="predict_proba",
            **shared,
        ),
        "RandomForestRegressor": Entry(
            ensemble.RandomForestRegressor(**trees),
            NUMBERS,
            label="amount",
            output="predict",
            **shared,
        ),
        "XGBClassifier": Entry(
            boosting.XGBClassifier(**trees),
            GAPS,
            xgboost.XGBClassifier(**trees),
            label="label",
            output="predict_proba",
            **shared,
        ),
        "XGBRanker": Entry(
            boosting.XGBRanker(**trees),
            GAPS,
            xgboost.XGBRanker(**trees),
            label="m",
            needs={"qid": "query"},
            output="predict",
            **shared,
        ),
        "XGBRegressor": Entry(
            boosting.XGBRegressor(**trees),
            GAPS,
            xgboost.XGBRegressor(**trees),
            label="amount",
            output="predict",
            **shared,
        ),
    }
