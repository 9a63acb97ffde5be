from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.features.conditions import Condition

NUMBERS = [-1, 0, 1, 2, 2.5, 0.1, 3, 255, -0.0, 2**53 + 1, float(2**53), np.inf]
TEXTS = ["", "a", "B", "b", "é", "ß", "a b", "😀"]
TIMES = ["1969-12-31", "2025-01-31", "2025-01-31T12:00", "2025-01-31T12:00:00.000001"]
ZONED = "2025-01-31T13:00+01:00"

#: The types that columns can have: numbers, text, truth values and times.
WHOLE = ["int64", "Int64", "int8", "UInt8", "int64[pyarrow]", "object", "category"]
FLOATING = ["float64", "float32", "Float64", "Float32", "double[pyarrow]", "object", "category"]
TEXTUAL = ["str", "string", "object", "category", "large_string[pyarrow]"]
TRUTHS = ["bool", "boolean", "object", "category", "bool[pyarrow]"]
MOMENTS = [
    *("datetime64[s]", "datetime64[ns]", "datetime64[us, Europe/Brussels]", "object", "category"),
    *("timestamp[us][pyarrow]", "timestamp[ns, tz=Asia/Tokyo][pyarrow]", "date32[pyarrow]"),
]


def mask(text: str, **columns: Any) -> list[bool]:
    """Return for which rows a condition holds, and see that events say the same."""
    table = pd.DataFrame(columns)
    condition = Condition.parse(text)
    condition.check(table)
    found = condition.mask(table)
    assert found.dtype == bool
    assert found.tolist() == [condition.holds(event) for event in events(table)]
    return found.tolist()


def events(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    return [{name: table[name].iloc[row] for name in table} for row in range(len(table))]


# As whole columns and as single events


@st.composite
def columns(draw: st.DrawFn, values: list[Any], types: list[str], rows: int) -> pd.Series:
    """Draw a column of one of these types, with missing values where it can have them."""
    dtype = draw(st.sampled_from(types))
    some = draw(st.lists(st.sampled_from([*values, None]), min_size=rows, max_size=rows))
    if dtype in ("int64", "int8", "bool"):
        return pd.Series([value or 0 for value in some]).astype(dtype)
    if dtype == "category":
        return pd.Series(pd.Categorical(some))
    return pd.Series(some, dtype=object).astype(_dtype(dtype))


def _dtype(name: str) -> Any:
    if name.startswith("timestamp[ns, tz"):
        return pd.ArrowDtype(pa.timestamp("ns", tz="Asia/Tokyo"))
    if name == "large_string[pyarrow]":
        return pd.ArrowDtype(pa.large_string())
    return name


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 5))
    whole = [number for number in NUMBERS if isinstance(number, int) and 0 <= number <= 3]
    moments = [datetime.fromisoformat(text) for text in TIMES]
    return pd.DataFrame(
        {
            "whole": draw(columns(whole, WHOLE, rows)),
            "large": draw(columns([2**53, 2**53 + 1, -1], ["int64", "Int64"], rows)),
            "real": draw(columns([float(number) for number in NUMBERS], FLOATING, rows)),
            "a text": draw(columns(TEXTS, TEXTUAL, rows)),
            "other": draw(columns(TEXTS, TEXTUAL, rows)),
            "truth": draw(columns([True, False], TRUTHS, rows)),
            "time": draw(columns(moments, MOMENTS, rows)),
            "then": draw(columns(moments, MOMENTS, rows)),
        }
    )


signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def comparisons(names: list[str], constants: list[str]) -> st.SearchStrategy[str]:
    name, constant = st.sampled_from(names), st.sampled_from(constants)
    lists = st.lists(constant, max_size=3).map(lambda some: f"[{', '.join(some)}]")
    return st.one_of(
        st.builds("{} {} {}".format, name, signs, constant | name),
        st.builds("{} {} {}".format, constant, signs, name),
        st.builds("{} {} {} {} {}".format, constant, signs, name, signs, constant),
        st.builds("{} {} {}".format, name, st.sampled_from(["in", "not in"]), lists),
        st.builds("{} {} None".format, name, st.sampled_from(["is", "is not", "==", "!="])),
    )


