"""Which values are good, and what they become."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.tables.pieces import to_pandas
from dmlkit.tables.rules import problems
from dmlkit.tables.schema import Column, Schema
from dmlkit.tables.values import cast_column

NOW = pd.Timestamp("2025-06-01 12:00", tz="UTC")


def reasons(values, column: Column, **options) -> list[str]:
    """Return what is said against each value, an empty text for good ones."""
    frame = pd.DataFrame({column.name: values})
    said = [""] * len(frame)
    for reason, mask in problems(frame, Schema([column], **options), NOW):
        for row in np.flatnonzero(mask):
            said[row] = reason.removeprefix(f"{column.name}: ")
    return said


def text(*values: str | None) -> pd.Series:
    return pd.Series(values, dtype="str")


def become(values, dtype: str, *, nullable: bool = False) -> list:
    return cast_column(pd.Series(values), Column("a", dtype, nullable=nullable)).tolist()


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("9007199254740995.0", 2**53 + 3),
        ("12", 12),
        (" 12 ", 12),
        ("+5", 5),
        ("-0", 0),
        ("12.0", 12),
        ("1e3", 1000),
    ],
)
def test_whole_numbers_as_text(written, number):
    for values in (text(written), text(written, "x").head(1)):
        assert reasons(values, Column("a", "int64")) == [""]
        assert become(values, "int64") == [number]


@pytest.mark.parametrize("written", ["1.5", "1,5", "many", "inf", "0x10", "1_000", "12abc", "--1"])
def test_text_that_is_no_whole_number(written):
    assert reasons(text(written, "7"), Column("a", "int64")) == ["not an int64", ""]


@pytest.mark.parametrize("word", ["", "NaN", "nan", "null", "NULL", "NA", "n/a", "None", " "])
def test_words_for_missing_are_missing_among_numbers_and_values_among_text(word):
    for dtype in ("int64", "float64", "bool", "datetime"):
        assert reasons(text(word), Column("a", dtype)) == ["missing"]
        assert reasons(text(word), Column("a", dtype, nullable=True)) == [""]
    assert reasons(text(word), Column("a", "string")) == [""]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_every_int64_survives_being_text_or_arrow(numbers):
    nullable = Column("a", "int64", nullable=True)
    as_text = text(*[None if number is None else str(number) for number in numbers])
    as_numbers = to_pandas(pa.table({"a": pa.array(numbers, pa.int64())}))["a"]
    expected = [pd.NA if number is None else number for number in numbers]
    for values in (as_text, as_numbers):
        assert set(reasons(values, nullable)) == {""}
        assert cast_column(values, nullable).tolist() == expected


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    st.sampled_from(["{}", " {} ", "{:.20g}", "{:e}"]),
)
def test_a_number_is_the_same_to_the_last_bit_whatever_stands_beside_it(numbers, form):
    written = [form.format(number) for number in numbers]
    expected = [float(each) for each in written]
    for others in ([], ["many"], [None], ["NA"]):
        cast = cast_column(text(*written, *others), Column("a", "float64", nullable=True))
        assert cast.tolist()[: len(numbers)] == expected


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_whole_numbers_out_of_the_range_of_their_dtype_are_bad(bits):
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    column = Column("a", f"int{bits}")
    said = reasons(text(*map(str, [least, most, least - 1, most + 1, 10**30])), column)
    assert said == ["", "", *[f"not an int{bits}"] * 3]
    assert become([least, most], f"int{bits}") == [least, most]


def test_unsigned_and_fractional_numbers_must_fit_too():
    unsigned = pd.Series([1, 2**63], dtype="uint64")
    assert reasons(unsigned, Column("a", "int64")) == ["", "not an int64"]
    floats = pd.Series([1.0, 1.5, 2.0**63, -(2.0**63), np.inf])
    bad = "not an int64"
    assert reasons(floats, Column("a", "int64"))[:3] == ["", bad, bad]
    assert reasons(floats, Column("a", "int64"))[4] == bad


def test_numbers_are_finite_and_within_their_dtype():
    for values in (text("1.5", "inf", "1e39", "1"), pd.Series([1.5, np.inf, 1e39, 1])):
        assert reasons(values, Column("a", "float32")) == ["", *["not a float32"] * 2, ""]
        assert reasons(values, Column("a", "float64")) == ["", "not a float64", "", ""]


def test_truth_values():
    good = text("true", "False", " TRUE", "1", "0")
    assert set(reasons(good, Column("a", "bool"))) == {""}
    assert become(good, "bool") == [True, False, True, True, False]
    assert reasons(text("yes", "2"), Column("a", "bool")) == ["not a bool"] * 2
    assert reasons([0, 1, 2], Column("a", "bool")) == ["", "", "not a bool"]


def test_values_of_any_kind_as_text():
    assert become([1, 2], "string") == ["1", "2"]
    assert become(pd.to_datetime(["2025-01-01"]), "string") == ["2025-01-01"]


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2018-07-25", "2018-07-25"),
        ("2018-07-25 10:00", "2018-07-25 10:00"),
        ("2018-07-25T10:00:00.25", "2018-07-25 10:00:00.25"),
        ("2018-07-25T10:00:00Z", "2018-07-25 10:00"),
        ("2018-07-25T10:00:00+02:00", "2018-07-25 08:00"),
        ("9999-12-31", "9999-12-31"),
    ],
)
def test_times_as_text_alone_and_among_others(written, time):
    """Different offsets in a partition change nothing."""
    for others in ([], ["2018-07-25T10:00:00-05:00", "2018-07-25"], ["soon"]):
        cast = cast_column(text(written, *others), Column("a", "datetime"))
        assert cast.iloc[0] == pd.Timestamp(time)
        assert cast.dtype == "datetime64[us]"


@pytest.mark.parametrize("written", ["07/25/2018", "1532512800", "soon", "2018-13-01"])
def test_text_that_is_no_time_in_iso_8601(written):
    (said,) = reasons(text(written), Column("a", "datetime"))
    assert said == "not a datetime, written as 2025-01-31 12:00:00"


def test_times_of_the_future_are_bad_in_the_time_column_only():
    column = Column("a", "datetime")
    zoned = pd.Series(pd.to_datetime(["2025-06-01 12:00", "2025-06-01 12:01"], utc=True))
    assert reasons(zoned, column, time="a") == ["", "in the future"]
    assert reasons(zoned.dt.tz_convert("Asia/Tokyo"), column, time="a") == ["", "in the future"]
    assert reasons(zoned, column) == ["", ""]


def test_a_time_without_zone_may_be_by_the_clock_of_any_zone():
    times = pd.Series(pd.to_datetime(["2025-06-02 02:00", "2025-06-02 02:01"]))
    assert reasons(times, Column("a", "datetime"), time="a") == ["", "in the future"]


def test_limits_are_good_values():
    column = Column("a", "float64", nullable=True, minimum=0, maximum=1)
    said = reasons([-0.1, 0, 1, 1.1, np.nan], column)
    assert said == ["below 0", "", "", "above 1", ""]
    assert reasons(text("-1", "0", "1", "2"), column) == ["below 0", "", "", "above 1"]


def test_limits_of_times_with_and_without_zone():
    for limit in ("2025-01-01", "2025-01-01T01:00:00+01:00"):
        column = Column("a", "datetime", minimum=limit)
        times = pd.to_datetime(["2024-12-31 23:59", "2025-01-01 00:00"])
        for values in (
            times,
            times.tz_localize("UTC"),
            times.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        ):
            said = reasons(pd.Series(values), column)
            assert (bool(said[0]), said[1]) == (True, "")


def test_allowed_values():
    assert reasons(text("a", "b", None), Column("a", "string", nullable=True, allowed=["a"])) == [
        "",
        "not one of a",
        "",
    ]
    assert reasons(text("0", "1", "2"), Column("a", "int8", allowed=(0, 1)))[2] == "not one of 0, 1"
    many = Column("a", "int64", allowed=range(50))
    assert reasons([99], many)[0].endswith("8, 9 and 40 more")
    day = Column("a", "datetime", allowed=["2025-01-01"])
    assert reasons(text("2025-01-01", "2025-01-02"), day)[0] == ""


def test_a_frame_without_rows_has_no_problems():
    for dtype in ("int8", "float32", "string", "bool", "datetime"):
        assert reasons(text(), Column("a", dtype)) == []
