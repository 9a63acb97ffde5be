"""Feature steps that look at one row at a time: plain columns and the calendar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from dmlkit.errors import ConfigurationError, InputError, NotFittedError, nearest
from dmlkit.features.clock import check_timezone, local_time
from dmlkit.features.step import check_columns, check_keys, check_time

__all__ = ["CALENDAR_PARTS", "Calendar", "Columns"]


@dataclass(frozen=True)
class Columns:
    """Columns of the table as they are.

    Parameters
    ----------
    names : sequence of str
        Numbers, booleans, or (named in `categorical` too) text.
    categorical : sequence of str
        Those of `names` whose levels are learned by `fit`; a level that was not seen then is
        missing afterwards.

    Examples
    --------
    >>> Columns(["amount", "country"], categorical=["country"]).get_feature_names_out()
    ['amount', 'country']
    """

    kind: ClassVar[str] = "columns"

    names: Sequence[str]
    categorical: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.categorical:
            if name not in self.names:
                raise ConfigurationError(
                    f"{name!r} is categorical but not among the columns {', '.join(self.names)}."
                )

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return list(self.names)

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the features."""
        return list(self.names)

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a column is missing, or neither a number nor declared as categorical."""
        check_columns(meta, self.names)
        for name in self.names:
            dtype = meta[name].dtype
            if pd.api.types.is_datetime64_any_dtype(dtype):
                raise InputError(
                    f"Column {name!r} is {dtype}; a model takes numbers. Make some of it with "
                    "Calendar, or leave it out of the features."
                )
            if name not in self.categorical and not pd.api.types.is_numeric_dtype(dtype):
                raise InputError(
                    f"Column {name!r} is {dtype}; a model takes numbers. Name it in "
                    "'categorical' too, or leave it out of the features."
                )

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:
        """Give categorical columns the levels that were learned."""
        levels = {}
        for name in self.categorical:
            if name not in learned:
                raise NotFittedError(f"The levels of {name!r} are not known yet: call fit first.")
            levels[name] = _with_levels(frame[name], learned[name])
        return frame.assign(**levels)

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        return f"as they are: {', '.join(self.names)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document: dict[str, Any] = {"kind": self.kind, "names": list(self.names)}
        return document | ({"categorical": list(self.categorical)} if self.categorical else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Columns":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))


def _with_levels(column: pd.Series, levels: Sequence[Any]) -> Any:
    """Return a column as a categorical of these levels; any other value is missing."""
    dtype = pd.CategoricalDtype(list(levels))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.set_categories(dtype.categories)
    return pd.Categorical.from_codes(dtype.categories.get_indexer(pd.Index(column)), dtype=dtype)


#: Each takes the `dt` of a datetime Series and returns numbers.
CALENDAR_PARTS: dict[str, Callable[[Any], pd.Series]] = {
    "hour": lambda clock: clock.hour,
    "weekday": lambda clock: clock.day_of_week,
    "weekend": lambda clock: (clock.day_of_week >= 5).astype("int16"),
    "night": lambda clock: (clock.hour <= 6).astype("int16"),
    "day_of_month": lambda clock: clock.day,
    "day_of_year": lambda clock: clock.day_of_year,
    "month": lambda clock: clock.month,
}


@dataclass(frozen=True)
class Calendar:
    """Parts of a row's time: ``{time}_{part}``.

    Parameters
    ----------
    time : str
        A datetime column.
    parts : sequence of str
        ``hour``, ``weekday`` (Monday is 0), ``weekend`` (Saturday, Sunday), ``night`` (the hours
        0 to 6), ``day_of_month``, ``day_of_year``, ``month``: small whole numbers,
        and -1 where the time is missing.
    timezone : str, optional
        Where the clock hangs, such as ``"Europe/Brussels"``; a time without a zone is UTC then.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"time": pd.to_datetime(["2018-07-28 06:59"])})
    >>> Calendar("time", ["weekend", "night"]).apply(table, {}).iloc[0, 1:].to_dict()
    {'time_weekend': 1, 'time_night': 1}
    """

    kind: ClassVar[str] = "calendar"

    time: str
    parts: Sequence[str]
    timezone: str | None = None

    def __post_init__(self) -> None:
        for part in self.parts:
            if part not in CALENDAR_PARTS:
                guess = nearest(part, CALENDAR_PARTS)
                hint = f" (nearest: {guess!r})" if guess else ""
                raise ConfigurationError(
                    f"Unknown calendar part {part!r}{hint}. Known: {', '.join(CALENDAR_PARTS)}."
                )
        check_timezone(self.timezone)

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return [self.time]

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the features."""
        return [f"{self.time}_{part}" for part in self.parts]

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when the column is missing or no datetime."""
        check_columns(meta, [self.time])
        check_time(meta, self.time, "Calendar")

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG002
        """Return the rows with the parts."""
        time = local_time(frame[self.time], self.timezone)
        there = time.notna()
        parts = {
            name: CALENDAR_PARTS[part](time.dt).where(there, -1).astype("int16")
            for name, part in zip(self.get_feature_names_out(), self.parts, strict=True)
        }
        return frame.assign(**parts)

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        return f"calendar of {self.time!r}: {', '.join(self.parts)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document: dict[str, Any] = {"kind": self.kind, "time": self.time, "parts": list(self.parts)}
        return document | ({"timezone": self.timezone} if self.timezone else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Calendar":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))
