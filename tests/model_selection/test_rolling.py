"""Folds in time: no test sees what it was trained on, nor what happened before it was."""

import itertools

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.model_selection import TimeSeriesSplit
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")


def rows(zone: str | None = None) -> pd.DataFrame:
    random = np.random.default_rng(0)
    hours = random.integers(0, 24 * 60, 2_000)
    time = pd.Timestamp("2025-01-01", tz=zone) + pd.to_timedelta(hours, "h")
    return pd.DataFrame({"time": time, "cycle": hours, "x": random.random(2_000)})


@pytest.mark.parametrize("sliding", [None, "21d"])
@pytest.mark.parametrize("zone", [None, "Europe/Brussels"])
def test_folds_lie_one_after_the_other(sliding, zone) -> None:
    table = rows(zone)
    split = TimeSeriesSplit(3, test_size="7d", max_train_size=sliding, gap="2d")
    last = table["time"].max()
    for fold, (train, test) in enumerate(split.split(table, "time")):
        end = last - pd.Timedelta(days=7 * (2 - fold))
        week = (table["time"] > end - pd.Timedelta(days=7)) & (table["time"] <= end)
        assert test.equals(table[week])
        before = table["time"] <= end - pd.Timedelta(days=9)
        if sliding:
            before &= table["time"] > end - pd.Timedelta(days=30)
        assert train.equals(table[before])
    assert fold == 2


def test_folds_are_lazy_and_the_same_on_any_partitions() -> None:
    table = rows()
    split = TimeSeriesSplit(4, test_size="5d")
    for partitions in (1, 3, 16):
        lazily = split.split(lazy(table, partitions), "time")
        for mine, theirs in zip(split.split(table, "time"), lazily, strict=True):
            for part, other in zip(mine, theirs, strict=True):
                assert isinstance(other, dd.DataFrame)
                assert other.compute().equals(part)


def test_cycles_are_numbers() -> None:
    table = rows()
    split = TimeSeriesSplit(3, test_size=100, max_train_size=500, gap=10)
    tests = [test["cycle"] for _, test in split.split(lazy(table, 3), "cycle")]
    last = table["cycle"].max()
    assert [test.max().compute() for test in tests] == [last - 200, last - 100, last]
    as_float = table.astype({"cycle": "float64"})
    found = [len(test) for _, test in split.split(as_float, "cycle")]
    assert found == [len(test) for test in tests]


@pytest.mark.parametrize("until", ["2025-02-20", pd.Timestamp("2025-02-20", tz="UTC")])
def test_tests_end_where_they_are_told_to(until) -> None:
    split = TimeSeriesSplit(2, test_size="7d", until=until)
    days = [test["time"].dt.date for _, test in split.split(rows("UTC"), "time")]
    assert [str(day.min()) for day in days] == ["2025-02-06", "2025-02-13"]
    assert str(days[-1].max()) == "2025-02-19"
    plain = [len(test) for _, test in split.split(rows(), "time")]
    assert plain == [len(day) for day in days]


def test_tests_do_not_overlap() -> None:
    tests = [test for _, test in TimeSeriesSplit(5, test_size="6d").split(rows(), "time")]
    assert not any(set(a.index) & set(b.index) for a, b in itertools.combinations(tests, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_splits": 0}, "n_splits is 0"),
        ({"test_size": "0d"}, "test_size is '0d'; it must be longer"),
        ({"test_size": 0}, "test_size is 0; it must be longer"),
        ({"gap": "-1d"}, "gap is '-1d'"),
        ({"test_size": "7"}, "is no length of time"),
        ({"test_size": 7, "gap": "1d"}, "all must be of time"),
    ],
)
def test_folds_that_cannot_be_are_refused(settings, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TimeSeriesSplit(**settings)


def test_mistakes_are_told() -> None:
    table = rows()
    with pytest.raises(MissingColumnError, match="nearest: 'time'"):
        next(TimeSeriesSplit().split(table, "times"))
    with pytest.raises(InputError, match=r"'cycle' is int64. Give numbers as lengths"):
        next(TimeSeriesSplit().split(table, "cycle"))
    with pytest.raises(InputError, match=r"'time' is datetime64.*lengths such as '7d'"):
        next(TimeSeriesSplit(test_size=7).split(table, "time"))
    with pytest.raises(InputError, match="the first of 9 folds would be trained on what lies"):
        next(TimeSeriesSplit(9).split(table, "time"))
    table.loc[3, "time"] = pd.NaT
    with pytest.raises(InputError, match="1 of 2,000 rows have no 'time'"):
        next(TimeSeriesSplit().split(lazy(table, 3), "time"))
    with pytest.raises(InputError, match="There is no row"):
        next(TimeSeriesSplit().split(table.iloc[:0], "time"))
