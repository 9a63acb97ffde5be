"""Frames of pandas in, frames of pandas out: the same features, rows as they were."""

from types import SimpleNamespace

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from dmlkit.errors import InputError
from dmlkit.features import AsOf, Calendar, Columns, FeatureSet, TimeWindows
from dmlkit.scoring import score_rows
from dmlkit.tables import Column, Schema, check_table

WINDOWS = TimeWindows("card", "time", ["7d"], {"amount": ["sum", "count"]})


def payments(rows: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(0)
    times = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 60 * 24, rows), "h")
    return pd.DataFrame(
        {
            "card": random.choice(["a", "b", "c"], rows),
            "time": times,
            "amount": random.random(rows),
        },
        index=random.permutation(rows) + 1000,
    )


def limits() -> pd.DataFrame:
    days = pd.date_range("2024-12-01", periods=5, freq="20D")
    return pd.DataFrame({"card": ["a"] * 5, "time": days, "limit": range(5)})


@pytest.mark.parametrize(
    "step",
    [
        WINDOWS,
        AsOf(limits(), by="card", time="time", columns=["limit"]),
        FeatureSet(
            [WINDOWS, Calendar("time", ["weekday"]), Columns(["card"], categorical=["card"])]
        ),
        FeatureSet([Calendar("time", ["weekday"])]),
    ],
    ids=["windows", "as-of", "set", "rows"],
)
def test_rows_and_their_index_stay_and_features_are_those_of_dask(step: object) -> None:
    table = payments()
    found = step.fit(table).transform(table)
    lazy = dd.from_pandas(table, npartitions=4, sort=False)
    expected = step.fit(lazy).transform(lazy, order="input").compute()
    assert found.index.equals(table.index)
    assert_frame_equal(found, expected, check_dtype=False)
    assert_frame_equal(found[["time", "amount"]], table[["time", "amount"]])


def test_an_order_that_is_asked_for_is_kept_to() -> None:
    table = payments()
    by_entity = WINDOWS.transform(table, order="entity")
    lazy = dd.from_pandas(table, npartitions=4, sort=False)
    expected = WINDOWS.transform(lazy).compute()
    assert by_entity["time"].tolist() == expected["time"].tolist()
    assert WINDOWS.transform(table, partitions=3)["time"].tolist() == expected["time"].tolist()


def test_new_rows_see_a_history_of_pandas() -> None:
    table = payments().sort_values("time")
    whole = WINDOWS.transform(table)
    old, new = table.iloc[:200], table.iloc[200:]
    assert_frame_equal(WINDOWS.update(new, old), whole.iloc[200:])
    assert "by 'card'" in WINDOWS.explain(table)
    assert "1. by 'card'" in FeatureSet([WINDOWS]).explain(table)


def test_a_table_is_checked_and_gives_good_rows_of_pandas() -> None:
    table = payments().assign(amount=lambda rows: rows["amount"].where(rows["amount"] > 0.1, -1))
    schema = Schema([Column("amount", "float64", minimum=0)])
    checked = check_table(table, schema, max_bad_share=1)
    assert checked.bad_rows == (table["amount"] < 0).sum()
    assert isinstance(checked.frame, pd.DataFrame)
    assert len(checked.frame) == len(table) - checked.bad_rows


def test_rows_are_scored() -> None:
    table = payments()
    model = SimpleNamespace(predict_proba=lambda X: pd.DataFrame({0: 1 - X.amount, 1: X.amount}))
    scored = score_rows(model, table, ["amount"], keep=["card"])
    assert scored.index.equals(table.index)
    np.testing.assert_array_equal(scored["score"], table["amount"].astype("float32"))


def test_what_is_no_frame_is_an_error_that_says_so() -> None:
    with pytest.raises(InputError, match="this is 'dict'"):
        WINDOWS.transform({"card": [1]})
