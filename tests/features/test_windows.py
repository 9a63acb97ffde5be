import math

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.features import TimeWindows
from dmlkit.features.entity_key import EntityKey, unit_of
from dmlkit.features.rows import Rows
from dmlkit.features.sorted_rows import SortedRows
from tests.features import oracle
from tests.features.conftest import DAY, KINDS, RESOLUTIONS, payments, tables, times

ALL = list(oracle.AGGREGATES)
EXACT = ["count", "sum", "mean", "min", "max"]


def transform(
    step: TimeWindows, table: pd.DataFrame, inputs: int = 1, partitions: int | None = None
) -> pd.DataFrame:
    frame = dd.from_pandas(table, npartitions=inputs, sort=False)
    return step.transform(frame, partitions=partitions).compute(scheduler="sync")


def windows_of(step: TimeWindows, table: pd.DataFrame) -> pd.DataFrame:
    """Return the new columns for the rows of a table, in their order."""
    rows = SortedRows(Rows.of(table), EntityKey(step.entity, step.time, unit_of(table.time.dtype)))
    found = pd.DataFrame(step.compute(rows)).assign(number=rows.rows["number"])
    return found.sort_values("number", ignore_index=True).drop(columns="number")


def by_card(aggregates: list[str], window: str = "3d", **settings: str) -> TimeWindows:
    return TimeWindows("card", "time", [window], {"amount": aggregates}, **settings)


# What a window is


@given(tables(), st.sampled_from(["1d", "3d", "36h", "1s"]), st.sampled_from(["0s", "1d", "25h"]))
def test_windows_are_what_plain_loops_find(table, window, delay):
    found = windows_of(by_card(ALL, window, delay=delay), table)
    seen = oracle.windows(table, "card", "amount", window, delay)
    for aggregate in ALL:
        expected = [oracle.AGGREGATES[aggregate](values) for values in seen]
        values = found[f"card_amount_{aggregate}_{window}_delay_{delay}"]
        if aggregate in EXACT:
            np.testing.assert_array_equal(values, expected)
        else:
            np.testing.assert_allclose(values, expected, rtol=1e-15)


def test_a_window_ends_at_the_row_and_leaves_out_what_is_just_too_old():
    table = payments_of([0, 1, DAY - 1, DAY, DAY + 1])
    assert counts(by_card(["count"], "1d"), table) == [1, 2, 3, 3, 3]


def test_a_delayed_window_sees_a_row_once_the_delay_is_over():
    table = payments_of([0, DAY - 1, DAY, 2 * DAY - 1, 2 * DAY])
    assert counts(by_card(["count"], "1d", delay="1d"), table) == [0, 0, 1, 2, 2]


def test_rows_at_one_instant_all_see_each_other():
    assert counts(by_card(["count"]), payments_of([5, 5, 5])) == [3, 3, 3]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_a_window_shorter_than_a_times_resolution_holds_its_instant(resolution):
    table = payments_of([0, 0, 1]).assign(time=times([0, 0, 1], resolution, None))
    assert counts(by_card(["count"], "1ns"), table) == [2, 2, 1]


def test_rows_without_an_entity_or_a_time_have_empty_windows_and_are_in_none():
    table = payments_of([0, 0, 0, 0])
    table["card"] = pd.array([1, None, 1, 1], dtype="Int64")
    table.loc[2, "time"] = pd.NaT
    assert counts(by_card(["count"]), table) == [2, 0, 0, 2]


def test_an_empty_window_counts_and_adds_up_to_zero_and_tells_nothing_else():
    table = payments_of([0]).assign(amount=np.nan)
    found = windows_of(by_card(ALL), table).iloc[0]
    assert [found.iloc[0], found.iloc[1]] == [0, 0]
    assert found.iloc[2:].isna().all()


def test_what_a_window_does_not_tell_can_be_given():
    step = TimeWindows("card", "time", ["1d"], {"amount": ["mean", "std"]}, empty=-1.0)
    assert windows_of(step, payments_of([0]).assign(amount=np.nan)).iloc[0].tolist() == [-1, -1]


def test_any_column_can_be_counted():
    table = payments_of([0, 1]).assign(shop=pd.array(["a", None], dtype="str"))
    step = TimeWindows("card", "time", ["1d"], {"shop": ["count"]})
    assert counts(step, table) == [1, 1]


def test_minus_zero_is_zero():
    table = payments_of([0, 0]).assign(amount=[-0.0, 0.0])
    found = windows_of(by_card(["min", "max", "sum", "mean"]), table)
    assert not np.signbit(found.to_numpy()).any()


