"""Metrics of forecasts and baselines, against the formulas written out."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import InputError
from dmlkit.forecasting import evaluate_forecasts
from dmlkit.forecasting.baselines import naive2, naive_scales, seasonal_naive


@pytest.fixture
def backtest() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = 4 * 6
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(list("abcd"), 6),
            "step": np.tile(np.arange(1, 7), 4),
            "y": rng.gamma(2, 5, rows),
            "yhat": rng.gamma(2, 5, rows),
            "seasonal_naive": rng.gamma(2, 5, rows),
            "naive2": rng.gamma(2, 5, rows),
            "scale_mase": np.repeat(rng.gamma(2, 2, 4), 6),
            "scale_rmsse": np.repeat(rng.gamma(2, 9, 4), 6),
        }
    )
    frame.loc[3, "y"] = np.nan
    return frame.assign(
        yhat_lo_80=frame["yhat"] - 5, yhat_hi_80=frame["yhat"] + 5, yhat_q10=frame["yhat"] - 4
    )


def test_metrics_are_what_their_formulas_say_on_any_partitions(backtest):
    known = backtest.dropna(subset=["y"])
    error = known["yhat"] - known["y"]
    found = evaluate_forecasts(backtest, levels=[80], quantiles=[0.1])
    smape = (200 * error.abs() / (known["y"].abs() + known["yhat"].abs())).mean()
    mase = (error.abs() / known["scale_mase"]).groupby(known["unique_id"]).mean().mean()
    squared = (error**2 / known["scale_rmsse"]).groupby(known["unique_id"]).mean()
    inside = (known["y"] >= known["yhat_lo_80"]) & (known["y"] <= known["yhat_hi_80"])
    apart = known["y"] - known["yhat_q10"]
    loss = 2 * np.where(apart > 0, 0.1 * apart, -0.9 * apart).sum() / known["y"].sum()
    expected = {
        "smape": smape,
        "mase": mase,
        "rmsse": np.sqrt(squared).mean(),
        "coverage_80": inside.mean(),
        "bias": error.sum() / known["y"].sum(),
        "weighted_quantile_loss": loss,
        "wape": error.abs().sum() / known["y"].sum(),
    }
    for name, value in expected.items():
        assert found.metrics[name] == pytest.approx(value), name
    smape2, mase2 = found.metrics["smape.naive2"], found.metrics["mase.naive2"]
    assert found.metrics["owa"] == pytest.approx((smape / smape2 + mase / mase2) / 2)
    lazy = evaluate_forecasts(dd.from_pandas(backtest, npartitions=3), levels=[80], quantiles=[0.1])
    assert lazy.metrics == pytest.approx(found.metrics)
    assert len(found.by_step) == 6
    assert found.by_series["rows"].tolist() == [5, 6, 6, 6]


def test_groups_are_judged_by_their_own_series_and_steps_by_their_own_rows(backtest):
    groups = pd.DataFrame(
        {"unique_id": list("abcd"), "shop": [1, 1, 2, 2], "kind": ["x", "x", "x", None]}
    )
    found = evaluate_forecasts(backtest, groups=groups)
    assert found.by_group["column"].tolist() == ["shop", "shop", "kind"]
    for row in found.by_group.itertuples():
        names = groups.loc[groups[row.column].astype("str") == row.group, "unique_id"]
        alone = evaluate_forecasts(backtest[backtest["unique_id"].isin(names)])
        assert (row.series, row.rows) == (alone.metrics["series"], alone.metrics["rows"])
        for name in ("smape", "mase", "rmsse", "wape", "bias"):
            assert getattr(row, name) == pytest.approx(alone.metrics[name]), name
        assert row.lost == alone.metrics["series_lost_share"]
        assert row.mase_seasonal_naive == pytest.approx(alone.metrics["mase.seasonal_naive"])
    for row in found.by_step.itertuples():
        alone = evaluate_forecasts(backtest[backtest["step"] == row.step]).metrics
        for name in ("smape", "mase", "wape", "bias"):
            assert getattr(row, name) == pytest.approx(alone[name]), name
    assert evaluate_forecasts(backtest).by_group.empty


def test_wrmsse_weighs_series_as_asked(backtest):
    found = evaluate_forecasts(backtest)
    weights = {"a": 0.0, "b": 3.0, "c": 1.0, "d": 0.0}
    weighed = evaluate_forecasts(backtest, weights=weights).metrics["wrmsse"]
    rmsse = found.by_series.set_index("unique_id")["rmsse"]
    assert weighed == pytest.approx((3 * rmsse["b"] + rmsse["c"]) / 4)
    value = backtest.groupby("unique_id")["y"].sum()
    assert found.metrics["wrmsse"] == pytest.approx((rmsse * value).sum() / value.sum())
    with pytest.raises(InputError, match="'d' has no weight"):
        evaluate_forecasts(backtest, weights={"a": 1, "b": 1, "c": 1})


def test_nothing_to_judge_is_told(backtest):
    with pytest.raises(InputError, match="nothing can be judged"):
        evaluate_forecasts(backtest.assign(y=np.nan))


def test_baselines_repeat_the_season_and_scales_are_naive_errors():
    values = np.array([1.0, 2.0, 3.0, 2.0, 4.0, np.nan, 7.0])
    starts = np.array([0, 6, 7])
    expected = [[2.0, 4.0, 3.0, 2.0], [np.nan, np.nan, 7.0, np.nan]]
    np.testing.assert_array_equal(seasonal_naive(values, starts, 3, 4), expected)
    absolute, squared = naive_scales(values, starts, 3)
    assert absolute[0] == pytest.approx((1 + 2) / 2)
    assert squared[0] == pytest.approx((1 + 1 + 1 + 4) / 4)
    assert np.isnan([absolute[1], squared[1]]).all()


def test_naive2_finds_a_multiplicative_season():
    season = np.array([0.5, 1.0, 1.5, 1.0])
    values = np.tile(season, 12) * 100
    found = naive2(values, np.array([0, len(values)]), 4, 5)
    np.testing.assert_allclose(found[0], [50, 100, 150, 100, 50])
    noise = np.random.default_rng(0).gamma(50, 2, 60)
    np.testing.assert_allclose(naive2(noise, np.array([0, 60]), 4, 3)[0], noise[-1])
