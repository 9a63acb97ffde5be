"""Interactions of features: XGBoost's numbers, of any trees, the same on any partitioning."""

from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest
import xgboost

from dmlkit.boosting import XGBClassifier, XGBRegressor, feature_interactions
from dmlkit.errors import ConfigurationError, MissingColumnError
from tests.boosting.conftest import cut

NUMBERS = ["a", "b", "c", "d"]
FEATURES = [*NUMBERS, "kind", "place"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Numbers with gaps and ties, and categories; `a` and `b` matter together only."""
    random = np.random.default_rng(9)
    frame = pd.DataFrame(random.normal(size=(1_500, 4)).round(1), columns=NUMBERS)
    frame["a"] = frame["a"].mask(random.random(1_500) < 0.1)
    frame["kind"] = pd.Categorical(random.choice(list("pqrstuvw"), 1_500))
    frame["place"] = pd.Categorical(random.choice(["x", "y"], 1_500))
    margin = 2 * frame["a"].fillna(0) * frame["b"] + frame["c"]
    margin += 2 * frame["kind"].isin(["p", "q"]) * (frame["d"] > 0)
    label = (margin + random.normal(size=1_500) > 0).astype(int)
    return frame.assign(label=label, several=label + (frame["d"] > 0.5), amount=margin)


def fitted(kind: Any, table: pd.DataFrame, label: str, **parameters: Any) -> Any:
    """Make a model of a booster that XGBoost trained by itself: no cluster is needed."""
    matrix = xgboost.DMatrix(table[FEATURES], table[label], enable_categorical=True)
    booster = xgboost.train(parameters | {"nthread": 1, "seed": 0}, matrix, 12)
    model = kind.from_raw(bytes(booster.save_raw("ubj")), parameters={})
    return model, booster


def expected_of(booster: xgboost.Booster, table: pd.DataFrame) -> np.ndarray:
    matrix = xgboost.DMatrix(table[FEATURES], enable_categorical=True)
    halves = booster.predict(matrix, pred_interactions=True)[..., :-1, :-1]
    halves = halves.reshape(-1, len(FEATURES), len(FEATURES))
    return np.triu(2 * np.abs(halves).mean(axis=0), 1)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("label", "parameters"),
    [
        ("label", {"objective": "binary:logistic", "max_depth": 5}),
        ("label", {"objective": "binary:logistic", "max_depth": 4, "max_cat_to_onehot": 10}),
        ("label", {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 25}),
        ("label", {"booster": "dart", "rate_drop": 0.3, "max_depth": 3}),
        ("several", {"objective": "multi:softprob", "num_class": 3, "max_depth": 3}),
        ("amount", {"objective": "reg:squarederror", "max_depth": 4}),
        ("label", {"objective": "binary:logistic", "max_depth": 1}),
    ],
    ids=["depth", "one-hot", "lossguide", "dart", "classes", "numbers", "stumps"],
)
def test_pairs_are_those_of_xgboost(table, label, parameters) -> None:
    model, booster = fitted(XGBRegressor, table, label, **parameters)
    rows = table.head(120)
    expected = expected_of(booster, rows)
    found = feature_interactions(model, cut(rows, 3)).pairs
    ours = np.zeros_like(expected)
    for feature, other, shap in found.itertuples(index=False):
        ours[FEATURES.index(feature), FEATURES.index(other)] = shap
    np.testing.assert_allclose(ours, expected, atol=1e-5 * max(expected.max(), 1))
    if parameters["max_depth"] == 1:
        assert found.empty
    if label == "label" and len(found):
        first = found.head(3)[["feature", "other"]].to_numpy().tolist()
        assert ["a", "b"] in first


@pytest.mark.usefixtures("in_this_process")
def test_points_are_rows_of_the_first_pairs(table) -> None:
    model, booster = fitted(XGBClassifier, table, "label", objective="binary:logistic")
    rows = table.head(50)
    points = feature_interactions(model, rows).points
    first = points[(points["feature"] == "a") & (points["other"] == "b")]
    assert len(first) == 50
    assert len(points) == 150
    matrix = xgboost.DMatrix(rows[FEATURES], enable_categorical=True)
    halves = booster.predict(matrix, pred_interactions=True)[:, 0, 1]
    expected = rows[["a", "b"]].assign(shap=2 * halves.astype("float64"))
    ours = first[["value", "other_value", "shap"]].astype("float64")
    ours, expected = (
        each.set_axis(["a", "b", "shap"], axis=1).sort_values(["a", "b", "shap"], ignore_index=True)
        for each in (ours, expected)
    )
    pd.testing.assert_frame_equal(ours, expected, atol=1e-5)


@pytest.mark.usefixtures("in_this_process")
def test_a_sample_does_not_depend_on_partitions(table) -> None:
    model, _ = fitted(XGBClassifier, table, "label", objective="binary:logistic")
    whole = feature_interactions(model, table, sample=100)
    shuffled = table.sample(frac=1, random_state=1)
    pieces = feature_interactions(model, cut(shuffled, 7), sample=100)
    pd.testing.assert_frame_equal(pieces.pairs, whole.pairs, check_exact=True)
    pd.testing.assert_frame_equal(pieces.points, whole.points, check_exact=True)


@pytest.mark.usefixtures("in_this_process")
def test_categories_are_told_apart_by_name_and_not_by_number(table) -> None:
    model, _ = fitted(XGBClassifier, table, "label", objective="binary:logistic")
    expected = feature_interactions(model, table, sample=2_000).pairs
    other = table["kind"].cat.reorder_categories(list("wvutsrqp"))
    found = feature_interactions(model, table.assign(kind=other), sample=2_000).pairs
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


def test_workers_share_the_rows(client, table) -> None:
    model, _ = fitted(XGBClassifier, table, "label", objective="binary:logistic")
    found = feature_interactions(model, cut(table, 4)).pairs
    with dask.config.set(scheduler="synchronous"):
        pd.testing.assert_frame_equal(found, feature_interactions(model, table).pairs)


@pytest.mark.usefixtures("in_this_process")
def test_mistakes_are_told(table) -> None:
    model, _ = fitted(XGBClassifier, table, "label", objective="binary:logistic")
    with pytest.raises(MissingColumnError, match="no column 'a'"):
        feature_interactions(model, table.drop(columns="a"))
    with pytest.raises(ConfigurationError, match="sample is 0"):
        feature_interactions(model, table, sample=0)
    linear, _ = fitted(XGBRegressor, table[[*NUMBERS, "kind", "place", "amount"]].assign(
        kind=0.0, place=0.0), "amount", booster="gblinear")  # fmt: skip
    with pytest.raises(ConfigurationError, match="booster='gbtree'"):
        feature_interactions(linear, table.assign(kind=0.0, place=0.0))
