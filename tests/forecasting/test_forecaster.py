"""Forecasts: against a loop that forecasts one series at a time, and whatever the partitions."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.features import Calendar, Columns, PanelLags, Ratio
from dmlkit.forecasting import Differences, Forecaster, LocalStandardScaler, Log1p
from tests.forecasting.conftest import sales

pytestmark = pytest.mark.usefixtures("in_this_process")

LAGS = PanelLags(
    [1, 7],
    {1: ["rolling_mean:7", "rolling_std:3", "expanding_mean", "ewm_mean:0.3"],
     7: ["seasonal_rolling_mean:7:3", "rolling_quantile:0.5:7", "difference:7", "rolling_max:4"]},
    min_samples=1,
)  # fmt: skip
STEPS = [LAGS, Calendar("ds", ["weekday"]), Columns(["price", "kind"])]
RATIOS = [Ratio("y_lag1", "price"), Ratio("y_lag1_over_price", "y_lag7")]
TRANSFORMS = [Log1p(), LocalStandardScaler(), Differences(7)]


def tree() -> DecisionTreeRegressor:
    return DecisionTreeRegressor(max_depth=6, random_state=0)


def forecaster(model=None, **options) -> Forecaster:
    options = {"transforms": TRANSFORMS, "static": ["kind"], "season": 7} | options
    return Forecaster(model or tree(), "1D", STEPS, **options)


def future_of(panel: pd.DataFrame, days: int) -> pd.DataFrame:
    last = panel["ds"].max()
    grid = pd.MultiIndex.from_product(
        [panel["unique_id"].unique(), last + pd.to_timedelta(np.arange(1, days + 1), "D")],
        names=["unique_id", "ds"],
    )
    return grid.to_frame(index=False).assign(price=0.9)


def test_recursion_gives_what_a_loop_over_one_series_and_step_gives(panel):
    """The features of each step are taken from the whole series with its forecasts behind it."""
    made = Forecaster(tree(), "1D", [*STEPS, *RATIOS], static=["kind"], season=7).fit(panel)
    found = made.predict(5, future=future_of(panel, 5)).set_index(["unique_id", "ds"])["yhat"]
    (model,) = made.models_
    for series, rows in panel.groupby("unique_id"):
        later = future_of(rows, 5).assign(kind=rows["kind"].iloc[0])
        for step in range(5):
            whole = pd.concat([rows, later[step : step + 1].assign(y=np.nan)], ignore_index=True)
            features = LAGS.transform(whole)
            for row_step in (STEPS[1], *RATIOS):
                features = row_step.apply(features, {})
            value = model.predict(features[made.design.names].tail(1))[0]
            assert found[series, later["ds"].iloc[step]] == value
            rows = whole.assign(y=whole["y"].fillna(value))


@pytest.mark.parametrize("steps_per_model", [None, 1, 2])
def test_partitions_order_and_later_rows_change_no_bit(panel, steps_per_model):
    made = forecaster(steps_per_model=steps_per_model).fit(panel, horizon=4)
    future = future_of(panel, 4)
    order = ["unique_id", "ds"]
    expected = made.predict(4, panel, future).sort_values(order, ignore_index=True)
    shuffled = dd.from_pandas(panel.sample(frac=1, random_state=0), npartitions=4, sort=False)
    lazy = made.predict(4, shuffled, dd.from_pandas(future, npartitions=2))
    pd.testing.assert_frame_equal(
        lazy.compute().sort_values(order, ignore_index=True),
        expected,
        check_exact=True,
        check_dtype=False,
    )
    # What is known of the future may also stand in the panel, without a value.
    together = pd.concat([panel, future.merge(panel[["unique_id", "kind"]].drop_duplicates())])
    found = made.predict(4, together).sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("steps_per_model", [None, 1, 2])
@pytest.mark.parametrize("refit", [True, False])
def test_a_backtest_sees_nothing_behind_its_origin(panel, steps_per_model, refit):
    made = forecaster(steps_per_model=steps_per_model)
    before = made.cross_validate(panel, 4, windows=2, step=3, refit=refit)
    changed = panel.assign(
        y=panel["y"].where(panel["ds"] <= panel["ds"].max() - pd.Timedelta("4D"), 1e6)
    )
    after = made.cross_validate(changed, 4, windows=2, step=3, refit=refit)
    last = before["window"] == 2
    names = ["yhat", "seasonal_naive", "naive2", "scale", "scale_mase", "scale_rmsse"]
    pd.testing.assert_frame_equal(before.loc[last, names], after.loc[last, names])
    assert (after.loc[last, "y"] == 1e6).all()
    assert made.models_ == ()


def test_a_series_that_ended_is_not_forecast_unless_each_has_an_end_of_its_own(panel):
    ended = panel[(panel["unique_id"] != "s2") | (panel["ds"] < "2025-02-20")]
    future = future_of(ended[ended["unique_id"] != "s2"], 2)
    made = forecaster().fit(ended)
    assert "s2" not in made.predict(2, ended, future)["unique_id"].tolist()
    own = forecaster(common_end=False, transforms=[])
    own.design.features.steps.remove(STEPS[2])
    found = own.fit(ended).predict(2)
    assert found.groupby("unique_id")["ds"].min()["s2"] == pd.Timestamp("2025-02-20")


def test_missing_values_and_a_new_series_are_forecast_from_what_is_known(panel):
    holes = panel.assign(y=panel["y"].mask(panel.index % 11 == 0))
    new = panel[panel["unique_id"] == "s0"].tail(2).assign(unique_id="new")
    both = pd.concat([holes, new], ignore_index=True)
    found = forecaster().fit(both).predict(3, future=future_of(both, 3))
    assert found["yhat"].notna().all()
    assert (found["unique_id"] == "new").sum() == 3


def test_a_column_of_the_future_that_is_not_known_is_told(panel):
    made = forecaster().fit(panel)
    with pytest.raises(InputError, match=r"'price' must be known 3 steps ahead.*series 's"):
        made.predict(3)
    with pytest.raises(InputError, match="must be known 3 steps"):
        made.predict(3, future=future_of(panel, 2))
    with pytest.raises(InputError, match="is there already"):
        made.predict(3, future=pd.concat([future_of(panel, 3)] * 2))


def test_other_mistakes_are_told(panel):
    with pytest.raises(NotFittedError):
        forecaster().predict(3)
    with pytest.raises(ConfigurationError, match="needs the horizon"):
        forecaster(steps_per_model=1).fit(panel)
    with pytest.raises(InputError, match="fitted for 2 steps"):
        forecaster(steps_per_model=1).fit(panel, horizon=2).predict(3, future=future_of(panel, 3))
    with pytest.raises(ConfigurationError, match="one step PanelLags"):
        Forecaster(tree(), "1D", [Columns(["price"])])
    with pytest.raises(ConfigurationError, match="'y' of its own row"):
        Forecaster(tree(), "1D", [*STEPS, Ratio("y", "price")])
    with pytest.raises(InputError, match="rows are missing at a frequency"):
        forecaster().fit(panel.drop(index=20))
    with pytest.raises(InputError, match=r"has 70 steps.* 10 are left to train on"):
        forecaster(min_history=14).cross_validate(panel, 20, windows=3)
    with pytest.raises(InputError, match="no row with a value"):
        forecaster().fit(panel.assign(y=np.nan))


def test_weights_and_half_life_change_what_is_learned(panel):
    weighed = panel.assign(weight=(panel["unique_id"] == "s0").astype(float))
    future = future_of(panel, 1)
    names = [step for step in STEPS if not isinstance(step, Columns)]
    plain = Forecaster(LinearRegression(), "1D", names, min_history=21)
    other = Forecaster(LinearRegression(), "1D", names, min_history=21, weight="weight")
    late = Forecaster(LinearRegression(), "1D", names, min_history=21, half_life=5)
    found = [made.fit(weighed).predict(1)["yhat"].to_numpy() for made in (plain, other, late)]
    assert len(future) == len(found[0])
    assert not np.allclose(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_a_model_that_takes_no_weights_serves_where_there_are_none(panel):
    steps = [step for step in STEPS if not isinstance(step, Columns)]
    made = Forecaster(KNeighborsRegressor(3), "1D", steps, min_history=42).fit(panel)
    assert np.isfinite(made.predict(2)["yhat"]).all()
    with pytest.raises(ConfigurationError, match="KNeighborsRegressor takes no weights of rows"):
        Forecaster(KNeighborsRegressor(3), "1D", steps, half_life=5).fit(panel)


def test_quantiles_never_cross_and_calibrated_intervals_hold():
    wide = sales(series=12, days=90, seed=1)
    frame = dd.from_pandas(wide, npartitions=3, sort=False)
    model = xgboost.XGBRegressor(
        n_estimators=20, n_jobs=1, objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]
    )
    made = Forecaster(model, "1D", STEPS, static=["kind"], season=7, minimum=0.0)
    backtest = made.cross_validate(frame, 7, windows=3, refit=False).compute()
    made.fit(frame).calibrate(backtest, levels=[80, 90])
    future = dd.from_pandas(future_of(wide, 7), npartitions=1)
    found = made.predict(7, future=future).compute()
    again = Forecaster.from_dict(made.to_dict(), made.models_)
    same = again.predict(7, frame, future).compute()
    pd.testing.assert_frame_equal(found, same, check_exact=True)
    rising = ["yhat_q10", "yhat", "yhat_q90"]
    assert (np.diff(found[rising].to_numpy(), axis=1) >= 0).all()
    assert (found["yhat"] == found["yhat_q50"]).all()
    assert (found["yhat_lo_80"] <= found["yhat"]).all()
    assert (found["yhat_hi_90"] >= found["yhat_hi_80"]).mean() > 0.9
    assert (found["yhat_lo_80"] >= 0).all()


@pytest.mark.parametrize(
    ("frequency", "start", "expected"),
    [
        ("MS", "2020-01-01", "2024-01-01"),
        ("W-SUN", "2020-01-05", "2020-12-06"),
        ("1h", "2020-01-01", "2020-01-03"),
    ],
)
def test_steps_ahead_follow_the_frequency(frequency, start, expected):
    panel = pd.DataFrame(
        {"unique_id": 1, "ds": pd.date_range(start, periods=48, freq=frequency), "y": range(48)}
    )
    made = Forecaster(LinearRegression(), frequency, [PanelLags([1])])
    found = made.fit(panel).predict(2)
    assert found["ds"].iloc[0] == pd.Timestamp(expected)
    np.testing.assert_allclose(found["yhat"], [48, 49], rtol=1e-5)
