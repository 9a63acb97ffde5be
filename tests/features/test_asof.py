import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlkit import write_table
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features import AsOf, FeatureSet, TimeWindows
from tests.features.conftest import DAY, payments, tables, times
from tests.features.test_windows import same_bytes


def lazy(table: pd.DataFrame, parts: int = 1) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=parts, sort=False)


def limits(numbers: list[tuple[int, int, float]]) -> pd.DataFrame:
    """Return what was known of cards: card, days, limit."""
    return pd.DataFrame(
        {
            "card": [row[0] for row in numbers],
            "time": times([row[1] * DAY for row in numbers], "us", None),
            "limit": np.array([row[2] for row in numbers], np.float64),
        }
    )


rights = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(1, 99).map(float)),
    max_size=15,
    unique_by=lambda row: row[:2],
).map(limits)


@settings(max_examples=60)
@given(
    tables().filter(
        lambda table: str(table["card"].dtype) in ("int64", "Int64", "float64", "int8")
    ),
    rights,
    st.sampled_from([None, "2d", "0s"]),
    st.sampled_from([None, "1d"]),
    st.integers(1, 4),
)
def test_the_newest_row_that_was_known_is_found(table, right, tolerance, delay, partitions):
    table["time"] = table["time"].dt.tz_localize(None)
    step = AsOf(lazy(right, 2), "card", "time", tolerance, ["limit"], delay=delay, age="age")
    found = step.transform(lazy(table, 3), partitions=partitions).compute(scheduler="sync")
    found = found.sort_values("number", ignore_index=True)
    late = pd.Timedelta((delay or "0s").replace("d", "D"))
    for row, card, now in zip(found.itertuples(), table["card"], table["time"], strict=True):
        known = right.iloc[:0]
        if not (pd.isna(card) or pd.isna(now)):
            known = right[(right["card"] == card) & (right["time"] <= now - late)]
            if tolerance:
                known = known[
                    known["time"] >= now - late - pd.Timedelta(tolerance.replace("d", "D"))
                ]
        if known.empty:
            assert np.isnan(row.limit)
            assert np.isnan(row.age)
        else:
            newest = known.loc[known["time"].idxmax()]
            assert row.limit == newest["limit"]
            assert row.age == (now - newest["time"]).total_seconds()


def test_ties_and_partitions_do_not_matter_nor_that_an_entity_is_cut():
    table = payments(600).assign(card=lambda table: table["card"].mask(table.index % 3 > 0, 1))
    right = payments(400, seed=2)[["card", "time", "country", "number", "online", "terminal"]]
    columns = {name: f"last_{name}" for name in ("country", "number", "online", "terminal")}
    results = []
    for seed, (inputs, partitions) in enumerate([(1, 1), (5, 7), (20, 12)]):
        other = lazy(right.sample(frac=1, random_state=seed), inputs)
        step = AsOf(other, "card", "time", "10d", columns)
        results.append(step.transform(lazy(table, inputs), partitions=partitions).compute())
    assert same_bytes(results[0], results[1])
    assert same_bytes(results[0], results[2])
    assert results[0]["last_country"].notna().any()


def test_a_table_at_a_path_can_be_kept_and_shares_the_shuffle_with_windows(tmp_path, client):
    path = str(tmp_path / "limits")
    write_table(limits([(1, 0, 10.0), (1, 5, 20.0)]), path)
    steps = [
        TimeWindows("card", "time", ["2d"], {"amount": ["sum"]}),
        AsOf(path, "card", "time", columns=["limit"]),
    ]
    features = FeatureSet.from_dict(FeatureSet(steps).to_dict())
    table = limits([(1, 1, 1.0), (1, 6, 2.0), (2, 6, 3.0)]).rename(columns={"limit": "amount"})
    found = features.transform(lazy(table, 2)).compute().sort_values(["card", "time"])
    assert found["limit"].tolist()[:2] == [10.0, 20.0]
    assert found["limit"].isna().tolist() == [False, False, True]
    assert found["card_amount_sum_2d"].tolist() == [1.0, 2.0, 3.0]


def test_the_other_table_may_call_its_columns_otherwise():
    right = limits([(1, 0, 10.0)]).rename(columns={"card": "id", "time": "since"})
    step = AsOf(lazy(right), "card", "time", columns=["limit"], right_by="id", right_time="since")
    table = limits([(1, 1, 0.0)]).drop(columns="limit")
    assert step.transform(lazy(table)).compute()["limit"].tolist() == [10.0]


def test_whole_numbers_have_room_for_missing_ones():
    right = limits([(1, 0, 10.0)]).astype({"limit": "uint8"})
    step = AsOf(lazy(right), "card", "time", columns=["limit"])
    table = limits([(1, 1, 0.0), (2, 1, 0.0)]).drop(columns="limit")
    found = step.transform(lazy(table), partitions=1).compute().sort_values("card")["limit"]
    assert found.dtype == "UInt8"
    assert found.isna().tolist() == [False, True]


def test_what_cannot_work_is_refused():
    right = limits([(1, 0, 10.0)])
    table = limits([(1, 0, 10.0)]).rename(columns={"limit": "amount"})
    with pytest.raises(ConfigurationError, match="brings no columns"):
        AsOf(lazy(right), "card", "time")
    with pytest.raises(ConfigurationError, match="looks into the future"):
        AsOf(lazy(right), "card", "time", columns=["limit"], delay="-1d")
    step = AsOf(lazy(right.astype({"card": str})), "card", "time", columns=["limit"])
    with pytest.raises(InputError, match="nothing would match"):
        step.fit(lazy(table))
    zoned = right.assign(time=right["time"].dt.tz_localize("UTC"))
    with pytest.raises(InputError, match="Give both a zone, or neither"):
        AsOf(lazy(zoned), "card", "time", columns=["limit"]).fit(lazy(table))
    with pytest.raises(ConfigurationError, match="can't be kept"):
        AsOf(lazy(right), "card", "time", columns=["limit"]).to_dict()


@given(rights, st.integers(0, 12))
def test_no_row_sees_what_the_other_table_says_later(right, day):
    table = limits([(card, day, 0.0) for card in range(4)]).drop(columns="limit")
    now = table["time"].iloc[0]
    changed = right.assign(limit=right["limit"].where(right["time"] <= now, -1.0))
    both = [
        AsOf(lazy(other), "card", "time", columns=["limit"])
        .transform(lazy(table), partitions=1)
        .compute(scheduler="sync")
        for other in (right, changed)
    ]
    pd.testing.assert_frame_equal(*both)