#: What Python writes for infinity is a name to it.
numbers = [repr(number).replace("inf", "1e999") for number in [*NUMBERS, True, 1e300, 2**63]]
conditions = st.recursive(
    st.one_of(
        comparisons(["whole", "large", "real", "truth"], numbers),
        comparisons(["`a text`", "other"], [repr(text) for text in TEXTS]),
        comparisons(["time", "then"], [repr(text) for text in [*TIMES, ZONED]]),
        st.just("truth"),
    ),
    lambda parts: st.one_of(
        parts.map("not ({})".format),
        st.builds("({}) {} ({})".format, parts, st.sampled_from(["and", "or"]), parts),
    ),
    max_leaves=4,
)


@given(tables(), conditions)
def test_a_column_and_its_single_values_are_judged_alike(table, text):
    condition = Condition.parse(text)
    assert condition.mask(table).tolist() == [condition.holds(event) for event in events(table)]
    condition.check(table)


@given(tables(), conditions)
def test_the_order_of_rows_and_their_number_do_not_matter(table, text):
    condition, whole = Condition.parse(text), Condition.parse(text).mask(table)
    for row in range(len(table)):
        assert condition.mask(table.iloc[[row]]).tolist() == [whole[row]]


# What a condition says


def test_comparisons_are_joined_as_in_python():
    amounts = [50.0, 150.0, 250.0]
    assert mask("amount > 100 and amount < 200", amount=amounts) == [False, True, False]
    assert mask("100 < amount <= 250", amount=amounts) == [False, True, True]
    assert mask("not amount > 100 or amount == 250", amount=amounts) == [True, False, True]
    assert mask("not (amount > 100 or amount == 50)", amount=amounts) == [False, False, False]


@pytest.mark.parametrize("dtype", TEXTUAL)
def test_text_is_among_a_list_whatever_its_type(dtype):
    channel = pd.Series(["web", "shop", None, "app"]).astype(_dtype(dtype))
    assert mask('channel in ["web", "app"]', channel=channel) == [True, False, False, True]
    assert mask('channel not in ("web", "app")', channel=channel) == [False, True, False, False]
    assert mask('channel >= "shop"', channel=channel) == [True, True, False, False]


def test_an_empty_list_has_nothing_in_it():
    assert mask("a in []", a=[1.0, None]) == [False, False]
    assert mask("a not in []", a=[1.0, None]) == [True, False]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_comparison_with_a_missing_value_is_false(missing):
    a = pd.array([1, missing], dtype="Int64")
    for text in ("a > 0", "a <= 1", "a == 1", "a != 2", "a in [1]", "a not in [2]", "a == a"):
        assert mask(text, a=a) == [True, False]
    assert mask("not a > 0", a=a) == [False, True]


def test_a_missing_value_is_found_by_none():
    a = [1.0, np.nan]
    assert mask("a is None", a=a) == mask("a == None", a=a) == mask("None == a", a=a)
    assert mask("a is None", a=a) == [False, True]
    assert mask("a is not None", a=a) == mask("a != None", a=a) == [True, False]


def test_a_truth_value_stands_alone():
    online = pd.array([True, False, None], dtype="boolean")
    assert mask("online", online=online) == [True, False, False]
    assert mask("not online", online=online) == [False, True, True]
    assert mask("online == False", online=online) == [False, True, False]


def test_a_number_stands_not_alone():
    with pytest.raises(InputError, match=r"'fraud' \(int8\) stands alone.*fraud == 1"):
        Condition.parse("fraud").check(pd.DataFrame({"fraud": np.array([1], np.int8)}))


def test_columns_are_compared_with_each_other():
    assert mask("a < b", a=[1, 2], b=[1.5, 1.5]) == [True, False]
    assert mask("a == b", a=pd.Categorical(["x", "y", None]), b=["x", "x", "x"]) == [
        *(True, False, False)
    ]


def test_whole_numbers_are_not_rounded():
    a = np.array([2**53, 2**53 + 1])
    assert mask(f"a == {2**53 + 1}", a=a) == mask(f"a > {2.0**53!r}", a=a) == [False, True]
    assert mask(f"a in [{2**53 + 1}, 0.5, 1e300]", a=a) == [False, True]
    assert mask(f"a < {2**64 - 1}", a=a.astype("uint64")) == [True, True]


def test_small_types_take_constants_that_they_cannot_hold():
    assert mask("a < 300", a=np.array([-1, 1], np.int8)) == [True, True]
    assert mask("a in [300, 1]", a=np.array([-1, 1], np.int8)) == [False, True]
    assert mask("a > -1", a=np.array([0, 1], np.uint8)) == [True, True]


