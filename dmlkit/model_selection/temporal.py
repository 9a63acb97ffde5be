"""Splits in time with a label delay, as a model meets the world: trained before, judged after."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import dask
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.model_selection.columns import check_named

__all__ = ["TimeSplit", "TrainValidationTest", "count_periods", "drop_known_entities"]


class TrainValidationTest(NamedTuple):
    """The parts of a split table; `validation` is None where no slice was asked for."""

    train: Any
    validation: Any
    test: Any


@dataclass(frozen=True)
class TimeSplit:
    """Whole days of training, a delay in which labels become known, and whole days of test.

    The last `validation_days` of the training days are kept apart for early stopping. Rows in
    the delay are in neither part: on the first day of the test their labels are not known yet.

    Parameters
    ----------
    train_start : date, datetime or str
        The first day of training, such as ``"2018-07-25"``.
    train_days, delay_days, test_days : int
        Lengths in days.
    validation_days : int
        How many of the training days are for validation.

    Raises
    ------
    ConfigurationError
        A length is negative, or nothing is left to train on.

    References
    ----------
    Le Borgne, Siblini, Lebichot, Bontempi: *Reproducible Machine Learning for Credit Card Fraud
    Detection - Practical Handbook*, chapter 5.2. Université Libre de Bruxelles, 2022.

    Examples
    --------
    >>> split = TimeSplit("2018-07-25", train_days=7, delay_days=7, test_days=7)
    >>> for name, start, end in split.periods():
    ...     print(name, start.date(), end.date())
    train 2018-07-25 2018-08-01
    delay 2018-08-01 2018-08-08
    test 2018-08-08 2018-08-15
    """

    train_start: date | datetime | str
    train_days: int = 7
    delay_days: int = 7
    test_days: int = 7
    validation_days: int = 0

    def __post_init__(self) -> None:
        _timestamp(self.train_start)
        for name in ("train_days", "delay_days", "test_days", "validation_days"):
            least = 1 if name in ("train_days", "test_days") else 0
            if getattr(self, name) < least:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be at least {least}."
                )
        if self.validation_days >= self.train_days:
            raise ConfigurationError(
                f"validation_days ({self.validation_days}) leaves nothing of train_days "
                f"({self.train_days}) to train on."
            )

    @classmethod
    def latest(cls, last: datetime, **lengths: int) -> "TimeSplit":
        """Return the split whose test ends with the day of `last`, the newest row of the table."""
        probe = cls("2000-01-01", **lengths)
        end = _timestamp(last).normalize() + timedelta(days=1)
        return cls(end - (probe.test_end - pd.Timestamp("2000-01-01")), **lengths)

    @property
    def validation_start(self) -> pd.Timestamp:
        """Where training rows end and validation rows start."""
        return self.train_end - timedelta(days=self.validation_days)

    @property
    def train_end(self) -> pd.Timestamp:
        """The end of the training days, validation included (exclusive)."""
        return _timestamp(self.train_start) + timedelta(days=self.train_days)

    @property
    def test_start(self) -> pd.Timestamp:
        """The first day of the test."""
        return self.train_end + timedelta(days=self.delay_days)

    @property
    def test_end(self) -> pd.Timestamp:
        """The end of the test (exclusive)."""
        return self.test_start + timedelta(days=self.test_days)

    def periods(self) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
        """Return name, start and end (exclusive) of each period that is not empty, in order."""
        periods = [
            ("train", _timestamp(self.train_start), self.validation_start),
            ("validation", self.validation_start, self.train_end),
            ("delay", self.train_end, self.test_start),
            ("test", self.test_start, self.test_end),
        ]
        return [period for period in periods if period[1] < period[2]]

    def check_covered(self, first: datetime, last: datetime) -> None:
        """Raise an InputError when the table, from `first` to `last`, has no rows for a period."""
        first, last = _timestamp(first), _timestamp(last)
        for name, start, end in self.periods():
            if name != "delay" and (end <= first or start > last):
                raise InputError(
                    f"The table holds {first:%Y-%m-%d} to {last:%Y-%m-%d}, but the {name} period "
                    f"is {start:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}. Set "
                    "split.train_start, or make the periods shorter "
                    "(split.train_days, split.delay_days, split.test_days)."
                )

    def split(self, frame: Any, time: str) -> TrainValidationTest:
        """Return the rows of each part, lazily.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        time : str
            The column that tells when a row happened. Days are UTC days.
        """
        check_named(frame, time)
        parts = {name: _between(frame, time, start, end) for name, start, end in self.periods()}
        return TrainValidationTest(parts["train"], parts.get("validation"), parts["test"])


def count_periods(split: TimeSplit, parts: TrainValidationTest, label: str) -> list[dict[str, Any]]:
    """Count rows and positives of each part, in one pass; days of the delay have no rows.

    Returns
    -------
    list of dict
        ``name``, ``start``, ``end`` (exclusive, ISO dates), ``rows`` and ``positives``.

    Raises
    ------
    InputError
        A part has no rows, or the training part has rows of one class only.
    """
    there = {name: part for name, part in parts._asdict().items() if part is not None}
    counts = dask.compute({name: _count(part[label]) for name, part in there.items()})[0]
    for name, (rows, positives) in counts.items():
        if rows == 0 or (name == "train" and positives in (0, rows)):
            raise InputError(
                f"The {name} part has {rows:,} rows, {positives:,} of them positive. Make its "
                "period longer or move it (split.train_start, split.train_days, split.test_days)."
            )
    return [
        {
            "name": name,
            "start": f"{start:%Y-%m-%d}",
            "end": f"{end:%Y-%m-%d}",
            "rows": counts.get(name, (0, 0))[0],
            "positives": counts.get(name, (0, 0))[1],
        }
        for name, start, end in split.periods()
    ]


@dask.delayed
def _add(*counts: tuple[int, int]) -> tuple[int, int]:
    return sum(rows for rows, _ in counts), sum(positives for _, positives in counts)


@dask.delayed
def _count_one(labels: pd.Series) -> tuple[int, int]:
    return len(labels), int(labels.sum())


def _count(labels: Any) -> Any:
    return _add(*(_count_one(partition) for partition in labels.to_delayed()))


def drop_known_entities(
    test: Any,
    history: Any,
    *,
    entity: str,
    time: str,
    label: str,
    known_from: datetime,
    delay_days: int,
) -> Any:
    """Drop the rows of `test` whose entity was known as positive by the day of the row.

    A card that was found to be compromised is blocked, so it makes no transaction that a model
    still has to judge. The label of a day is known `delay_days` later: a row of day `d` goes when
    its entity has a positive from `known_from` on, on a day before `d - delay_days`.

    Parameters
    ----------
    test, history : dask or pandas DataFrame
        `history` is the table in which positives are looked for; it may contain the test rows.
    entity, time, label : str
        Columns of both frames; `label` is 1 for a positive.
    known_from : datetime
        Positives before this are left out (the handbook: the start of the training).
    delay_days : int
        Days until a label is known.

    Returns
    -------
    frame like `test`
        Lazily; the entities with a positive are few and travel to every partition.

    References
    ----------
    `get_train_test_set` of the Fraud Detection Handbook (see `TimeSplit`).
    """
    known_from = _like(history, time, _timestamp(known_from))
    positives = history[(history[label] == 1) & (history[time] >= known_from)]
    first_positive = positives.groupby(entity)[time].min()
    if isinstance(test, pd.DataFrame):
        return _drop_known(test, first_positive, entity, time, delay_days)
    # As one delayed value: two tables as ancestors would make Dask shuffle the rows later on, where
    # columns of theirs meet.
    (known,) = first_positive.repartition(npartitions=1).to_delayed()
    return test.map_partitions(_drop_known, known, entity, time, delay_days, meta=test._meta)


def _drop_known(
    rows: pd.DataFrame, first_positive: pd.Series, entity: str, time: str, delay_days: int
) -> pd.DataFrame:
    known = pd.Series(first_positive.reindex(rows[entity]).array, index=rows.index)
    return rows[~(_days(known) < _days(rows[time]) - pd.Timedelta(days=delay_days))]


def _days(times: pd.Series) -> pd.Series:
    """Return the UTC days of times, whatever their zone."""
    times = times.dt.tz_convert("UTC") if times.dt.tz is not None else times
    return times.dt.floor("D")


def _between(frame: Any, time: str, start: pd.Timestamp, end: pd.Timestamp) -> Any:
    if not pd.api.types.is_datetime64_any_dtype(frame[time].dtype):
        raise InputError(
            f"Column {time!r} is {frame[time].dtype}, and no time. Read it as one with a schema "
            "(Column(..., 'datetime')), or turn it into one with dask.dataframe.to_datetime."
        )
    start, end = (_like(frame, time, moment) for moment in (start, end))
    return frame[(frame[time] >= start) & (frame[time] < end)]


def _like(frame: Any, time: str, moment: pd.Timestamp) -> pd.Timestamp:
    """Return `moment` with a time zone if the column has one: days are UTC days."""
    return moment.tz_localize("UTC") if getattr(frame[time].dtype, "tz", None) else moment


def _timestamp(moment: date | datetime | str) -> pd.Timestamp:
    """Return a moment without a zone; one with a zone becomes UTC."""
    try:
        time = pd.Timestamp(moment)
        return time if time.tzinfo is None else time.tz_convert("UTC").tz_localize(None)
    except ValueError as error:
        raise ConfigurationError(
            f"{moment!r} is not a date. Write it as YYYY-MM-DD, such as 2018-07-25."
        ) from error
