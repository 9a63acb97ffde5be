"""Panel features against pandas, series by series, and that none sees what it must not."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features import FeatureSet, PanelLags

ON_LAG = ["rolling_mean:3", "rolling_std:5", "rolling_min:4", "rolling_max:1", "expanding_mean"]
ON_LAG += ["rolling_quantile:0.3:6", "seasonal_rolling_mean:3:2", "seasonal_rolling_std:2:3"]
ON_LAG += ["ewm_mean:0.3", "difference:2", "rolling_std:28", "seasonal_rolling_max:4:3"]

STEP = PanelLags([1, 4], {1: ON_LAG, 7: ON_LAG[:4]}, dtype="float64")


def panel(lengths: list[int], missing: float = 0.0, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = np.round(rng.normal(100, 30, sum(lengths)), 1)
    y[rng.random(len(y)) < missing] = np.nan
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{number}" for number in range(len(lengths))], lengths),
            "ds": np.concatenate([pd.date_range("2025-01-01", periods=n) for n in lengths]),
            "y": y,
        }
    )


def by_pandas(y: pd.Series, lag: int, text: str, least: int | None) -> pd.Series:
    """Return what a feature is by pandas' own windows."""
    name, *numbers = text.split(":")
    if not name:
        return y.shift(lag)
    if name == "difference":
        return (y - y.shift(int(numbers[0]))).shift(lag)
    if name == "expanding_mean":
        return y.expanding(1).mean().shift(lag)
    if name == "ewm_mean":
        return y.ewm(alpha=float(numbers[0]), adjust=False, ignore_na=True).mean().shift(lag)
    if name.startswith("seasonal_rolling"):
        season = int(numbers[0])
        inner = ":".join([name.removeprefix("seasonal_"), *numbers[1:]])
        phases = [by_pandas(y[start::season], 0, inner, least) for start in range(season)]
        return pd.concat([part for part in phases if len(part)]).sort_index().shift(lag)
    window = int(numbers[-1])
    windows = y.rolling(window, min(least or window, window))
    if name == "rolling_quantile":
        return windows.quantile(float(numbers[0])).shift(lag)
    return getattr(windows, name.removeprefix("rolling_"))().shift(lag)


def oracle(frame: pd.DataFrame, step: PanelLags) -> pd.DataFrame:
    parts = []
    for _, rows in frame.groupby("unique_id", sort=False):
        y = rows["y"].reset_index(drop=True)
        parts.append(
            pd.DataFrame(
                {
                    feature.name("y"): by_pandas(y, feature.lag, feature.text, step.min_samples)
                    for feature in step.features
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    missing=st.sampled_from([0.0, 0.2, 1.0]),
    least=st.sampled_from([None, 1, 2]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_each_feature_is_what_pandas_makes_of_the_series(lengths, missing, least, seed):
    step = PanelLags(STEP.lags, STEP.transforms, min_samples=least, dtype="float64")
    frame = panel(lengths, missing, seed)
    found = step.transform(frame, threads=1)[step.get_feature_names_out()]
    pd.testing.assert_frame_equal(found, oracle(frame, step), rtol=1e-9, atol=1e-7)


@given(changed=st.integers(0, 39), value=st.sampled_from([np.nan, 1e9]))
@settings(max_examples=10)
def test_no_feature_sees_its_own_row_or_a_later_one(changed, value):
    frame = panel([40])
    other = frame.assign(y=frame["y"].where(frame.index != changed, value))
    names = STEP.get_feature_names_out()
    before, after = STEP.transform(frame)[names], STEP.transform(other)[names]
    pd.testing.assert_frame_equal(before[: changed + 1], after[: changed + 1])
    assert changed == 39 or not before[changed + 1 :].equals(after[changed + 1 :])


def test_windows_depend_on_their_rows_to_the_last_bit_not_on_where_the_series_begins():
    frame = panel([300])
    step = PanelLags([1], {1: ["rolling_mean:28", "rolling_std:28", "rolling_quantile:0.5:7"]})
    tail = frame[200:].reset_index(drop=True)
    of_tail = step.transform(tail)[28:].reset_index(drop=True)
    of_whole = step.transform(frame)[228:].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_tail, of_whole, check_exact=True)


def test_partitions_order_and_threads_change_nothing():
    frame = panel([30, 1, 17, 40, 25], missing=0.1)
    whole = STEP.transform(frame, threads=3)
    shuffled = frame.sample(frac=1, random_state=0)
    for partitions in (1, 3, 40):
        lazy = STEP.transform(dd.from_pandas(shuffled, npartitions=partitions, sort=False))
        rows = lazy.compute(scheduler="sync").sort_values(["unique_id", "ds"], ignore_index=True)
        pd.testing.assert_frame_equal(rows, whole, check_exact=True, check_dtype=False)
    pd.testing.assert_frame_equal(STEP.transform(shuffled), whole, check_exact=True)
    together = dd.from_pandas(frame, npartitions=1)
    pd.testing.assert_frame_equal(
        STEP.transform(together, whole=True).compute(), whole, check_dtype=False
    )


def test_series_may_count_their_steps_in_whole_numbers():
    frame = panel([5, 4])
    counted = frame.assign(ds=[1, 2, 3, 4, 5, 11, 12, 13, 14])
    names = STEP.get_feature_names_out()
    pd.testing.assert_frame_equal(STEP.transform(counted)[names], STEP.transform(frame)[names])


def test_a_feature_set_has_panel_lags_beside_other_steps():
    features = FeatureSet.from_dict(
        {"steps": [{"kind": "panel_lags", "lags": [1]}, {"kind": "calendar", "time": "ds",
                                                         "parts": ["weekday"]}]}
    )  # fmt: skip
    rows = features.fit_transform(dd.from_pandas(panel([3]), npartitions=1)).compute()
    assert list(rows.columns) == ["unique_id", "ds", "y", "y_lag1", "ds_weekday"]
    assert FeatureSet.from_dict(features.to_dict()).to_dict() == features.to_dict()
    assert "as far as there are rows" in features.explain()


@pytest.mark.parametrize("lazy", [False, True])
def test_two_rows_of_a_series_at_one_time_are_an_error(lazy):
    frame = pd.concat([panel([3, 3]), panel([2])], ignore_index=True)
    with pytest.raises(InputError, match=r"'s0'.* one value at a time"):
        if lazy:
            STEP.transform(dd.from_pandas(frame, npartitions=2)).compute(scheduler="sync")
        else:
            STEP.transform(frame)


@pytest.mark.parametrize(
    ("lags", "transforms", "told"),
    [
        ([0], {}, "lag 0 is no whole number of rows from 1"),
        ([], {}, "needs a lag"),
        ([], {1: ["rolling_meen:7"]}, "nearest: 'rolling_mean'"),
        ([], {1: ["rolling_mean"]}, "rolling_mean takes window"),
        ([], {1: ["rolling_mean:2.5"]}, "window is '2.5'"),
        ([], {1: ["ewm_mean:3"]}, "alpha is '3'"),
    ],
)
def test_a_wrong_declaration_is_told_when_it_is_made(lags, transforms, told):
    with pytest.raises(ConfigurationError, match=told):
        PanelLags(lags, transforms)