def test_decimals_are_compared_as_doubles():
    price = pd.Series([Decimal("1.10"), None]).astype(pd.ArrowDtype(pa.decimal128(10, 2)))
    assert mask("price == 1.1", price=price) == [True, False]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Brussels"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_are_compared_with_text_in_utc(zone, unit):
    noon = pd.Series(pd.to_datetime(["2025-01-31T12:00", None], utc=True)).dt.as_unit(unit)
    noon = noon.dt.tz_convert(zone)
    for text in ("2025-01-31T12:00", "2025-01-31 12:00:00Z", "2025-01-31T13:00+01:00"):
        assert mask(f'time == "{text}"', time=noon) == [True, False]
        assert mask(f'time in ["{text}"]', time=noon) == [True, False]
    assert mask('"2025-01-31" < time < "9000-01-01"', time=noon) == [True, False]


def test_days_are_times():
    day = pd.Series([date(2025, 1, 31), None])
    arrow = day.astype(pd.ArrowDtype(pa.date32()))
    assert mask('day >= "2025-01-31"', day=day) == [True, False]
    assert mask('day >= "2025-01-31"', day=arrow) == [True, False]


def test_an_event_of_plain_python_is_judged_too():
    condition = Condition.parse('time > "2025-01-01" and amount > 1 and name == "x" and there')
    event = {"time": datetime(2025, 1, 2, tzinfo=UTC), "amount": 2, "name": "x", "there": True}
    assert condition.holds(event)
    assert not condition.holds(event | {"time": None})
    assert condition.holds(event | {"time": np.datetime64("2025-01-02T00:00:00", "ns")})


# What it is compared with


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "channel > 100",
            r"Column 'channel' \(str\) can't be compared with the number 100.*quotes",
        ),
        ("channel in ['a', 1]", "with the number 1"),
        ("amount == '100'", r"'amount' \(float64\) .* the text '100'.*without quotes"),
        ("amount > channel", r"with column 'channel' \(str\)"),
        ("time > 5", r"'time' .* with the number 5.*such as '2025-01-31T12:00'"),
        ("time > '31.1.2025'", "the text '31.1.2025'.*with a time, such as"),
        ("time > 'now'", "the text 'now'"),
        ("level == 1", "Column 'level'"),
        ("length > 1", "which a condition can't compare"),
    ],
)
def test_unlike_types_are_refused_before_anything_is_computed(text, complaint):
    table = pd.DataFrame(
        {
            "channel": ["web"],
            "amount": [1.0],
            "time": pd.to_datetime(["2025-01-31"]),
            "level": pd.Categorical(["low"]),
            "length": pd.to_timedelta(["1D"]),
        }
    )
    with pytest.raises(InputError, match=complaint):
        Condition.parse(text).check(table)
    with pytest.raises(InputError, match=complaint):
        Condition.parse(text).mask(table)


def test_unlike_values_of_an_event_are_refused():
    with pytest.raises(InputError, match=r"Column 'amount' \('7'\) can't be compared"):
        Condition.parse("amount > 5").holds({"amount": "7"})
    with pytest.raises(InputError, match=r"has the value \[1\], which"):
        Condition.parse("amount > 5").holds({"amount": [1]})


def test_a_column_of_many_types_is_refused_with_their_counts():
    mixed = pd.DataFrame({"a": pd.Series([1, "x", 2, None], dtype=object)})
    with pytest.raises(InputError, match="'a' holds 2 int, 1 str, such as 1"):
        Condition.parse("a > 1").mask(mixed)


def test_levels_that_are_not_known_yet_are_not_complained_about():
    import dask.dataframe as dd

    table = pd.DataFrame({"level": pd.Categorical([1, 2])})
    meta = dd.from_pandas(table).map_partitions(lambda part: part).clear_divisions()
    meta = meta["level"].cat.as_unknown().to_frame()._meta
    Condition.parse("level == 1").check(meta)


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(MissingColumnError, match=r"no column 'amont'.*'amount'"):
        Condition.parse("amont > 1").check(pd.DataFrame({"amount": [1.0]}))
    with pytest.raises(MissingColumnError, match="no column 'amont'"):
        Condition.parse("amont > 1").holds({"amount": 1.0})
