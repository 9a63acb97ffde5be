"""Card precision at k: of the cards that a bank checks each day, how many were defrauded.

The best score of each card and day is found on the workers; only candidates come to the client.
"""

from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import add_up, bucket_count, exchange, for_each
from dmlkit.metrics.keys import all_there, day_numbers, entity_hashes
from dmlkit.metrics.rows import LabelledScores, Source, raise_faults, source_of

__all__ = ["card_precision_at_k", "lazy_candidates", "precision_by_day"]

#: So many rows for each card are looked at to find how high a card must score to be checked.
SAMPLE = 4


def card_precision_at_k(
    frame: Any, *, label: str, score: str, time: str, card: str, k: int = 100
) -> float:
    """Share of defrauded cards among the `k` cards checked each day, averaged over days.

    Each day, a card's score and label are its highest of that day. The `k` cards with the highest
    scores are checked; those with a fraud that day are caught and leave the following days. Cards
    of the same score are checked in the order of their ids.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    label, score : str
        Columns with 0 or 1, and with the score.
    time : str
        The datetime column; days are UTC days, and days without rows do not count.
    card : str
        The column that identifies a card (or any other entity that is checked).
    k : int
        Cards checked a day. On a day with fewer cards the missing ones count as negatives.

    Returns
    -------
    float

    Raises
    ------
    InputError
        A label, score, time or card is missing; there is no row.

    References
    ----------
    Le Borgne, Siblini, Lebichot, Bontempi: *Reproducible Machine Learning for Credit Card Fraud
    Detection - Practical Handbook*, chapter 4.3. Université Libre de Bruxelles, 2022.

    Examples
    --------
    Card 7 is caught on the first day, so that card 8 is checked on the second.

    >>> frame = pd.DataFrame(
    ...     {
    ...         "time": pd.to_datetime(["2025-01-01", "2025-01-01", "2025-01-02", "2025-01-02"]),
    ...         "card": [7, 8, 7, 8],
    ...         "score": [0.9, 0.1, 0.8, 0.7],
    ...         "fraud": [1, 0, 1, 0],
    ...     }
    ... )
    >>> card_precision_at_k(frame, label="fraud", score="score", time="time", card="card", k=1)
    0.5
    """
    source = source_of(frame, label, score, others=[time, card])
    candidates, faults = source.compute(lazy_candidates(source, time, card, k), source.faults())
    raise_faults(faults)
    if not len(candidates):
        raise InputError("There is no row to judge. Look at the filters before it.")
    return float(precision_by_day(candidates, k).mean())


def lazy_candidates(source: Source, time: str, card: str, k: int) -> Any:
    """Return, lazily, the cards that could be among the `k` checked on each day.

    Parameters
    ----------
    source : Source
        Whose partitions have the columns `time` and `card`.

    Returns
    -------
    Delayed of pd.DataFrame
        Columns ``day``, ``card``, ``score``, ``label`` and ``known``; per day `k` cards, those
        that may have been caught before, and no more than `k` times the number of the day.
    """
    if k < 1:
        raise ConfigurationError(f"k is {k}; it must be at least 1.")
    rows = for_each(_with_keys, source.parts, source.rows, time, card)
    days = add_up(for_each(_days, rows), _all_days)
    # A partition's own candidates limit what others need to send: most rows never leave theirs.
    limits = add_up(for_each(_limits, rows, days, k), _highest_limits)
    buckets = bucket_count(len(rows), most=16)
    splits = for_each(_split, for_each(_worth_sending, rows, days, limits), buckets)
    cards = for_each(_mark_known, exchange(splits, buckets, _best))
    return add_up(for_each(_checkable, cards, days, k), _top, days, k)


def precision_by_day(candidates: pd.DataFrame, k: int) -> pd.Series:
    """Go through the days: check `k` cards, and leave out those that were caught.

    Returns
    -------
    pd.Series
        The precision of each day, by day number.
    """
    caught: set[Any] = set()
    precision = {}
    for day, cards in candidates.groupby("day", sort=True):
        free = cards[~cards["card"].isin(caught)] if caught else cards
        checked = _by_score(free).head(k)
        hits = checked.loc[checked["label"], "card"]
        caught |= set(hits)
        precision[day] = len(hits) / k
    return pd.Series(precision, dtype="float64")


