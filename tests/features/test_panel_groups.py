"""Features of groups of series: against pandas, exact, and blind to the future."""

from fractions import Fraction

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError
from dmlkit.features import FeatureSet, PanelLags
from dmlkit.features.panel_groups import GroupSums, aggregated

ON_LAG = {1: ["rolling_mean:3", "rolling_std:4", "expanding_mean"], 2: ["seasonal_rolling_max:2:2"]}
BY_ITEM = PanelLags([1, 3], ON_LAG, by=["item"], min_samples=1, dtype="float64")


def panel(missing: float = 0.0, seed: int = 0, days: int = 25) -> pd.DataFrame:
    """Return six series of three items in two shops, which begin and end on different days."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(6):
        first, last = rng.integers(0, days // 2), rng.integers(days // 2, days) + 1
        y = np.round(rng.normal(100, 30, last - first), 1)
        y[rng.random(len(y)) < missing] = np.nan
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": f"s{number}",
                    "ds": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(first, last), "D"),
                    "y": y,
                    "item": f"i{number % 3}",
                    "shop": number // 3,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def oracle(frame: pd.DataFrame, step: PanelLags) -> pd.DataFrame:
    """Return the features by pandas: what each group amounts to, as a series of its own."""
    by = list(step.by)
    rule = {"min_count": 1} if step.aggregate == "sum" else {}
    groups = frame.groupby([*by, "ds"])["y"]
    totals = getattr(groups, step.aggregate)(**rule).reset_index()
    totals["unique_id"] = totals[by].astype(str).agg("-".join, axis=1)
    alone = PanelLags(step.lags, step.transforms, min_samples=step.min_samples, dtype=step.dtype)
    found = alone.transform(totals)
    names = dict(zip(alone.get_feature_names_out(), step.get_feature_names_out(), strict=True))
    found = found.rename(columns=names)[[*by, "ds", *names.values()]]
    return frame.merge(found, on=[*by, "ds"], how="left")[list(names.values())]


@given(
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 99),
    by=st.sampled_from([["item"], ["shop"], ["item", "shop"]]),
    aggregate=st.sampled_from(["mean", "sum"]),
)
@settings(max_examples=20)
def test_a_group_has_the_features_of_the_series_of_its_means_or_sums(missing, seed, by, aggregate):
    step = PanelLags([1, 3], ON_LAG, by=by, aggregate=aggregate, min_samples=1, dtype="float64")
    frame = panel(missing, seed)
    found = step.transform(frame)
    pd.testing.assert_frame_equal(
        found[step.get_feature_names_out()],
        oracle(found[frame.columns], step),
        rtol=1e-9,
        atol=1e-7,
    )


@given(changed=st.integers(0, 24), value=st.sampled_from([np.nan, 1e9]))
@settings(max_examples=8)
def test_no_series_sees_what_another_of_its_group_is_at_the_same_time_or_later(changed, value):
    frame = panel()
    day = frame["ds"].min() + pd.Timedelta(days=changed)
    other = frame.assign(y=frame["y"].where(frame["ds"] < day, value))
    names = BY_ITEM.get_feature_names_out()
    before, after = BY_ITEM.transform(frame), BY_ITEM.transform(other)
    past = (before["ds"] <= day).to_numpy()
    pd.testing.assert_frame_equal(before.loc[past, names], after.loc[past, names])


@pytest.mark.parametrize("by", ["item", "shop"])
def test_partitions_and_order_change_no_bit(by):
    step = PanelLags([1], {1: ["rolling_mean:28", "expanding_mean"]}, by=by, min_samples=1)
    frame = pd.concat(
        [panel(0.1, seed, days=60).assign(unique_id=lambda f, s=seed: str(s) + f["unique_id"])
         for seed in range(4)],
        ignore_index=True,
    )  # fmt: skip
    order = ["unique_id", "ds"]
    whole = step.transform(frame)
    pd.testing.assert_frame_equal(
        step.transform(frame.sample(frac=1, random_state=9)), whole, check_exact=True
    )
    for partitions in (1, 5):
        shuffled = frame.sample(frac=1, random_state=partitions)
        lazy = step.transform(dd.from_pandas(shuffled, npartitions=partitions, sort=False))
        rows = lazy.compute(scheduler="sync").sort_values(order, ignore_index=True)
        pd.testing.assert_frame_equal(rows, whole, check_exact=True, check_dtype=False)


def test_sums_are_exact_and_rounded_once():
    values = np.array([1e15, 0.1, -1e15, 1e-7, 3.0, np.nan, np.inf])
    exact = sum(Fraction(value) for value in values[:5])
    for order in (np.arange(7), np.arange(7)[::-1]):
        (found,) = aggregated(values[order], np.zeros(7, np.int64), 1, "sum")
        assert found == pytest.approx(float(exact), rel=1e-15)
        (mean,) = aggregated(values[order], np.zeros(7, np.int64), 1, "mean")
        assert mean == found / 5


def test_sums_of_parts_are_those_of_the_whole_whatever_the_parts():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 5, 300).astype(np.uint64)
    steps, values = rng.integers(-7, 20, 300), rng.normal(0, 1e6, 300)
    whole = GroupSums.of(hashes, steps, values, last=21)
    parts = [GroupSums.of(hashes[at::7], steps[at::7], values[at::7], last=21) for at in range(7)]
    merged = GroupSums.merged([GroupSums.merged(parts[4:]), GroupSums.merged(parts[:4])])
    np.testing.assert_array_equal(merged.values("sum"), whole.values("sum"))
    np.testing.assert_array_equal(merged.starts, whole.starts)
    some = merged.select(np.array([3, 1], np.uint64))
    assert some.hashes.tolist() == [1, 3]
    expected = values[(hashes == 3) & (steps == 4)].sum()
    place = some.places(np.array([3], np.uint64), np.array([4]))
    assert some.values("sum")[place][0] == pytest.approx(expected)
    assert np.isnan(some.values("mean")[some.starts[1:] - 1]).all()


def test_a_row_without_a_group_has_no_features_and_counts_for_none():
    frame = panel().assign(item=lambda f: f["item"].mask(f["unique_id"] == "s3"))
    names = BY_ITEM.get_feature_names_out()
    found = BY_ITEM.transform(frame)
    lost = found["unique_id"] == "s3"
    assert found.loc[lost, names].isna().all(axis=None)
    without = BY_ITEM.transform(frame[frame["unique_id"] != "s3"].reset_index(drop=True))
    pd.testing.assert_frame_equal(found[~lost].reset_index(drop=True), without)


def test_groups_stand_beside_series_in_a_feature_set():
    features = FeatureSet([PanelLags([1]), BY_ITEM, PanelLags([7], by="shop", aggregate="sum")])
    names = features.get_feature_names_out()
    assert names[0] == "y_lag1"
    assert names[1] == "y_mean_by_item_lag1"
    assert names[-1] == "y_sum_by_shop_lag7"
    again = FeatureSet.from_dict(features.to_dict())
    assert again.to_dict() == features.to_dict()
    assert "by 'item' and in the order of 'ds'" in features.explain()
    rows = features.fit_transform(dd.from_pandas(panel(), npartitions=2)).compute()
    assert rows["y_mean_by_item_lag1"].notna().any()


def test_an_aggregate_that_is_not_known_is_told():
    with pytest.raises(ConfigurationError, match="write 'mean' or 'sum'"):
        PanelLags([1], by=["item"], aggregate="median")
