"""Lags of groups in a forecaster: as if the panel with its forecasts were seen as a whole."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from dmlkit.errors import ConfigurationError
from dmlkit.features import Calendar, Columns, PanelLags
from dmlkit.forecasting import Differences, Forecaster, Log1p
from tests.forecasting.conftest import sales

pytestmark = pytest.mark.usefixtures("in_this_process")

OWN = PanelLags([1, 7], min_samples=1)
BY_KIND = PanelLags(
    [1, 2], {1: ["rolling_mean:7", "expanding_mean", "ewm_mean:0.4"]}, by=["kind"], min_samples=1
)
BY_SHOP = PanelLags([1], {2: ["rolling_max:3"]}, by=["shop"], aggregate="sum", min_samples=1)
LAGS = [OWN, BY_KIND, BY_SHOP]
STEPS = [*LAGS, Calendar("ds", ["weekday"]), Columns(["kind"])]
ORDER = ["unique_id", "ds"]


@pytest.fixture
def shops() -> pd.DataFrame:
    """Six series of two kinds in three shops; one began late, one ended early, one has a hole."""
    panel = sales(days=60)
    panel["shop"] = "shop " + panel["unique_id"].map(lambda name: int(name[1]) // 2).astype(str)
    panel.loc[panel["unique_id"].eq("s4") & (panel["ds"].dt.day == 9), "y"] = np.nan
    ended = panel["unique_id"].eq("s2") & (panel["ds"] > "2025-02-15")
    return panel[~ended].reset_index(drop=True)


def forecaster(**options) -> Forecaster:
    options = {"static": ["kind", "shop"], "season": 7} | options
    model = DecisionTreeRegressor(max_depth=8, random_state=0)
    return Forecaster(model, "1D", STEPS, **options)


def in_parts(panel: pd.DataFrame, partitions: int) -> dd.DataFrame:
    return dd.from_pandas(panel.sample(frac=1, random_state=0), npartitions=partitions, sort=False)


def test_each_step_sees_what_the_groups_are_with_the_forecasts_of_all_their_series(shops):
    made = forecaster().fit(in_parts(shops, 3))
    found = made.predict(6).compute().set_index(ORDER)["yhat"]
    (model,) = made.models_
    whole, alive = shops, shops[shops["ds"] == shops["ds"].max()]
    assert "s2" not in found.index.get_level_values(0)
    for step in range(1, 7):
        later = alive.assign(y=np.nan, ds=alive["ds"] + pd.Timedelta(days=step))
        whole = pd.concat([whole, later], ignore_index=True)
        features = whole
        for lags in LAGS:
            features = lags.transform(features)
        features = Calendar("ds", ["weekday"]).apply(features, {})
        rows = features[features["ds"] == later["ds"].iloc[0]]
        values = pd.Series(model.predict(rows[made.design.names]), rows["unique_id"])
        for series, value in values.items():
            assert found[series, later["ds"].iloc[0]] == value
        whole["y"] = whole["y"].where(
            whole["ds"] < later["ds"].iloc[0], whole["unique_id"].map(values)
        )


def test_models_learn_from_the_features_that_the_whole_panel_has(shops):
    made = forecaster().fit(shops)
    features = shops
    for lags in LAGS:
        features = lags.transform(features)
    features = Calendar("ds", ["weekday"]).apply(features, {})
    place = features.groupby("unique_id").cumcount()
    used = features["y"].notna() & (place >= 1) & (features["unique_id"] != "s2")
    expected = DecisionTreeRegressor(max_depth=8, random_state=0)
    expected.fit(features.loc[used, made.design.names], features.loc[used, "y"])
    seen = features.loc[used, made.design.names]
    np.testing.assert_allclose(made.models_[0].predict(seen), expected.predict(seen))


@pytest.mark.parametrize("steps_per_model", [None, 2])
def test_partitions_and_order_change_no_bit(shops, steps_per_model):
    made = forecaster(steps_per_model=steps_per_model, transforms=[Log1p(), Differences(7)])
    made.fit(shops, horizon=4)
    expected = made.predict(4, shops).sort_values(ORDER, ignore_index=True)
    assert len(expected) == 5 * 4
    for partitions in (1, 7):
        lazy = made.predict(4, in_parts(shops, partitions)).compute()
        found = lazy.sort_values(ORDER, ignore_index=True)
        pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)


def test_a_backtest_sees_nothing_of_any_series_behind_its_origin(shops):
    made = forecaster()
    before = made.cross_validate(in_parts(shops, 2), 4, windows=2, step=3).compute()
    past = shops["ds"] <= shops["ds"].max() - pd.Timedelta("4D")
    changed = shops.assign(y=shops["y"].where(past, 1e6))
    after = made.cross_validate(in_parts(changed, 2), 4, windows=2, step=3).compute()
    names = [*ORDER, "yhat", "scale"]
    pd.testing.assert_frame_equal(
        before.loc[before["window"] == 2, names], after.loc[after["window"] == 2, names]
    )


def test_a_series_without_a_group_is_forecast_from_itself(shops):
    unknown = shops.assign(shop=shops["shop"].mask(shops["unique_id"] == "s5"))
    found = forecaster().fit(unknown).predict(2)
    assert found["yhat"].notna().all()
    assert (found["unique_id"] == "s5").sum() == 2


def test_declarations_that_would_tell_of_the_future_are_refused():
    with pytest.raises(ConfigurationError, match="'kind': name it in `static`"):
        forecaster(static=["shop"])
    with pytest.raises(ConfigurationError, match="common_end=True"):
        forecaster(common_end=False)
    with pytest.raises(ConfigurationError, match="without `by`"):
        Forecaster(DecisionTreeRegressor(), "1D", [BY_KIND], static=["kind"])
