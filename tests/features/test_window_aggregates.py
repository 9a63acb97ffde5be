"""Every aggregate of `TimeWindows` beside plain loops, whole and in pieces."""

import math

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features import TimeWindows
from dmlkit.features.conditions import Condition
from tests.features import oracle
from tests.features.conftest import DAY, payments, tables, times
from tests.features.test_windows import by_card, payments_of, same_bytes, transform, windows_of

OF_ANY = ["count", "first", "last", "nunique", "mode", "events_since_change"]
DECAYED = ["decayed_sum:36h", "decayed_mean:36h"]
ALL = [*oracle.OF_EVENTS, *DECAYED, "seconds_since_last", "share:1"]
WINDOWS = st.sampled_from(["1d", "3d", "36h", "1s"])
DELAYS = st.sampled_from(["0s", "1d", "25h"])

#: A value column of every kind, from whole numbers.
KINDS = {
    "int8": lambda numbers: pd.Series(numbers, dtype="int8"),
    "Int64": lambda numbers: pd.Series(numbers, dtype="Int64").where(numbers != 2),
    "float32": lambda numbers: pd.Series(numbers, dtype="float32"),
    "bool": lambda numbers: numbers > 0,
    "boolean": lambda numbers: (numbers > 0).astype("boolean").where(numbers != 2),
    "decimal": lambda numbers: numbers.astype(pd.ArrowDtype(pa.decimal128(25, 2))),
    "str": lambda numbers: numbers.astype(str).where(numbers != 2).astype("str"),
    "category": lambda numbers: numbers.astype(str).where(numbers != 2).astype("category"),
    "zone": lambda numbers: pd.to_datetime(numbers, unit="D").dt.tz_localize("Asia/Tokyo"),
}


@given(tables(), WINDOWS, DELAYS)
def test_aggregates_are_what_plain_loops_find(table, window, delay):
    table = table.assign(amount=table["amount"] + 0.0)
    found = windows_of(by_card(list(oracle.OF_EVENTS), window, delay=delay), table)
    seen = oracle.events(table, ["card"], "amount", window, delay)
    for name, aggregate in oracle.OF_EVENTS.items():
        expected = [aggregate(events, None) for events in seen]
        column = found[f"card_amount_{name}_{window}_delay_{delay}"]
        np.testing.assert_allclose(column, expected, rtol=1e-15, atol=0)


@given(tables(), WINDOWS, DELAYS, st.sampled_from(["6h", "36h", "400d"]))
def test_decayed_aggregates_weigh_by_age(table, window, delay, half_life):
    table = table[table["amount"].abs() < 1e10].reset_index(drop=True)
    names = [f"decayed_sum:{half_life}", f"decayed_mean:{half_life}"]
    found = windows_of(by_card(names, window, delay=delay), table)
    late = pd.Timedelta(delay.replace("d", "D"))
    seen = oracle.events(table, ["card"], "amount", window, delay)
    expected = [
        oracle.decayed(events, now - late, half_life)
        for events, now in zip(seen, table["time"], strict=True)
    ]
    scale = max((abs(value) for events in seen for _, value in events), default=0.0)
    for place, column in enumerate(found):
        of_column = [pair[place] for pair in expected]
        np.testing.assert_allclose(found[column], of_column, rtol=1e-12, atol=1e-13 * scale)


