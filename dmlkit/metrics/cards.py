"""Card precision at k: of the cards that a bank checks each day, how many were defrauded.

The best score of each card and day is found on the workers; only candidates come to the client.
"""

from typing import Any

import dask
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError
from dmlkit.metrics.exchange import add_up, bucket_count, exchange
from dmlkit.metrics.keys import day_numbers, entity_hashes
from dmlkit.metrics.rows import LabelledScores, Source, raise_faults, source_of

__all__ = ["card_precision_at_k", "lazy_candidates", "precision_by_day"]


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
    best = dask.delayed(_best_of_part)
    parts = [
        best(part, rows, time, card) for part, rows in zip(source.parts, source.rows, strict=True)
    ]
    days = add_up([dask.delayed(_days)(part) for part in parts], _all_days)
    buckets = bucket_count(len(parts))
    if buckets > 1:
        splits = [dask.delayed(_split)(part, buckets) for part in parts]
        parts = exchange(splits, buckets, _best)
    checked = dask.delayed(_checkable)
    return _top_of_all(
        [checked(dask.delayed(_mark_known)(part), days, k) for part in parts], days, k
    )


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


def _best_of_part(part: pd.DataFrame, rows: LabelledScores, time: str, card: str) -> pd.DataFrame:
    part = part if rows.kept is None else part[rows.kept]
    cards = part[card]
    if isinstance(cards.dtype, pd.CategoricalDtype):
        cards = cards.astype(cards.cat.categories.dtype)
    return _best(
        [
            pd.DataFrame(
                {
                    "day": day_numbers(part[time]),
                    "card": cards.array,
                    "score": rows.score,
                    "label": rows.label,
                    "hash": entity_hashes(cards),
                }
            )
        ]
    )


def _best(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the highest score and label of each day and card."""
    rows = pd.concat([piece for piece in pieces if len(piece)] or pieces[:1], ignore_index=True)
    return rows.groupby(["day", "card"], sort=False).max().reset_index()


def _split(cards: pd.DataFrame, buckets: int) -> list[pd.DataFrame]:
    bucket = (cards["hash"].to_numpy() % np.uint64(buckets)).astype(np.int64)
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
    return cards.drop(columns="hash").assign(known=known.to_numpy(dtype=bool, na_value=False))


def _checkable(cards: pd.DataFrame, days: np.ndarray, k: int) -> pd.DataFrame:
    """Drop the cards with `k` better ones of the day that nothing can have removed before."""
    cards = _by_score(cards)
    by_day = cards["day"].to_numpy()
    free = (~cards["known"]).astype(np.int64)
    better_free = free.groupby(by_day).cumsum() - free
    most = k * (np.searchsorted(days, by_day) + 1)
    return cards[(better_free < k) & (cards.groupby(by_day).cumcount() < most)]


def _by_score(cards: pd.DataFrame) -> pd.DataFrame:
    return cards.sort_values(["day", "score", "card"], ascending=[True, False, True])


def _top_of_all(parts: list[Any], days: Any, k: int, fan_in: int = 16) -> Any:
    """Reduce candidates in a tree."""
    top = dask.delayed(_top)
    while len(parts) > 1:
        parts = [
            top(parts[start : start + fan_in], days, k) for start in range(0, len(parts), fan_in)
        ]
    return parts[0]


def _top(pieces: list[pd.DataFrame], days: np.ndarray, k: int) -> pd.DataFrame:
    full = [piece for piece in pieces if len(piece)] or pieces[:1]
    return _checkable(pd.concat(full, ignore_index=True), days, k)
