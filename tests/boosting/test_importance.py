"""Importance: by gain and SHAP, the same on any partitioning."""

import numpy as np
import pandas as pd
import pytest
import xgboost
from distributed import Client

from dmlkit.boosting import XGBClassifier, feature_importance
from dmlkit.errors import MissingColumnError
from tests.boosting.conftest import cut

FEATURES = ["amount", "hour", "constant"]


@pytest.fixture(scope="module")
def table(payments: pd.DataFrame) -> pd.DataFrame:
    return payments[["amount", "hour", "fraud"]].assign(constant=1.0)


@pytest.fixture
def model(client: Client, table: pd.DataFrame) -> XGBClassifier:
    return XGBClassifier(n_estimators=10).fit(table[FEATURES], table["fraud"])


def test_shap_and_gain_are_those_of_xgboost(model: XGBClassifier, table: pd.DataFrame) -> None:
    found = feature_importance(model, cut(table[FEATURES], 3)).set_index("feature")
    contributions = model.get_booster().predict(
        xgboost.DMatrix(table[FEATURES]), pred_contribs=True
    )
    expected = np.abs(contributions[:, :-1]).mean(axis=0)
    assert found.loc[FEATURES, "shap"].to_numpy() == pytest.approx(expected, rel=1e-5)
    assert found["gain"].sum() == pytest.approx(1)
    assert found.loc["constant"].tolist() == [0, 0]
    assert found.index[0] == "amount"


def test_a_sample_does_not_depend_on_partitions(model: XGBClassifier, table: pd.DataFrame) -> None:
    whole = feature_importance(model, table[FEATURES], sample=100)
    shuffled = table[FEATURES].sample(frac=1, random_state=1)
    pieces = feature_importance(model, cut(shuffled, 7), sample=100)
    assert pieces["feature"].tolist() == whole["feature"].tolist()
    assert pieces["shap"].to_numpy() == pytest.approx(whole["shap"].to_numpy(), rel=1e-6)


def test_a_missing_column_is_named(model: XGBClassifier, table: pd.DataFrame) -> None:
    with pytest.raises(MissingColumnError, match="no column 'hour'"):
        feature_importance(model, cut(table[["amount", "constant"]], 2))
