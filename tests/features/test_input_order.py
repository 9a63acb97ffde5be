"""Features beside rows that stay where they are: the same, whichever way rows come together."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from dmlkit import graph
from dmlkit.errors import ConfigurationError
from dmlkit.features import AsOf, FeatureSet, PanelLags, Ratio, TimeWindows
from tests.features.conftest import payments, tables

STEP = TimeWindows("card", "time", ["3d", "20d"], {"amount": ["sum", "std"], "country": ["mode"]})


def lazy(table: pd.DataFrame, inputs: int) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=inputs, sort=False)


def by_number(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("number", ignore_index=True)


def same_features(found: dd.DataFrame, frame: dd.DataFrame, step: TimeWindows = STEP) -> None:
    """Check that rows are as they were, with the features that a shuffle gives them."""
    table, found = (each.compute(scheduler="sync") for each in (frame, found))
    assert_frame_equal(found[table.columns], table)
    expected = step.transform(lazy(table, 1), partitions=1).compute(scheduler="sync")
    names = ["number", *step.get_feature_names_out()]
    assert_frame_equal(by_number(found[names]), by_number(expected[names]), check_exact=True)


@pytest.mark.parametrize("inputs", [1, 3, 16])
def test_rows_keep_their_order_their_partitions_and_their_index(inputs):
    table = payments().set_axis(np.arange(500) % 7)
    frame = lazy(table, inputs)
    result = STEP.transform(frame, order="input")
    assert result.npartitions == frame.npartitions
    sizes = [len(part) for part in frame.partitions]
    assert [len(part) for part in result.partitions] == sizes
    same_features(result, frame)


@given(tables(), st.integers(1, 5), st.sampled_from(["1d", "25h"]))
@settings(max_examples=30)
def test_features_are_those_of_a_shuffle_for_any_table(table, inputs, delay):
    step = TimeWindows("card", "time", ["3d"], {"amount": ["sum", "last"]}, delay=delay)
    frame = lazy(table, inputs)
    same_features(step.transform(frame, order="input"), frame, step)


def test_empty_partitions_stay_empty():
    few = lazy(payments(), 8)
    few = few[few["number"] < 20]
    found = STEP.transform(few, order="input")
    assert found.npartitions == 8
    same_features(found, few)


def test_known_divisions_are_kept():
    frame = dd.from_pandas(payments(), npartitions=4)
    assert STEP.transform(frame, order="input").divisions == frame.divisions


def test_very_many_partitions_exchange_rows_in_two_steps(monkeypatch):
    monkeypatch.setattr(graph.exchange_in_stages, "__kwdefaults__", {"most_pieces": 20})
    frame = lazy(payments(), 16)
    same_features(STEP.transform(frame, order="input"), frame)


def test_a_set_of_steps_keeps_the_order_of_rows():
    balances = payments(200, seed=3)[["card", "time", "amount"]].rename(
        columns={"amount": "balance"}
    )
    features = FeatureSet(
        [
            STEP,
            TimeWindows("terminal", "time", ["7d"], {"fraud": ["mean"]}, delay="7d"),
            AsOf(lazy(balances, 3), "card", "time", columns=["balance"], tolerance="9d"),
            Ratio("amount", "card_amount_sum_20d", name="share"),
        ]
    )
    table = payments()
    found = features.transform(lazy(table, 5), order="input").compute(scheduler="sync")
    expected = features.transform(lazy(table, 2)).compute(scheduler="sync")
    assert found["number"].tolist() == table["number"].tolist()
    assert_frame_equal(by_number(found)[expected.columns], by_number(expected), check_exact=True)


def test_lags_of_a_panel_keep_the_order_of_rows():
    random = np.random.default_rng(0)
    days = pd.date_range("2025-01-01", periods=60)
    panel = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(5), 60),
            "ds": np.tile(days, 5),
            "y": random.random(300),
            "number": np.arange(300),
        }
    ).sample(frac=1, random_state=0)
    features = FeatureSet([PanelLags([1, 7])])
    found = features.transform(lazy(panel, 4), order="input").compute(scheduler="sync")
    expected = features.transform(lazy(panel, 1)).compute(scheduler="sync")
    assert found["number"].tolist() == panel["number"].tolist()
    assert_frame_equal(by_number(found), by_number(expected), check_exact=True)


def test_new_rows_keep_their_order_beside_a_history():
    table = payments().dropna(subset="time")
    new = table["time"] >= "2025-02-15"
    found = STEP.update(lazy(table[new], 3), lazy(table[~new], 2), order="input")
    expected = STEP.transform(lazy(table, 1)).compute(scheduler="sync")
    expected = expected[expected["time"] >= "2025-02-15"]
    found = found.compute(scheduler="sync")
    assert found["number"].tolist() == table["number"][new].tolist()
    assert_frame_equal(by_number(found), by_number(expected), check_exact=True)


@pytest.mark.cluster
def test_features_are_the_same_to_the_bit_on_a_cluster(client):
    frame = lazy(payments(), 6)
    found = STEP.transform(frame, order="input")
    assert_frame_equal(found.compute(), found.compute(scheduler="sync"), check_exact=True)


def test_an_order_that_is_none_and_partitions_that_cannot_be_are_told():
    with pytest.raises(ConfigurationError, match="order is 'time': write 'entity' or 'input'"):
        STEP.transform(lazy(payments(), 1), order="time")
    with pytest.raises(ConfigurationError, match=r"keeps the partitions .* but 3 are asked for"):
        STEP.transform(lazy(payments(), 1), order="input", partitions=3)