def _with_keys(part: pd.DataFrame, rows: LabelledScores, time: str, card: str) -> pd.DataFrame:
    """Return day, card, score and label of the good rows."""
    part = part if rows.kept is None else part[rows.kept]
    all_there(part[card])
    cards = part[card]
    if isinstance(cards.dtype, pd.CategoricalDtype):
        cards = cards.astype(cards.cat.categories.dtype)
    return pd.DataFrame(
        {
            "day": day_numbers(part[time]),
            "card": cards.array,
            "score": rows.score,
            "label": rows.label,
        }
    )


def _limits(rows: pd.DataFrame, days: np.ndarray, k: int) -> np.ndarray:
    """Return, for each day, a score below which no card is checked, as far as these rows know.

    That is the score of the last card that is checked if `k` were caught on each day before.
    """
    limits = np.full(len(days), -np.inf)
    score = rows["score"].to_numpy()
    for number, places in _places_by_day(rows, days):
        most = k * (number + 1)
        high = _highest(score, places, SAMPLE * most)
        best = rows.take(high).groupby("card")["score"].max().to_numpy()
        if len(best) >= most:
            limits[number] = np.partition(best, -most)[-most]
    return limits


def _places_by_day(rows: pd.DataFrame, days: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return the number of each day, and where its rows are."""
    places = rows.groupby("day").indices
    numbers = np.searchsorted(days, np.array(list(places), dtype=np.int64))
    return list(zip(numbers.tolist(), map(np.asarray, places.values()), strict=True))


def _highest(score: np.ndarray, places: np.ndarray, most: int) -> np.ndarray:
    """Return those of `places` that have the highest scores: so many, and what ties with them."""
    if len(places) <= most:
        return places
    high = score[places]
    return places[high >= np.partition(high, -most)[-most]]


def _highest_limits(limits: list[np.ndarray]) -> np.ndarray:
    return np.max(limits, axis=0)


def _worth_sending(rows: pd.DataFrame, days: np.ndarray, limits: np.ndarray) -> pd.DataFrame:
    """Return the best of the cards that may be checked, and all frauds: they tell who is known."""
    limit = limits[np.searchsorted(days, rows["day"].to_numpy())]
    return _best([rows[(rows["score"].to_numpy() >= limit) | rows["label"].to_numpy()]])


def _best(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the highest score and label of each day and card."""
    rows = pd.concat([piece for piece in pieces if len(piece)] or pieces[:1], ignore_index=True)
    return rows.groupby(["day", "card"], sort=False).max().reset_index()


def _split(cards: pd.DataFrame, buckets: int) -> list[pd.DataFrame]:
    bucket = (entity_hashes(cards["card"]) % np.uint64(buckets)).astype(np.int64)
    order = np.argsort(bucket, kind="stable")
    limits = np.cumsum(np.bincount(bucket, minlength=buckets))[:-1]
    return [cards.take(places) for places in np.split(order, limits)]


def _days(cards: pd.DataFrame) -> np.ndarray:
    return np.unique(cards["day"].to_numpy())


def _all_days(days: list[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate(days))


def _mark_known(cards: pd.DataFrame) -> pd.DataFrame:
    """Mark the cards that had a fraud on an earlier day: only these can have been caught."""
    first = cards[cards["label"]].groupby("card")["day"].min()
    known = cards["card"].map(first) < cards["day"]
    return cards.assign(known=known.to_numpy(dtype=bool, na_value=False))


def _checkable(cards: pd.DataFrame, days: np.ndarray, k: int) -> pd.DataFrame:
    """Drop the cards with `k` better ones of the day that nothing can have removed before."""
    cards = _by_score(_high_enough(cards, days, k))
    by_day = cards["day"].to_numpy()
    free = (~cards["known"]).astype(np.int64)
    better_free = free.groupby(by_day).cumsum() - free
    return cards[better_free < k]


def _high_enough(cards: pd.DataFrame, days: np.ndarray, k: int) -> pd.DataFrame:
    """Drop what is not among the first `k` of a day even if `k` were caught on each day before."""
    score = cards["score"].to_numpy()
    kept = [
        _highest(score, places, k * (number + 1)) for number, places in _places_by_day(cards, days)
    ]
    return cards.take(np.concatenate(kept)) if kept else cards


def _by_score(cards: pd.DataFrame) -> pd.DataFrame:
    return cards.sort_values(["day", "score", "card"], ascending=[True, False, True])


def _top(pieces: list[pd.DataFrame], days: np.ndarray, k: int) -> pd.DataFrame:
    full = [piece for piece in pieces if len(piece)] or pieces[:1]
    return _checkable(pd.concat(full, ignore_index=True), days, k)
