import math

import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from dmlkit.features import Calendar, Columns, Ratio, ZScore
from dmlkit.features.rowwise import CALENDAR_PARTS

LEARNED = {"country": ["BE", "FR"]}


def calendar(when: list[str | None], *parts: str, timezone: str | None = None) -> list[list[int]]:
    table = pd.DataFrame({"time": pd.to_datetime(when)})
    found = Calendar("time", parts, timezone).apply(table, {})
    return found.drop(columns="time").to_numpy().tolist()


# Columns


def test_columns_are_taken_as_they_are():
    table = pd.DataFrame({"amount": [1.5], "online": [True], "country": ["BE"]})
    found = Columns(["amount", "online"]).apply(table, {})
    pd.testing.assert_frame_equal(found, table)


@pytest.mark.parametrize("dtype", ["str", "category", "object"])
def test_levels_that_fit_did_not_see_become_missing(dtype):
    table = pd.DataFrame({"country": pd.Series(["FR", "XX", None], dtype=dtype)})
    found = Columns(["country"], categorical=["country"]).apply(table, LEARNED)["country"]
    assert found.cat.categories.tolist() == ["BE", "FR"]
    assert found.cat.codes.tolist() == [1, -1, -1]


def test_numbers_can_be_levels():
    table = pd.DataFrame({"code": pd.array([7, 8, None], dtype="Int64")})
    found = Columns(["code"], ["code"]).apply(table, {"code": [7, 9]})["code"]
    assert found.cat.codes.tolist() == [0, -1, -1]


def test_levels_are_asked_for_before_they_are_used():
    with pytest.raises(NotFittedError, match="call fit first"):
        Columns(["country"], ["country"]).apply(pd.DataFrame({"country": ["BE"]}), {})


def test_a_categorical_is_among_the_columns():
    with pytest.raises(ConfigurationError, match="'country' is categorical but not among"):
        Columns(["amount"], ["country"])


@pytest.mark.parametrize(
    ("values", "complaint"), [(["BE"], "Name it in 'categorical'"), (["2025-01-01"], "Calendar")]
)
def test_a_column_that_is_no_number_is_refused_with_the_way_out(values, complaint):
    table = pd.DataFrame({"x": values})
    if "Calendar" in complaint:
        table["x"] = pd.to_datetime(table["x"])
    with pytest.raises(InputError, match=complaint):
        Columns(["x"]).check(table)


# Calendar


def test_calendar_parts_are_what_a_wall_calendar_says():
    parts = tuple(CALENDAR_PARTS)
    saturday, monday = calendar(["2024-12-28 06:59", "2024-12-30 07:00"], *parts)
    assert saturday == [6, 5, 1, 1, 28, 363, 12]
    assert monday == [7, 0, 0, 0, 30, 365, 12]


def test_a_missing_time_is_minus_one_in_every_part():
    assert calendar([None, "1969-12-31 23:00"], *CALENDAR_PARTS)[0] == [-1] * len(CALENDAR_PARTS)


def test_a_clock_hangs_where_the_time_zone_says():
    assert calendar(["2025-07-01 23:30"], "hour", timezone="Europe/Brussels") == [[1]]
    assert calendar(["2025-07-01 23:30+02:00"], "hour", timezone="UTC") == [[21]]


def test_parts_are_small_integers():
    table = pd.DataFrame({"time": pd.to_datetime(["2025-01-01", None])})
    found = Calendar("time", tuple(CALENDAR_PARTS)).apply(table, {}).drop(columns="time")
    assert set(found.dtypes) == {np.dtype("int16")}
    assert list(found) == [f"time_{part}" for part in CALENDAR_PARTS]


def test_an_unknown_part_or_zone_is_named_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"'weekdya' \(nearest: 'weekday'\)"):
        Calendar("time", ["weekdya"])
    with pytest.raises(
        ConfigurationError, match=r"'Europe/Brusels' \(nearest: 'Europe/Brussels'\)"
    ):
        Calendar("time", ["hour"], timezone="Europe/Brusels")


def test_a_calendar_needs_a_datetime():
    with pytest.raises(InputError, match="needs a datetime"):
        Calendar("time", ["hour"]).check(pd.DataFrame({"time": ["2025-01-01"]}))


# Ratios


def ratio(numerator: float | None, denominator: float | None) -> float:
    table = pd.DataFrame({"a": [numerator], "b": [denominator]}, dtype="Float64")
    return Ratio("a", "b").apply(table, {})["a_over_b"].iloc[0]


def test_a_ratio_is_missing_where_there_is_nothing_to_divide_by():
    assert ratio(3, 2) == 1.5
    assert all(map(math.isnan, [ratio(1, 0), ratio(0, 0), ratio(1, None), ratio(None, 1)]))
    assert math.isnan(ratio(math.inf, math.inf))


def test_a_z_score_is_missing_where_values_do_not_vary():
    table = pd.DataFrame({"x": [30.0, 1.0, np.nan], "m": [10.0, 1.0, 1.0], "s": [8.0, 0.0, 1.0]})
    found = ZScore("x", "m", "s").apply(table, {})["x_zscore_m"]
    assert found.tolist()[0] == 2.5
    assert found.isna().tolist() == [False, True, True]


@pytest.mark.parametrize("step", [Ratio("a", "b"), ZScore("a", "b", "b")])
def test_a_text_cannot_be_divided(step):
    with pytest.raises(InputError, match="a number is needed"):
        step.check(pd.DataFrame({"a": ["x"], "b": [1.0]}))
    with pytest.raises(MissingColumnError, match="no column 'b'"):
        step.check(pd.DataFrame({"a": [1.0]}))


@pytest.mark.parametrize(
    "step",
    [
        Columns(["a", "b"], categorical=["b"]),
        Calendar("time", ["hour"], timezone="Asia/Tokyo"),
        Ratio("a", "b", name="r"),
        ZScore("a", "b", "c"),
    ],
)
def test_a_declaration_survives_as_a_dictionary(step):
    again = type(step).from_dict(step.to_dict())
    assert again == step
    assert again.explain() == step.explain()