# What it may not see


@given(tables(), st.data())
def test_no_row_sees_what_happens_later(table, data):
    assume(table["time"].notna().any())
    step = by_card(EXACT)
    now = data.draw(st.sampled_from(sorted(table["time"].dropna())))
    later = table["time"] > now
    changed = table.assign(amount=table["amount"].where(~later, 1e12))
    changed = changed.sample(frac=1, random_state=data.draw(st.integers(0, 9)))
    assert_frame_equal(windows_of(step, changed)[~later], windows_of(step, table)[~later])
    without = table[~later]
    assert_frame_equal(
        windows_of(step, without), windows_of(step, table)[~later].reset_index(drop=True)
    )


@given(tables(), st.data())
def test_no_row_sees_a_label_before_its_delay_is_over(table, data):
    assume(table["time"].notna().any())
    step = by_card(EXACT, delay="2d")
    now = data.draw(st.sampled_from(sorted(table["time"].dropna())))
    unknown = table["time"] > now - pd.Timedelta("2D")
    changed = table.assign(amount=table["amount"].where(~unknown, 1e12))
    until_now = table["time"] <= now
    assert_frame_equal(windows_of(step, changed)[until_now], windows_of(step, table)[until_now])


@settings(max_examples=30)
@given(tables(most=12))
def test_what_left_a_window_leaves_no_trace(table):
    step = by_card(EXACT)
    expected = windows_of(step, table)
    for row in table.index[table["time"].notna()]:
        since = table["time"] > table["time"][row] - step.history
        alone = windows_of(step, table[since]).set_index(table.index[since])
        assert_frame_equal(alone.loc[[row]], expected.loc[[row]])


# What it does not depend on


STEP = TimeWindows("terminal", "time", ["1d", "7d"], {"amount": ALL, "fraud": ["mean"]}, delay="1d")


def same_bytes(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    """Tell whether two tables are the same to the bit, in the same order."""
    hashes = [pd.util.hash_pandas_object(table, index=False) for table in (left, right)]
    return list(left) == list(right) and hashes[0].tolist() == hashes[1].tolist()


@pytest.mark.parametrize(("inputs", "partitions"), [(1, 7), (7, 1), (7, None), (64, 7), (7, 64)])
def test_the_table_is_the_same_to_the_bit_for_any_partitions_and_order(inputs, partitions):
    table = payments()
    shuffled = table.sample(frac=1, random_state=inputs)
    found = transform(STEP, shuffled, inputs, partitions)
    assert same_bytes(found, transform(STEP, table, 1, 1))


def test_the_table_is_the_same_to_the_bit_on_a_cluster(client):
    table = payments()
    found = STEP.transform(dd.from_pandas(table, npartitions=5), partitions=4).compute()
    assert same_bytes(found, transform(STEP, table))


@pytest.mark.parametrize("kind", KINDS)
def test_an_entitys_dtype_does_not_matter(kind):
    table = payments_of(list(range(40))).assign(card=np.arange(40) % 3)
    kinds = table.assign(card=table["card"].astype(kind))
    assert counts(by_card(["count"]), kinds) == counts(by_card(["count"]), table)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_a_times_resolution_and_zone_do_not_matter(resolution, zone):
    seconds = [0, DAY - 1, DAY, 30 * DAY, 30 * DAY + 1]
    table = payments_of(seconds).assign(time=times(seconds, resolution, zone))
    assert counts(by_card(["count"], "1d"), table) == [1, 2, 2, 1, 2]


def test_a_window_lasts_its_hours_when_clocks_change():
    clock = pd.to_datetime(["2025-03-29 12:00", "2025-03-30 11:59", "2025-03-30 12:01"])
    table = payments_of([0, 0, 0]).assign(time=clock.tz_localize("Europe/Brussels"))
    assert counts(by_card(["count"], "23h"), table) == [1, 2, 2]


# What comes out


def test_columns_are_named_by_entity_value_aggregate_window_and_delay():
    plain = TimeWindows("card", "time", ["1h", "7d"], {"amount": ["sum", "max"]})
    assert plain.get_feature_names_out() == [
        "card_amount_sum_1h",
        "card_amount_sum_7d",
        "card_amount_max_1h",
        "card_amount_max_7d",
    ]
    late = TimeWindows("card", "time", ["1h"], {"fraud": ["mean"]}, delay="7d")
    assert late.get_feature_names_out() == ["card_fraud_mean_1h_delay_7d"]


def test_the_dtypes_are_those_promised():
    frame = dd.from_pandas(payments(), npartitions=3)
    result = STEP.transform(frame)
    found = result.compute(scheduler="sync")
    assert found.dtypes.to_dict() == result.dtypes.to_dict()
    assert found.dtypes[payments().columns].to_dict() == frame.dtypes.to_dict()


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows_or_none_are_a_table_too(rows):
    table = payments().head(rows)
    found = transform(STEP, table, partitions=3)
    assert len(found) == rows
    assert found.dtypes.to_dict() == transform(STEP, payments()).dtypes.to_dict()


def test_empty_partitions_do_not_matter():
    frame = dd.from_pandas(payments(), npartitions=4)
    few = frame[frame["number"] < 3]
    assert len(STEP.transform(few).compute(scheduler="sync")) == 3


def test_rows_of_an_entity_are_together_and_by_time():
    found = transform(STEP, payments(), 4, 3)
    there = found.dropna(subset=["terminal", "time"]).astype({"terminal": int})
    assert (there["terminal"] != there["terminal"].shift()).sum() == there["terminal"].nunique()
    assert (there.groupby("terminal")["time"].diff().dropna() >= pd.Timedelta(0)).all()


def test_history_is_the_longest_window_and_the_delay():
    assert STEP.history == pd.Timedelta("8D")


def test_a_declaration_survives_as_a_dictionary():
    assert TimeWindows.from_dict(STEP.to_dict()) == STEP
    assert STEP.to_dict() == {
        "kind": "time_windows",
        "by": "terminal",
        "time": "time",
        "windows": ["1d", "7d"],
        "aggregate": {"amount": ALL, "fraud": ["mean"]},
        "delay": "1d",
    }


# What is refused


@pytest.mark.parametrize("window", ["7", "", "d", "7 parsecs", "1M", "NaT", 7])
def test_a_window_is_a_number_and_a_unit(window):
    with pytest.raises(ConfigurationError, match=r"no length of time. Write it as '30min'"):
        by_card(["count"], window)


@pytest.mark.parametrize("window", ["0s", "-1d"])
def test_a_window_is_longer_than_nothing(window):
    with pytest.raises(ConfigurationError, match="not longer than nothing"):
        by_card(["count"], window)


def test_a_delay_does_not_look_into_the_future():
    with pytest.raises(ConfigurationError, match="looks into the future"):
        by_card(["count"], delay="-1d")


def test_an_unknown_aggregate_is_named_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"'meen' \(nearest: 'mean'\)"):
        by_card(["meen"])


