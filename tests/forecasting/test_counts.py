"""Forecasts of counts with many zeros, and rows that weigh more than others."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from xgboost import XGBRegressor

from dmlkit.features import Calendar, Columns, PanelLags
from dmlkit.forecasting import Forecaster
from dmlkit.tables.generate import retail_demand

LAGS = PanelLags(
    [7, 14], {1: ["rolling_mean:7"], 7: ["rolling_mean:28", "expanding_mean"]}, min_samples=1
)
STEPS = [LAGS, Calendar("ds", ["weekday"]), Columns(["price", "promotion"])]


@pytest.fixture(scope="module")
def slow_movers() -> pd.DataFrame:
    """Generated sales of which every twenty-fifth is kept: more than half of the days have none."""
    sales = retail_demand(items=20, shops=3, days=400, seed=1).compute()
    sold = np.random.default_rng(0).binomial(sales["y"].astype(int), 0.04)
    return sales.assign(y=sold.astype(float))


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    "objective",
    [
        {"objective": "count:poisson"},
        {"objective": "reg:tweedie", "tweedie_variance_power": 1.3},
    ],
)
def test_counts_are_forecast_from_zero_on_and_right_in_the_mean(slow_movers, objective):
    assert (slow_movers["y"] == 0).mean() > 0.5
    model = XGBRegressor(n_estimators=60, learning_rate=0.1, max_depth=4, n_jobs=1, **objective)
    made = Forecaster(model, "1D", STEPS, season=7, min_history=28)
    found = made.cross_validate(slow_movers, 28, windows=3, refit=False)
    assert (found["yhat"] > 0).all()
    assert found["yhat"].sum() == pytest.approx(found["y"].sum(), rel=0.05)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("options", [{"half_life": 9}, {"weight": "worth"}])
def test_weights_are_those_of_least_squares(panel, options):
    """Of half a life ago counts half, and a row without a known worth nothing."""
    steps = [PanelLags([1, 7], dtype="float64")]
    whole = panel[panel["unique_id"] != "s1"].assign(worth=panel["price"] * panel["y"])
    whole.loc[whole.index % 5 == 0, "worth"] = np.nan
    made = Forecaster(LinearRegression(), "1D", steps, min_history=7, **options).fit(whole)
    rows = steps[0].transform(whole)
    rows = rows[rows["y_lag7"].notna()]
    age = (rows["ds"].max() - rows["ds"]).dt.days
    weight = 0.5 ** (age / 9) if "half_life" in options else rows["worth"].fillna(0)
    X = np.column_stack([np.ones(len(rows)), rows[["y_lag1", "y_lag7"]]])
    expected = np.linalg.solve(X.T * weight.to_numpy() @ X, X.T * weight.to_numpy() @ rows["y"])
    (model,) = made.models_
    np.testing.assert_allclose([model.intercept_, *model.coef_], expected, rtol=1e-7)
