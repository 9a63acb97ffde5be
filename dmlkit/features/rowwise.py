"""Feature steps that look at one row at a time: plain columns, the calendar, ratios."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError, NotFittedError, nearest
from dmlkit.features.step import check_columns, check_keys

__all__ = ["CALENDAR_PARTS", "Calendar", "Columns", "Ratio", "ZScore"]


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
            levels[name] = frame[name].astype(pd.CategoricalDtype(learned[name]))
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


#: Each takes a datetime Series and returns small integers; missing times become -1.
CALENDAR_PARTS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "hour": lambda time: time.dt.hour,
    "weekday": lambda time: time.dt.day_of_week,
    "weekend": lambda time: time.dt.day_of_week >= 5,
    "night": lambda time: time.dt.hour <= 6,
    "day_of_month": lambda time: time.dt.day,
    "day_of_year": lambda time: time.dt.day_of_year,
    "month": lambda time: time.dt.month,
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
        0 to 6), ``day_of_month``, ``day_of_year``, ``month``.
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
        if not pd.api.types.is_datetime64_any_dtype(meta[self.time].dtype):
            raise InputError(
                f"Column {self.time!r} is {meta[self.time].dtype}, but Calendar needs a datetime."
            )

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG002
        """Return the rows with the parts."""
        time = frame[self.time]
        if self.timezone is not None:
            zoned = time if time.dt.tz is not None else time.dt.tz_localize("UTC")
            time = zoned.dt.tz_convert(self.timezone)
        parts = {
            f"{self.time}_{part}": CALENDAR_PARTS[part](time)
            .where(time.notna(), -1)
            .astype("int16")
            for part in self.parts
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


@dataclass(frozen=True)
class Ratio:
    """One column over another; missing where the divisor is zero or missing.

    Parameters
    ----------
    numerator, denominator : str
        Columns of the table, or features of earlier steps.
    name : str, optional
        ``{numerator}_over_{denominator}`` without.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"amount": [30.0, 1.0], "usual": [10.0, 0.0]})
    >>> Ratio("amount", "usual").apply(table, {})["amount_over_usual"].tolist()
    [3.0, nan]
    """

    kind: ClassVar[str] = "ratio"

    numerator: str
    denominator: str
    name: str | None = None

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return [self.numerator, self.denominator]

    def get_feature_names_out(self) -> list[str]:
        """Return the name of the feature."""
        return [self.name or f"{self.numerator}_over_{self.denominator}"]

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a column is missing or no number."""
        _check_numbers(meta, self.required_columns)

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG002
        """Return the rows with the ratio."""
        ratio = _divide(_numbers(frame, self.numerator), _numbers(frame, self.denominator))
        return frame.assign(**{self.get_feature_names_out()[0]: ratio})

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        return f"{self.numerator} over {self.denominator}"

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document = {
            "kind": self.kind,
            "numerator": self.numerator,
            "denominator": self.denominator,
        }
        return document | ({"name": self.name} if self.name else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Ratio":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))


@dataclass(frozen=True)
class ZScore:
    """How far a value lies from a mean, in standard deviations; missing where these are zero.

    Parameters
    ----------
    value, mean, std : str
        Columns of the table, or features of earlier steps.
    name : str, optional
        ``{value}_zscore_{mean}`` without.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"amount": [30.0], "mean": [10.0], "std": [8.0]})
    >>> ZScore("amount", "mean", "std", name="z").apply(table, {})["z"].tolist()
    [2.5]
    """

    kind: ClassVar[str] = "zscore"

    value: str
    mean: str
    std: str
    name: str | None = None

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        return [self.value, self.mean, self.std]

    def get_feature_names_out(self) -> list[str]:
        """Return the name of the feature."""
        return [self.name or f"{self.value}_zscore_{self.mean}"]

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a column is missing or no number."""
        _check_numbers(meta, self.required_columns)

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:  # noqa: ARG002
        """Return the rows with the score."""
        distance = _numbers(frame, self.value) - _numbers(frame, self.mean)
        score = _divide(distance, _numbers(frame, self.std))
        return frame.assign(**{self.get_feature_names_out()[0]: score})

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        return f"{self.value} against {self.mean} in units of {self.std}"

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        document = {"kind": self.kind, "value": self.value, "mean": self.mean, "std": self.std}
        return document | ({"name": self.name} if self.name else {})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "ZScore":
        """Make it from what `to_dict` returned, or from a table of a TOML file."""
        return cls(**check_keys(cls, document))


def _check_numbers(meta: pd.DataFrame, columns: Sequence[str]) -> None:
    check_columns(meta, columns)
    for name in columns:
        if not pd.api.types.is_numeric_dtype(meta[name].dtype):
            raise InputError(f"Column {name!r} is {meta[name].dtype}, but a number is needed.")


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].to_numpy(dtype="float64", na_value=np.nan)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
