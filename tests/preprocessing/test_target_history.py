"""Levels encoded in time: a row sees the labels that were known before its day, and no other."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.preprocessing import (
    ColumnTransformer,
    Pipeline,
    StandardScaler,
    TargetEncoder,
    TimeTargetEncoder,
    transformer_from_dict,
)

COLUMNS = ["code", "ward", "time"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(8)
    minutes = random.integers(0, 15 * 24 * 60, 600)
    code = random.choice(["a", "b", "c", "d"], 600, p=[0.5, 0.3, 0.15, 0.05])
    ward = pd.Series(random.choice(["east", "west"], 600)).mask(random.random(600) < 0.1)
    time = pd.Timestamp("2025-01-01") + pd.to_timedelta(minutes, "min")
    return pd.DataFrame(
        {
            "code": pd.Series(code, dtype="str"),
            "ward": ward.astype("category"),
            "time": time,
            "label": (random.random(600) < 0.2 + 0.4 * (code == "a")).astype("int8"),
        }
    )


def by_hand(rows: pd.DataFrame, new: pd.DataFrame, delay: str, smooth: float | str) -> pd.DataFrame:
    """Train an encoder for each day on what was known when it began."""
    known = (rows["time"] + pd.Timedelta(delay)).dt.floor("D")
    found = []
    for day, some in new.groupby(new["time"].dt.floor("D")):
        before = rows[known < day]
        if not len(before):
            found.append(some[COLUMNS[:2]].astype(object).assign(code=np.nan, ward=np.nan))
            continue
        encoder = TargetEncoder(smooth=smooth).fit(before[COLUMNS[:2]], before["label"])
        found.append(encoder.transform(some[COLUMNS[:2]]))
    return pd.concat(found).loc[new.index].astype("float64")


@pytest.mark.parametrize("delay", ["0D", "36h"])
@pytest.mark.parametrize("smooth", ["auto", 0.0, 5.0])
def test_encodings_are_of_what_was_known(rows, delay, smooth) -> None:
    encoder = TimeTargetEncoder(time="time", delay=delay.lower(), smooth=smooth)
    found = encoder.fit_transform(rows[COLUMNS], rows["label"])
    expected = by_hand(rows, rows, delay, smooth)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)
    assert found.notna().any().all()
    assert found.isna().any().all()
    new = rows.sample(100, random_state=1).assign(code="c")
    new["time"] += pd.Timedelta(days=4)
    new.iloc[:20, 0] = "e"  # a level that was not there
    expected = by_hand(rows, new, delay, smooth)
    pd.testing.assert_frame_equal(encoder.transform(new), expected, rtol=1e-12)


def test_encodings_are_lazy_and_the_same_on_any_partitions(rows, lay_out) -> None:
    lazy = lay_out(rows)
    encoder = TimeTargetEncoder(time="time", delay="2d")
    found = encoder.fit_transform(lazy[COLUMNS], lazy["label"])
    alone = TimeTargetEncoder(time="time", delay="2d").fit_transform(rows[COLUMNS], rows["label"])
    pd.testing.assert_frame_equal(found.compute(), alone, check_exact=True)
    assert encoder.get_feature_names_out().tolist() == ["code", "ward"]
    assert encoder.passes_ == ["the target over time by levels of code, ward"]


@settings(max_examples=10)
@given(day=st.integers(1, 14), delay=st.integers(0, 9))
def test_labels_that_are_not_known_yet_change_no_encoding(day, delay, rows) -> None:
    now = pd.Timestamp("2025-01-01") + pd.Timedelta(days=day)
    late = rows["time"] + pd.Timedelta(days=delay) >= now
    others = rows.assign(label=rows["label"].where(~late, 1 - rows["label"]))
    others.loc[rows["time"] > now + pd.Timedelta(days=1), "code"] = "d"
    until = rows["time"] < now + pd.Timedelta(days=1)
    encoder = TimeTargetEncoder(time="time", delay=f"{delay}d")
    before, after = (
        encoder.fit_transform(each[COLUMNS], each["label"])[until] for each in (rows, others)
    )
    pd.testing.assert_frame_equal(before, after, check_exact=True)


@pytest.mark.parametrize("kind", ["datetime64[s]", "datetime64[us]", "datetime64[ns]", "zoned"])
def test_days_are_utc_days_of_any_type_of_time(rows, kind) -> None:
    time = rows["time"]
    time = (
        time.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
        if kind == "zoned"
        else time.astype(kind)
    )
    encoder = TimeTargetEncoder(time="time", delay="1d")
    expected = encoder.fit_transform(rows[COLUMNS], rows["label"])
    found = encoder.fit_transform(rows[COLUMNS].assign(time=time), rows["label"])
    pd.testing.assert_frame_equal(found, expected)


def test_periods_may_be_hours(rows) -> None:
    by_hour = TimeTargetEncoder(time="time", every="1h", smooth=0.0)
    found = by_hour.fit_transform(rows[COLUMNS], rows["label"])["code"]
    number = rows["time"].idxmax()
    before = rows["time"].dt.floor("h") < rows["time"][number].floor("h")
    same = before & (rows["code"] == rows["code"][number])
    assert found[number] == pytest.approx(rows["label"][same].mean())


def test_a_code_of_pure_noise_stays_noise() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"code": random.integers(0, 40, 2000).astype(str)})
    frame["time"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 99, 2000), "D")
    label = pd.Series(random.integers(0, 2, 2000))
    found = TimeTargetEncoder(time="time", smooth=1.0).fit_transform(frame, label)["code"]
    assert abs(found.corr(label.astype("float64"))) < 0.1


def test_it_learns_beside_others_and_is_kept_as_json(rows) -> None:
    encoder = TimeTargetEncoder(time="time", delay="1d")
    steps = [("code", encoder, COLUMNS), ("scale", StandardScaler(), ["label"])]
    prepared = Pipeline([("columns", ColumnTransformer(steps, verbose_feature_names_out=False))])
    found = prepared.fit_transform(rows, rows["label"])
    assert len(prepared.passes_) == 1
    alone = TimeTargetEncoder(time="time", delay="1d").fit(rows[COLUMNS], rows["label"])
    pd.testing.assert_frame_equal(found[["code", "ward"]], alone.transform(rows))
    again = transformer_from_dict(json.loads(json.dumps(alone.to_dict())))
    pd.testing.assert_frame_equal(again.transform(rows), alone.transform(rows), check_exact=True)


def test_rows_without_a_time_are_encoded_as_missing(rows) -> None:
    encoder = TimeTargetEncoder(time="time").fit(rows[COLUMNS], rows["label"])
    new = rows.assign(time=rows["time"].mask(rows.index == 3))
    assert encoder.transform(new).isna().all(axis=1)[3]
    with pytest.raises(InputError, match="1 of 600 rows of a partition have no 'time'"):
        encoder.fit(new[COLUMNS], new["label"])


def test_mistakes_are_told(rows) -> None:
    X, y = rows[COLUMNS], rows["label"]
    for settings_, message in [
        ({"time": ""}, "time is empty"),
        ({"time": "time", "smooth": -1.0}, "smooth is -1"),
        ({"time": "time", "delay": "-1d"}, "looks into the future"),
        ({"time": "time", "every": "0d"}, "every is '0d'"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            TimeTargetEncoder(**settings_).fit(X, y)
    with pytest.raises(MissingColumnError, match="nearest: 'time'"):
        TimeTargetEncoder(time="times").fit(X, y)
    with pytest.raises(InputError, match=r"'time' is int64.* cycles_as_times"):
        TimeTargetEncoder(time="time").fit(X.assign(time=1), y)
    with pytest.raises(InputError, match="needs labels"):
        TimeTargetEncoder(time="time").fit(X)
