"""`Holidays`: how near a row's day is to a country's public holidays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, nearest
from dmlkit.features.clock import check_timezone, local_days
from dmlkit.features.step import check_columns, check_keys, check_time

__all__ = ["HOLIDAY_PARTS", "Holidays"]

HOLIDAY_PARTS = ("holiday", "days_to_holiday", "days_since_holiday")

#: Farther than any holiday, in days.
NEVER = 1 << 40


@dataclass(frozen=True)
class Holidays:
    """How near a row's day is to public holidays: ``{time}_{part}_{country}``.

    The holidays are those of the package `holidays`, which ``pip install dmlkit[holidays]``
    brings, with the days off that stand in for holidays at weekends.

    Parameters
    ----------
    time : str
        A datetime column.
    country : str
        As ISO 3166 has it, such as ``"BE"``.
    subdivision : str, optional
        A state or province, such as ``"BY"`` of ``"DE"``; without it, what the whole country has.
    parts : sequence of str
        ``holiday`` (is the day one), ``days_to_holiday``, ``days_since_holiday`` (0 on the day
        itself): small whole numbers, and -1 where the time is missing or so far away that the
        holidays of its year are not known.
    timezone : str, optional
        Where the clock hangs, such as ``"Europe/Brussels"``; a time without a zone is UTC then.
    most_days : int
        What is farther away than this many days counts as this far.

    Notes
    -----
    Days to the next holiday take for granted that it was known by then. A day of mourning that
    was declared a week before is none that a model should have foreseen; a small `most_days`
    keeps such days from showing long before.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"time": pd.to_datetime(["2025-12-24 18:00", "2025-12-25 09:00"])})
    >>> Holidays("time", "BE").apply(table, {}).iloc[:, 1:]
       time_holiday_BE  time_days_to_holiday_BE  time_days_since_holiday_BE
    0                0                        1                          43
    1                1                        0                           0
    """

    kind: ClassVar[str] = "holidays"

    time: str
    country: str
    subdivision: str | None = None
    parts: Sequence[str] = HOLIDAY_PARTS
    timezone: str | None = None
    most_days: int = 365

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        for part in self.parts:
            if part not in HOLIDAY_PARTS:
                guess = nearest(part, HOLIDAY_PARTS)
                hint = f" (nearest: {guess!r})" if guess else ""
                raise ConfigurationError(
                    f"Unknown part {part!r} of Holidays{hint}. Known: {', '.join(HOLIDAY_PARTS)}."
                )
        if not 1 <= self.most_days <= np.iinfo(np.int16).max:
            raise ConfigurationError(
                f"most_days of Holidays is {self.most_days!r}: write a whole number from 1 to "
                f"{np.iinfo(np.int16).max}."
            )
        check_timezone(self.timezone)
        _check_place(self.country, self.subdivision)

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return [self.time]

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the features."""
        place = "_".join([self.country, *(self.subdivision or "").split()])
        return [f"{self.time}_{part}_{place}" for part in self.parts]

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when the column is missing or no datetime."""
        check_columns(meta, [self.time])
        check_time(meta, self.time, "Holidays")

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG002
        """Return the rows with the parts."""
        # A table has few days: each is looked up once.
        places, days = pd.factorize(local_days(frame[self.time], self.timezone).astype("int64"))
        found = self._of_days(days)
        features = {
            name: found[part][places]
            for name, part in zip(self.get_feature_names_out(), self.parts, strict=True)
        }
        return frame.assign(**features)

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        where = f"{self.subdivision}, {self.country}" if self.subdivision else self.country
        return f"public holidays of {where} by {self.time!r}: {', '.join(self.parts)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "time": self.time,
            "country": self.country,
            "parts": list(self.parts),
            "most_days": self.most_days,
        }
        optional = {"subdivision": self.subdivision, "timezone": self.timezone}
        return document | {key: value for key, value in optional.items() if value is not None}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Holidays":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))

    def _of_days(self, days: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parts of days, counted from 1970."""
        years = days.astype("datetime64[D]").astype("datetime64[Y]").astype("int64") + 1970
        first, last = _known_years(self.country, self.subdivision)
        known = (years >= first) & (years <= last)  # which those of missing times are not
        reach = 1 + (self.most_days - 1) // 365
        needed = {
            year
            for near in np.unique(years[known]).tolist()
            for year in range(max(near - reach, first), min(near + reach, last) + 1)
        }
        of_years = [_days_of(self.country, self.subdivision, year) for year in sorted(needed)]
        holidays = np.concatenate([[-NEVER], *of_years, [NEVER]])
        ahead = holidays[np.searchsorted(holidays, days[known])] - days[known]
        ago = days[known] - holidays[np.searchsorted(holidays, days[known], side="right") - 1]
        found = {"holiday": ahead == 0, "days_to_holiday": ahead, "days_since_holiday": ago}
        parts = {}
        for part, values in found.items():
            parts[part] = np.full(len(days), -1, dtype=np.int16)
            parts[part][known] = np.minimum(values, self.most_days)
        return parts


def _package() -> Any:
    try:
        import holidays
    except ImportError:
        raise ConfigurationError(
            "Holidays needs the package 'holidays', which is not installed here. "
            "Install it on the client and on all workers: pip install dmlkit[holidays]."
        ) from None
    return holidays


def _check_place(country: str, subdivision: str | None) -> None:
    """Raise a ConfigurationError that names the nearest when there is no such place."""
    package = _package()
    codes = package.list_supported_countries()
    if country not in codes:
        names = {name: code for name, code, *_ in package.registry.COUNTRIES.values()}
        guess = nearest(str(country), [*codes, *names])
        hint = f" (nearest: {names.get(guess, guess)!r})" if guess else ""
        raise ConfigurationError(
            f"No holidays are known of the country {country!r}{hint}. Write its ISO 3166 code, "
            "such as 'BE'."
        )
    if subdivision is None:
        return
    aliases = package.country_holidays(country).get_subdivision_aliases()
    known = [name for code, others in aliases.items() for name in (code, *others)]
    if subdivision not in known:
        guess = nearest(str(subdivision), known)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"No holidays are known of {subdivision!r} of {country}{hint}. Known: "
            f"{', '.join(aliases) or 'no subdivisions'}."
        )


@lru_cache(maxsize=1000)
def _known_years(country: str, subdivision: str | None) -> tuple[int, int]:
    """Return the first and the last year whose holidays are known."""
    calendar = _package().country_holidays(country, subdiv=subdivision)
    return calendar.start_year, calendar.end_year


@lru_cache(maxsize=10_000)
def _days_of(country: str, subdivision: str | None, year: int) -> np.ndarray:
    """Return the holidays of a year, sorted, as days since 1970."""
    # A holiday at the turn of the year may be made up for in the other year.
    years = [year - 1, year, year + 1]
    found = _package().country_holidays(country, subdiv=subdivision, years=years)
    days = sorted(day for day in found if day.year == year)
    return np.array(days, dtype="datetime64[D]").astype("int64")