@given(tables(), WINDOWS, DELAYS)
def test_seconds_since_last_leave_out_the_rows_own_instant(table, window, delay):
    found = windows_of(by_card(["seconds_since_last"], window, delay=delay), table).iloc[:, 0]
    seen = oracle.events(table, ["card"], "amount", window, delay)
    late = pd.Timedelta(delay.replace("d", "D")) > pd.Timedelta(0)
    expected = [
        oracle.since_last(events, now, late)
        for events, now in zip(seen, table["time"], strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(tables(), WINDOWS, st.sampled_from([-1, 1, 3]))
def test_a_share_is_of_the_values_that_are_not_missing(table, window, value):
    found = windows_of(by_card([f"share:{value}"], window), table).iloc[:, 0]
    seen = oracle.events(table, ["card"], "amount", window)
    expected = [
        sum(what == value for _, what in events) / len(events) if events else math.nan
        for events in seen
    ]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delay", ["0s", "1d"])
def test_values_of_any_kind_have_windows(kind, delay):
    random = np.random.default_rng(3)
    table = payments_of((random.integers(0, 20, 60) * DAY // 2).tolist())
    table["amount"] = KINDS[kind](pd.Series(random.integers(-2, 4, 60)))
    table["card"] = random.integers(0, 3, 60)
    found = windows_of(by_card(OF_ANY, delay=delay), table)
    seen = oracle.events(table, ["card"], "amount", "3d", delay)
    for name in OF_ANY:
        column = found[f"card_amount_{name}_3d_delay_{delay}"]
        expected = [oracle.OF_EVENTS[name](events, None) for events in seen]
        for value, right in zip(column, expected, strict=True):
            assert (pd.isna(value) and pd.isna(right)) or value == right
    if kind in ("str", "category", "zone"):
        assert found[f"card_amount_last_3d_delay_{delay}"].dtype == table["amount"].dtype


@pytest.mark.parametrize("kind", ["str", "category"])
def test_a_share_of_a_text(kind):
    table = payments_of([0, 1, 2, 3])
    table["amount"] = pd.Series(["web", "app", None, "web"], dtype="str").astype(kind)
    found = windows_of(by_card(["share:web"]), table)["card_amount_share_web_3d"]
    assert found.tolist() == [1.0, 0.5, 0.5, 2 / 3]


@pytest.mark.parametrize("kind", ["bool", "boolean", "decimal", "int8", "Int64", "float32"])
def test_numbers_of_any_kind_add_up(kind):
    table = payments_of([0, 1, 2, 3])
    table["amount"] = KINDS[kind](pd.Series([1, 2, 0, 1]))
    found = windows_of(by_card(["sum", "mean"]), table)
    there = table["amount"].astype("Float64").fillna(0).cumsum()
    assert found["card_amount_sum_3d"].tolist() == there.tolist()


@given(tables(), st.sampled_from(["amount > 0", "amount <= 1 and amount != -1"]))
def test_a_condition_picks_what_is_seen_and_all_rows_get_windows(table, where):
    step = by_card(["count", "max"], where=where)
    holds = Condition.parse(where).mask({"amount": table["amount"]})
    found = windows_of(step, table).to_numpy()
    seen = table.assign(amount=table["amount"].where(holds))
    np.testing.assert_array_equal(found, windows_of(by_card(["count", "max"]), seen).to_numpy())


def test_a_condition_is_part_of_the_name():
    step = TimeWindows("card", "time", ["1d"], {"amount": ["sum"]}, where="amount >= 100")
    assert step.get_feature_names_out() == ["card_amount_sum_1d_where_amount_ge_100"]


@given(tables(), st.sampled_from([["card", "shop"], ["shop", "card"]]))
def test_several_columns_name_an_entity_together(table, by):
    table = table.assign(shop=pd.array([None, "a", "b", "a"] * 10, dtype="str")[: len(table)])
    step = TimeWindows(by, "time", ["3d"], {"amount": ["count"]})
    found = windows_of(step, table)[f"{by[0]}_{by[1]}_amount_count_3d"]
    seen = oracle.events(table, by, "amount", "3d")
    assert found.tolist() == [len(events) for events in seen]


def test_numbers_may_be_of_half_the_size():
    step = TimeWindows("card", "time", ["3d"], {"amount": ALL}, dtype="float32")
    found = windows_of(step, payments_of([0, 1, 5 * DAY]))
    assert {str(dtype) for dtype in found.dtypes} == {"float32", "int32"}
    whole = windows_of(by_card(ALL), payments_of([0, 1, 5 * DAY]))
    np.testing.assert_allclose(found, whole, rtol=1e-7)


# In pieces


EVERY = TimeWindows(
    "card", "time", ["1d", "9d"], {"amount": ALL, "country": ["mode", "last"]}, delay="1d"
)


def skewed(rows: int = 600) -> pd.DataFrame:
    """Return payments of which most are of one card."""
    table = payments(rows, seed=5)
    of_one = np.random.default_rng(1).random(rows) < 0.6
    table["card"] = table["card"].mask(of_one, 1)
    return table


@pytest.mark.parametrize(("inputs", "partitions"), [(1, 7), (7, 1), (64, 9), (3, 40)])
def test_an_entity_that_is_cut_in_time_has_the_same_windows(inputs, partitions):
    table = skewed()
    shuffled = table.sample(frac=1, random_state=inputs)
    found = transform(EVERY, shuffled, inputs, partitions)
    assert same_bytes(found, transform(EVERY, table, 1, 1))


def test_a_large_entity_does_not_fill_a_partition():
    frame = dd.from_pandas(skewed(3000), npartitions=5, sort=False)
    parts = EVERY.transform(frame, partitions=20).to_delayed()
    sizes = [len(part.compute(scheduler="sync")) for part in parts]
    assert max(sizes) < 3000 * 0.6 / 5


def test_two_steps_of_exchange_give_the_same_windows(monkeypatch):
    table = skewed()
    expected = transform(EVERY, table, 1, 1)
    monkeypatch.setattr("dmlkit.graph.exchange_in_stages.__kwdefaults__", {"most_pieces": 10})
    assert same_bytes(transform(EVERY, table, 20, 30), expected)


@settings(max_examples=30)
@given(tables(most=40), st.integers(1, 4), st.integers(1, 6), st.data())
def test_new_rows_get_what_they_get_among_all_rows(table, inputs, partitions, data):
    is_new = np.array(data.draw(st.lists(st.booleans(), min_size=40, max_size=40)))[: len(table)]
    step = by_card(ALL, delay="1d")
    expected = windows_of(step, table)[is_new].reset_index(drop=True)
    new, old = (
        dd.from_pandas(table[mask].reset_index(drop=True), npartitions=inputs, sort=False)
        for mask in (is_new, ~is_new)
    )
    found = step.update(new, old, partitions=partitions).compute(scheduler="sync")
    found = found.sort_values("number", ignore_index=True)
    assert found["number"].tolist() == table["number"][is_new].tolist()
    assert_frame_equal(found[list(expected)], expected, rtol=0, atol=0)


# Wrong use


@pytest.mark.parametrize(
    ("aggregate", "complaint"),
    [
        ("share", "needs the value to look for: write 'share:web'"),
        ("decayed_sum", "needs a half-life: write 'decayed_sum:1d'"),
        ("sum:3", "takes no '3' after a colon"),
        ("decayed_mean:0s", "not longer than nothing"),
        ("decayed_mean:soon", "no length of time"),
    ],
)
def test_a_parameter_is_there_where_one_is_needed(aggregate, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        by_card([aggregate])


def test_a_share_of_numbers_is_of_a_number():
    with pytest.raises(ConfigurationError, match="no value of it can be 'web'"):
        by_card(["share:web"]).fit(payments_of([0]))


def test_a_type_of_number_is_known():
    with pytest.raises(ConfigurationError, match="write 'float64' or 'float32'"):
        by_card(["sum"], dtype="float16")


def test_a_history_with_other_times_is_refused():
    new = dd.from_pandas(payments_of([0]), npartitions=1)
    old = dd.from_pandas(payments_of([0]).assign(time=times([0], "us", "UTC")), npartitions=1)
    with pytest.raises(InputError, match="Only one of the new rows and the history"):
        by_card(["sum"]).update(new, old)
