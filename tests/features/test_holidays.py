import sys
from datetime import date, timedelta

import dask.dataframe as dd
import holidays
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.features import FeatureSet, Holidays
from dmlkit.features.holidays import HOLIDAY_PARTS


def found(when: list[str | None], country: str = "BE", **settings: object) -> list[list[int]]:
    table = pd.DataFrame({"time": pd.to_datetime(when, format="ISO8601")})
    return (
        Holidays("time", country, **settings)
        .apply(table, {})
        .drop(columns="time")
        .to_numpy()
        .tolist()
    )


# What is told of a day


@given(st.lists(st.dates(date(1995, 1, 1), date(2050, 12, 31)), max_size=5), st.integers(1, 400))
def test_days_are_counted_to_the_holidays_of_the_package(days, most_days):
    public = holidays.country_holidays("DE", subdiv="BY", years=range(1992, 2053))
    step = Holidays("time", "DE", "BY", most_days=most_days)
    rows = step.apply(pd.DataFrame({"time": pd.to_datetime(days)}), {})
    for day, (_, is_one, ahead, ago) in zip(days, rows.itertuples(index=False), strict=True):
        far = range(most_days)
        assert is_one == (day in public)
        assert ahead == next((n for n in far if day + timedelta(n) in public), most_days)
        assert ago == next((n for n in far if day - timedelta(n) in public), most_days)


def test_a_holiday_is_no_day_away_from_itself():
    assert found(["2025-12-24 18:00", "2025-12-25", "2025-12-25 23:59"]) == [
        *([0, 1, 43], [1, 0, 0], [1, 0, 0])
    ]


def test_years_meet_at_new_year():
    assert found(["2025-12-31", "2026-01-02"]) == [[0, 1, 6], [0, 93, 1]]


def test_a_day_off_in_place_of_a_holiday_in_another_year_is_one():
    assert found(["2021-12-31"], "US", parts=["holiday"]) == [[1]]  # the next day was a Saturday


def test_a_region_has_its_own():
    assert found(["2025-11-01"], "DE", parts=["holiday"]) == [[0]]
    assert found(["2025-11-01"], "DE", subdivision="BY", parts=["holiday"]) == [[1]]
    assert found(["2025-11-01"], "DE", subdivision="Bayern", parts=["holiday"]) == [[1]]


def test_the_day_is_that_of_the_place():
    late = ["2025-12-24 23:30"]
    assert found(late, timezone="Europe/Brussels", parts=["holiday"]) == [[1]]
    assert found(late, parts=["holiday"]) == [[0]]
    assert found(["2025-12-25 00:30+01:00"], parts=["holiday"]) == [[1]]
    assert found(["2025-12-25 00:30+01:00"], timezone="UTC", parts=["holiday"]) == [[0]]


def test_what_is_far_away_counts_as_the_most_days():
    assert found(["2025-09-15"], most_days=10) == [[0, 10, 10]]
    assert found(["2025-12-25"], most_days=1) == [[1, 0, 0]]


def test_a_missing_time_is_minus_one():
    assert found([None, "2025-12-25"])[0] == [-1, -1, -1]
    assert found([None]) == [[-1, -1, -1]]


def test_years_that_the_package_does_not_know_are_minus_one():
    table = pd.DataFrame({"time": np.array(["1850-01-01", "2025-12-25", "9999-12-25"], "M8[s]")})
    assert Holidays("time", "BE").apply(table, {}).iloc[:, 1:].to_numpy().tolist() == [
        *([-1, -1, -1], [1, 0, 0], [-1, -1, -1])
    ]
    last = holidays.country_holidays("BE").end_year
    assert found([f"{last}-12-26"]) == [[0, 365, 1]]


@pytest.mark.parametrize(
    "dtype",
    [
        *("datetime64[s]", "datetime64[ns]", "datetime64[us, UTC]", "timestamp[us][pyarrow]"),
        *(pd.ArrowDtype(pa.timestamp("ns", tz="UTC")), "date32[pyarrow]"),
    ],
)
def test_times_may_have_any_type(dtype):
    days = pd.Series(pd.to_datetime(["1969-12-25", None, "2025-12-26"], utc=True)).dt.tz_convert(
        None
    )
    days = days.dt.tz_localize("UTC") if "UTC" in str(dtype) else days
    days = days.dt.date.astype(dtype) if dtype == "date32[pyarrow]" else days.astype(dtype)
    rows = Holidays("time", "BE").apply(pd.DataFrame({"time": days}), {}).iloc[:, 1:]
    assert rows.to_numpy().tolist() == [[1, 0, 0], [-1, -1, -1], [0, 6, 1]]
    assert set(rows.dtypes) == {np.dtype("int16")}


def test_partitions_may_be_empty_and_do_not_matter():
    when = pd.to_datetime(["2025-12-24", "2026-01-01", None, "2030-07-21"])
    table = dd.from_pandas(pd.DataFrame({"time": when, "n": range(4)}), npartitions=4, sort=False)
    features = FeatureSet([Holidays("time", "BE")])
    rows = features.fit_transform(table[table["n"] != 1]).compute(scheduler="sync")
    assert list(rows) == ["time", "n", *(f"time_{part}_BE" for part in HOLIDAY_PARTS)]
    assert rows["time_days_to_holiday_BE"].tolist() == [1, -1, 0]


# What is declared


def test_features_are_named_after_the_place():
    names = Holidays("paid", "DE", "Baden-Württemberg", ["holiday"]).get_feature_names_out()
    assert names == ["paid_holiday_DE_Baden-Württemberg"]
    both = FeatureSet([Holidays("paid", "BE"), Holidays("paid", "FR")])
    assert len(both.get_feature_names_out()) == 6


@pytest.mark.parametrize(
    "step",
    [
        Holidays("time", "BE"),
        Holidays("time", "DE", "BY", ["holiday"], timezone="Europe/Berlin", most_days=30),
    ],
)
def test_a_declaration_survives_as_a_dictionary(step):
    again = Holidays.from_dict(step.to_dict())
    assert again == step
    assert again.explain() == step.explain()
    assert FeatureSet.from_dict(FeatureSet([step]).to_dict()).steps == [step]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"country": "be"}, r"country 'be' \(nearest: 'BE'\)"),
        ({"country": "Belgum"}, r"country 'Belgum' \(nearest: 'BE'\)"),
        ({"country": "BE", "subdivision": "Flemisch"}, r"'Flemisch' of BE \(nearest: 'Flemish'\)"),
        ({"country": "DE", "subdivision": "XY"}, "Known: BB, BE, BW"),
        ({"country": "BE", "parts": ["holidays"]}, r"'holidays' of Holidays \(nearest: 'holiday'"),
        ({"country": "BE", "timezone": "Europe/Brusels"}, "nearest: 'Europe/Brussels'"),
        ({"country": "BE", "most_days": 0}, "a whole number from 1 to"),
    ],
)
def test_what_is_not_known_is_named_with_the_nearest(arguments, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        Holidays("time", **arguments)


def test_a_missing_package_is_told_with_the_way_to_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ConfigurationError, match=r"pip install dmlkit\[holidays\]"):
        Holidays("time", "BE")


def test_a_datetime_is_needed():
    with pytest.raises(InputError, match="Holidays needs a datetime"):
        Holidays("time", "BE").check(pd.DataFrame({"time": ["2025-01-01"]}))
    with pytest.raises(MissingColumnError, match="no column 'time'"):
        Holidays("time", "BE").check(pd.DataFrame({"tim": []}))
