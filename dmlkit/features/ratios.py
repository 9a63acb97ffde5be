"""Feature steps that set one column of a row against another: ratios and distances from a mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.step import check_columns, check_keys

__all__ = ["Ratio", "ZScore"]


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
        with np.errstate(invalid="ignore", over="ignore"):
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
    with np.errstate(invalid="ignore", over="ignore"):
        np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
