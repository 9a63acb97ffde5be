"""Like with like: columns compared within weekdays, months or hours, and over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dmlkit.drift.columns import Column, ColumnOf, comparable, compared, kinds_of, scaled
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.preprocessing.learning import Learning, ask, learn

__all__ = ["SEASONS", "SeasonalDrift", "compare_seasons"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

#: Names of the seasons by kind, in order.
SEASONS: Mapping[str, tuple[str, ...]] = {
    "weekday": WEEKDAYS,
    "month": MONTHS,
    "hour": tuple(f"{hour:02d}h" for hour in range(24)),
}

#: The column in which a row's season stands beside the others.
SEASON = "__season"

#: Seasons with fewer rows in either table are not told of by themselves: chance moves them.
FEW = 100


class SeasonalDrift(NamedTuple):
    """What `compare_seasons` found.

    Attributes
    ----------
    columns : pandas.DataFrame
        As of `compare_tables`, like with like; besides ``psi_as_is``, the stability index without
        regard to seasons, and ``worst_season`` with its ``worst_psi``.
    seasons : pandas.DataFrame
        A row for each column and season: ``column``, ``season``, ``psi``, ``ks``, ``verdict``,
        ``rows_before`` and ``rows_after``. Figures are missing where a table has fewer than 100
        rows.
    left_out : float
        The share of the rows after that are in a season which was not there before.
    """

    columns: pd.DataFrame
    seasons: pd.DataFrame
    left_out: float


def compare_seasons(
    before: Any,
    after: Any,
    *,
    time: str,
    season: str = "weekday",
    columns: Sequence[str] | None = None,
    bins: int = 10,
) -> SeasonalDrift:
    """Compare the columns of two tables like with like: Mondays with Mondays, Mays with Mays.

    What differs only because one table has more weekends, or other months, is no change. So rows
    before count for as much as makes seasons have the shares that they have after, and each season
    is compared by itself, too.

    Parameters
    ----------
    before, after : dask or pandas DataFrame
    time : str
        The column that tells when a row happened; it is not compared.
    season : {"weekday", "month", "hour"}
        Of the time as the tables have it, in its zone.
    columns : sequence of str, optional
        Without, all that both tables have.
    bins : int
        As of `compare_tables`.

    Returns
    -------
    SeasonalDrift

    Raises
    ------
    ConfigurationError
        There is no such season.
    MissingColumnError, InputError
        A column is not in both tables, the time is no datetime or is missing in rows, or the
        tables have no season in common.

    Notes
    -----
    Each table is read once. Exact up to 4,096 rows of a season in a partition, as `compare_tables`.

    Examples
    --------
    >>> week = pd.DataFrame({"time": pd.date_range("2025-01-06", periods=700, freq="h")})
    >>> week["open"] = (week["time"].dt.day_of_week < 5).astype(int)
    >>> weekdays = week[week["open"] == 1]
    >>> found = compare_seasons(week, weekdays, time="time").columns
    >>> found[["column", "psi", "verdict", "psi_as_is"]].round(2).values.tolist()
    [['open', 0.0, 'stable', 1.63]]
    """
    if season not in SEASONS:
        raise ConfigurationError(f"season is {season!r}; it must be one of {tuple(SEASONS)}.")
    for table, told in ((before, "before"), (after, "after")):
        _check_time(table, time, told)
    kinds = kinds_of(before, after, columns)
    kinds.pop(time, None)
    if not kinds:
        raise InputError("The tables share no column that can be compared.")
    left, right = (_by_season(table, time, season, kinds) for table in (before, after))
    common, left_out = _in_common(left, right)
    rows, of_seasons = [], []
    for name, kind in kinds.items():
        pair = _Pair(ColumnOf(name, kind), left[name], right[name], common)
        row = pair.like_with_like(bins)
        if row is not None:
            each = pair.by_season(season, bins)
            rows.append(row | {"psi_as_is": pair.as_is(bins)} | _worst(each))
            of_seasons += each
    if not rows:
        raise InputError("The tables share no column that can be compared.")
    found = pd.DataFrame(rows)
    found = found.sort_values(["psi", "column"], ascending=[False, True], ignore_index=True)
    return SeasonalDrift(found, pd.DataFrame(of_seasons), left_out)


@dataclass(frozen=True)
class _BySeason:
    """The distribution of a column in each season that has rows."""

    of_column: ColumnOf

    @property
    def column(self) -> str:
        """The column."""
        return self.of_column.column

    def of(self, part: pd.DataFrame) -> dict[int, Column]:
        """Take it of a part."""
        column, seasons = part[[self.column]], part[SEASON].to_numpy()
        return {
            season: self.of_column.of(column[seasons == season])
            for season in np.unique(seasons).tolist()
        }

    def add(self, states: Sequence[dict[int, Column]]) -> dict[int, Column]:
        """Put what was taken of several parts together."""
        return {
            season: self.of_column.add([state[season] for state in states if season in state])
            for season in sorted({season for state in states for season in state})
        }

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"by season, {self.of_column.explain()}"


@dataclass(frozen=True)
class _Pair:
    """A column before and after by season, and the seasons that both tables have."""

    of_column: ColumnOf
    before: dict[int, Column]
    after: dict[int, Column]
    common: list[int]

    def like_with_like(self, bins: int) -> dict[str, Any] | None:
        """Compare with the seasons before as frequent as they are after."""
        after = [self.after[season] for season in self.common]
        before = [self.before[season] for season in self.common]
        factors = [new.rows / old.rows for old, new in zip(before, after, strict=True)]
        # As many rows in all as there were: the index takes account of how many there are.
        size = sum(old.rows for old in before) / sum(new.rows for new in after)
        weighted = [scaled(old, factor * size) for old, factor in zip(before, factors, strict=True)]
        return self._compared(weighted, after, bins)

    def as_is(self, bins: int) -> float:
        """Return the stability index of all rows."""
        row = self._compared([*self.before.values()], [*self.after.values()], bins)
        return float("nan") if row is None else float(row["psi"])

    def by_season(self, season: str, bins: int) -> list[dict[str, Any]]:
        """Compare each season that one of the tables has."""
        found = []
        for number in sorted({*self.before, *self.after}):
            old, new = self.before.get(number), self.after.get(number)
            sizes = [0 if each is None else int(each.rows) for each in (old, new)]
            row: dict[str, Any] | None = None
            if old is not None and new is not None and min(sizes) >= FEW:
                row = self._compared([old], [new], bins)
            row = row or {"psi": np.nan, "ks": np.nan, "verdict": ""}
            told = {"column": self.of_column.column, "season": SEASONS[season][number]}
            figures = {name: row[name] for name in ("psi", "ks", "verdict")}
            found.append(told | figures | {"rows_before": sizes[0], "rows_after": sizes[1]})
        return found

    def _compared(
        self, before: list[Column], after: list[Column], bins: int
    ) -> dict[str, Any] | None:
        name, kind = self.of_column.column, self.of_column.kind
        old, new = (self.of_column.add(each) for each in (before, after))
        return compared(name, kind, old, new, bins)


def _check_time(table: Any, time: str, told: str) -> None:
    if time not in table.columns:
        raise MissingColumnError.of(told, time, table.columns)
    dtype = table[time].dtype
    if not pd.api.types.is_datetime64_any_dtype(dtype):
        raise InputError(
            f"Column {time!r} of the table {told} is {dtype}, but a datetime is needed to tell "
            "seasons. Convert it with to_datetime."
        )


def _by_season(
    table: Any, time: str, season: str, kinds: dict[str, str]
) -> dict[str, dict[int, Column]]:
    columns = comparable(table[list(kinds)], kinds)
    if isinstance(table, pd.DataFrame):
        beside = _beside(columns, table[time], season)
    else:
        meta = columns._meta.assign(**{SEASON: np.zeros(0, np.int64)})
        beside = columns.map_partitions(
            _beside, table[time], season, meta=meta, align_dataframes=False
        )
    found: dict[str, dict[int, Column]] = {}
    learn(_learning(kinds, found), beside)
    return found


def _beside(columns: pd.DataFrame, times: pd.Series, season: str) -> pd.DataFrame:
    missing = int(times.isna().sum())
    if missing:
        raise InputError(
            f"{missing:,} of {len(times):,} rows of a partition have no {times.name!r}. Drop them, "
            "or fill them in."
        )
    numbers = {
        "weekday": lambda: times.dt.day_of_week,
        "month": lambda: times.dt.month - 1,
        "hour": lambda: times.dt.hour,
    }[season]()
    return columns.assign(**{SEASON: numbers.to_numpy(np.int64)})


def _learning(kinds: dict[str, str], found: dict[str, dict[int, Column]]) -> Learning:
    answers = yield from ask(*(_BySeason(ColumnOf(name, kind)) for name, kind in kinds.items()))
    found |= dict(zip(kinds, answers, strict=True))


def _in_common(
    before: dict[str, dict[int, Column]], after: dict[str, dict[int, Column]]
) -> tuple[list[int], float]:
    """Return the seasons of both tables, and the share of rows after in others."""
    old, new = (next(iter(each.values())) for each in (before, after))
    common = sorted({*old} & {*new})
    if not common:
        raise InputError(
            "The tables have no season in common, so that there is no like to compare with. Take a "
            "longer table before, or compare without a time."
        )
    rows = sum(column.rows for column in new.values())
    return common, 1 - sum(new[season].rows for season in common) / rows


def _worst(seasons: list[dict[str, Any]]) -> dict[str, Any]:
    told = [each for each in seasons if not np.isnan(each["psi"])]
    if not told:
        return {"worst_season": "", "worst_psi": np.nan}
    worst = max(told, key=lambda each: each["psi"])
    return {"worst_season": worst["season"], "worst_psi": worst["psi"]}
