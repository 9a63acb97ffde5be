"""Card precision at k a day follows the Fraud Detection Handbook's protocol."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import card_precision_at_k

NAMES = {"label": "label", "score": "score", "time": "time", "card": "card"}


def plain_card_precision(frame: pd.DataFrame, k: int) -> float:
    """Compute card precision day by day, without a cluster."""
    caught: set[object] = set()
    precision = []
    for _, rows in frame.groupby(frame["time"].dt.floor("D")):
        cards = rows[~rows["card"].isin(caught)].groupby("card")[["score", "label"]].max()
        cards = cards.reset_index().sort_values(["score", "card"], ascending=[False, True])
        hits = cards.head(k).query("label == 1")["card"]
        caught |= set(hits)
        precision.append(len(hits) / k)
    return float(np.mean(precision))


def rows(*transactions: tuple[str, object, float, int]) -> pd.DataFrame:
    frame = pd.DataFrame(transactions, columns=["time", "card", "score", "label"])
    return frame.assign(time=pd.to_datetime(frame["time"]))


@pytest.mark.parametrize("k", [1, 10, 100])
def test_it_is_the_plain_protocol_on_any_partitioning(scores, lay_out, k):
    expected = plain_card_precision(scores, k)
    assert card_precision_at_k(lay_out(scores), **NAMES, k=k) == pytest.approx(expected, abs=1e-12)


def test_many_caught_cards_make_room_for_the_next(lay_out):
    """Half of all cards are defrauded every day, so that known cards fill the top."""
    random = np.random.default_rng(5)
    days = pd.to_timedelta(np.repeat(np.arange(10), 400), "D")
    card = np.tile(np.arange(400), 10)
    frame = pd.DataFrame(
        {
            "time": pd.Timestamp("2025-01-01") + days,
            "card": card,
            "score": (card / 400 + 0.05 * random.random(4000)).round(2),
            "label": (random.random(4000) < 0.5).astype(int),
        }
    )
    expected = plain_card_precision(frame, 30)
    assert card_precision_at_k(lay_out(frame), **NAMES, k=30) == pytest.approx(expected, abs=1e-12)


def test_a_card_leaves_the_test_once_it_was_caught():
    frame = rows(
        ("2025-01-01", 7, 0.9, 1),
        ("2025-01-01", 8, 0.1, 0),
        ("2025-01-02", 7, 0.9, 1),
        ("2025-01-02", 8, 0.7, 1),
    )
    assert card_precision_at_k(frame, **NAMES, k=1) == 1.0


def test_a_defrauded_card_that_was_not_caught_stays():
    frame = rows(
        ("2025-01-01", 7, 0.5, 1),
        ("2025-01-01", 8, 0.9, 0),
        ("2025-01-02", 7, 0.9, 1),
        ("2025-01-02", 8, 0.1, 0),
    )
    assert card_precision_at_k(frame, **NAMES, k=1) == 0.5


def test_score_and_label_of_a_card_are_its_highest_of_the_day(lay_out):
    frame = rows(("2025-01-01 01:00", 7, 0.9, 0), ("2025-01-01 23:00", 7, 0.1, 1))
    assert card_precision_at_k(lay_out(frame), **NAMES, k=1) == 1.0


def test_cards_of_one_score_are_checked_in_the_order_of_their_ids(lay_out):
    frame = rows(*(("2025-01-01", card, 0.5, int(card == 3)) for card in range(20)))
    assert card_precision_at_k(lay_out(frame), **NAMES, k=3) == 0
    assert card_precision_at_k(lay_out(frame), **NAMES, k=4) == 0.25


def test_fewer_cards_than_k_count_as_negatives():
    assert card_precision_at_k(rows(("2025-01-01", 1, 0.5, 1)), **NAMES, k=4) == 0.25


@pytest.mark.parametrize("dtype", ["string[pyarrow]", "category", "object", "int32"])
def test_a_card_may_be_text_or_number(scores, dtype):
    frame = scores.assign(card=scores["card"].map("{:04d}".format))
    frame["card"] = frame["card"].astype(dtype)
    found = card_precision_at_k(dd.from_pandas(frame, npartitions=3), **NAMES, k=10)
    assert found == plain_card_precision(scores, 10)


def test_days_are_utc_days_where_times_have_a_zone(scores):
    zoned = scores.assign(time=scores["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    found = card_precision_at_k(dd.from_pandas(zoned, npartitions=3), **NAMES, k=10)
    assert found == plain_card_precision(scores, 10)


def test_it_runs_on_worker_processes(client, scores):
    found = card_precision_at_k(dd.from_pandas(scores, npartitions=6), **NAMES, k=10)
    assert found == plain_card_precision(scores, 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": pd.NaT}, "rows of a partition have no 'time'"),
        ({"time": "Monday"}, "a datetime is needed"),
        ({"card": None}, "rows of a partition have no 'card'"),
        ({"score": np.nan}, "6,000 rows have a score"),
    ],
)
def test_rows_without_time_card_or_score_are_told_of(scores, changes, message):
    frame = scores.assign(**changes)
    if changes.get("time") is pd.NaT:
        frame["time"] = frame["time"].astype("datetime64[us]")
    with pytest.raises(InputError, match=message):
        card_precision_at_k(dd.from_pandas(frame, npartitions=2), **NAMES)


def test_no_rows_are_an_error(scores):
    with pytest.raises(InputError, match="no row to judge"):
        card_precision_at_k(scores.head(0), **NAMES)


def test_no_cards_to_check_are_refused(scores):
    with pytest.raises(ConfigurationError, match="k is 0"):
        card_precision_at_k(scores, **NAMES, k=0)
