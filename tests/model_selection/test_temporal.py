"""Splits in time: what is trained on, what is judged, and which cards have left by then."""

import dask.dataframe as dd
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.model_selection import TimeSplit, drop_known_entities


def transactions(partitions: int = 1, zone: str | None = None) -> dd.DataFrame:
    hours = pd.date_range("2018-07-20", "2018-08-20", freq="h", tz=zone, inclusive="left")
    frame = pd.DataFrame({"time": hours, "card": range(len(hours)), "fraud": 0})
    return dd.from_pandas(frame, npartitions=partitions)


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("partitions", [1, 7])
def test_rows_of_the_delay_are_in_no_part(partitions: int, zone: str | None) -> None:
    split = TimeSplit("2018-07-25", validation_days=2)
    parts = split.split(transactions(partitions, zone), "time")
    bounds = [(part.time.min().compute(), part.time.max().compute()) for part in parts]
    days = [(f"{first:%m-%d %H}", f"{last:%m-%d %H}") for first, last in bounds]
    assert days == [("07-25 00", "07-29 23"), ("07-30 00", "07-31 23"), ("08-08 00", "08-14 23")]


def test_without_validation_days_all_of_the_training_trains() -> None:
    parts = TimeSplit("2018-07-25").split(transactions(), "time")
    assert parts.validation is None
    assert len(parts.train) == 7 * 24


def test_the_latest_split_tests_on_the_last_days() -> None:
    split = TimeSplit.latest(pd.Timestamp("2018-08-19 23:00"), train_days=10, test_days=3)
    assert split.test_end == pd.Timestamp("2018-08-20")
    assert pd.Timestamp(split.train_start) == pd.Timestamp("2018-07-31")


@pytest.mark.parametrize("last", ["2018-08-20 01:00+02:00", "2018-08-19 23:00Z"])
def test_the_last_day_is_that_of_utc(last: str) -> None:
    split = TimeSplit.latest(pd.Timestamp(last))
    assert split.test_end == pd.Timestamp("2018-08-20")


def known_after(fraud_day: str, test_day: str, zone: str | None = None) -> bool:
    """Is a card with a fraud on `fraud_day` gone from the test on `test_day`?"""
    history = pd.DataFrame(
        {"time": [pd.Timestamp(fraud_day) + pd.Timedelta("13h")], "card": [7], "fraud": [1]}
    )
    test = pd.DataFrame(
        {"time": [pd.Timestamp(test_day) + pd.Timedelta("9h")] * 2, "card": [7, 8], "fraud": [0, 0]}
    )
    if zone is not None:
        for frame in (history, test):
            frame["time"] = frame["time"].dt.tz_localize("UTC").dt.tz_convert(zone)
    left = drop_known_entities(
        dd.from_pandas(test, npartitions=1),
        dd.from_pandas(pd.concat([history, test]), npartitions=1),
        entity="card",
        time="time",
        label="fraud",
        known_from=pd.Timestamp("2018-07-25"),
        delay_days=7,
    ).compute()
    assert 8 in set(left.card)
    return 7 not in set(left.card)


@pytest.mark.parametrize(
    ("fraud_day", "test_day", "gone"),
    [
        ("2018-07-24", "2018-08-14", False),  # before the training: not looked at
        ("2018-07-25", "2018-08-08", True),
        ("2018-07-31", "2018-08-08", True),  # the training's last day
        ("2018-08-01", "2018-08-08", False),  # seven days ago: known tomorrow
        ("2018-08-01", "2018-08-09", True),
        ("2018-08-07", "2018-08-14", False),
    ],
)
@pytest.mark.parametrize("zone", [None, "UTC", "Pacific/Auckland"])
def test_a_card_leaves_the_test_once_its_fraud_is_known(
    fraud_day: str, test_day: str, gone: bool, zone: str | None
) -> None:
    assert known_after(fraud_day, test_day, zone) is gone


def test_no_card_leaves_when_there_is_no_fraud() -> None:
    frame = transactions(3)
    left = drop_known_entities(
        frame,
        frame,
        entity="card",
        time="time",
        label="fraud",
        known_from="2018-07-25",
        delay_days=7,
    )
    assert len(left) == len(frame)


def test_a_period_outside_the_table_is_told_with_the_way_out() -> None:
    split = TimeSplit("2018-08-10")
    with pytest.raises(InputError, match=r"test period is 2018-08-24 .* Set split.train_start"):
        split.check_covered(pd.Timestamp("2018-07-20"), pd.Timestamp("2018-08-19"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_start": "the first"}, "not a date"),
        ({"train_start": "2018-07-25", "test_days": 0}, "test_days is 0; it must be at least 1"),
        ({"train_start": "2018-07-25", "validation_days": 7}, "leaves nothing of train_days"),
    ],
)
def test_a_split_that_cannot_be_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TimeSplit(**settings)


def test_a_missing_time_column_is_named() -> None:
    with pytest.raises(MissingColumnError, match="nearest: 'time'"):
        TimeSplit("2018-07-25").split(transactions(), "times")


def test_a_column_that_is_no_time_is_told() -> None:
    table = transactions()
    text = table.assign(time=table["time"].astype(str))
    with pytest.raises(InputError, match=r"Column 'time' is .*, and no time\. Read it as one"):
        TimeSplit("2018-07-25").split(text, "time")