@pytest.mark.parametrize(
    ("windows", "aggregates", "complaint"),
    [
        ("7d", ["sum"], "windows must be a list"),
        (["7d"], "sum", "aggregate of 'amount' must be a list"),
        (["7d", "7d"], ["sum"], "windows names '7d' twice"),
        ([], ["sum"], "needs an entity, a window"),
        (["7d"], [], "and an aggregate"),
    ],
)
def test_lists_are_lists_of_different_things(windows, aggregates, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        TimeWindows("card", "time", windows, {"amount": aggregates})


def test_a_column_that_is_not_there_is_named_with_the_nearest():
    table = payments_of([0]).rename(columns={"amount": "AMOUNT"})
    with pytest.raises(MissingColumnError, match=r"'amount' \(nearest: 'AMOUNT'\)"):
        transform(by_card(["sum"]), table)


def test_a_time_that_is_text_is_refused():
    table = payments_of([0]).assign(time="2025-01-01")
    with pytest.raises(InputError, match="needs a datetime"):
        by_card(["sum"]).fit(table)


def test_a_text_cannot_be_summed():
    with pytest.raises(
        InputError,
        match=r"its sum over a window can't be taken. Convert it to a number, or take count, first",
    ):
        by_card(["sum"]).fit(payments_of([0]).assign(amount="much"))


def test_a_column_with_a_features_name_is_not_overwritten():
    table = payments_of([0]).assign(card_amount_sum_3d=1.0)
    with pytest.raises(InputError, match="has a column 'card_amount_sum_3d' already"):
        transform(by_card(["sum"]), table)


def payments_of(seconds: list[int]) -> pd.DataFrame:
    """Return payments of one card, each of 1."""
    return pd.DataFrame(
        {
            "number": range(len(seconds)),
            "card": 1,
            "time": times(seconds, "us", None),
            "amount": 1.0,
        }
    )


def counts(step: TimeWindows, table: pd.DataFrame) -> list[float]:
    found = windows_of(step, table).iloc[:, 0].tolist()
    assert not any(map(math.isnan, found))
    return found
