"""What feature steps share: checks of columns and of declarations. The steps are elsewhere."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import pandas as pd

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, nearest

__all__ = ["Step", "check_columns", "check_keys", "check_new", "check_time"]


class Step(Protocol):
    """What a `FeatureSet` asks of a step that works row by row."""

    @property
    def required_columns(self) -> list[str]:
        """The columns that are read."""
        ...

    def get_feature_names_out(self) -> list[str]:
        """Return the names of the features."""
        ...

    def check(self, meta: pd.DataFrame) -> None:
        """Raise when a frame like `meta` lacks what is needed."""
        ...

    def apply(self, frame: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:
        """Return the rows with the features."""
        ...

    def explain(self) -> str:
        """Tell in a sentence what it does."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the declaration as JSON-able values."""
        ...


def check_columns(frame: Any, columns: Iterable[str]) -> None:
    """Raise where one of `columns` is not in `frame`, or there twice."""
    for column in columns:
        if column not in frame.columns:
            raise MissingColumnError.of("frame", column, frame.columns)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"The table has two columns {twice!r}. Rename or drop one.")


def check_new(frame: Any, features: Iterable[str]) -> None:
    """Raise an InputError when a feature has the name of a column of `frame`."""
    for feature in features:
        if feature in frame.columns:
            raise InputError(
                f"The table has a column {feature!r} already, which is the name of a feature. "
                "Rename or drop it."
            )


def check_time(frame: Any, column: str, step: str) -> None:
    """Raise an InputError when a step's time is no datetime."""
    dtype = frame[column].dtype
    if not pd.api.types.is_datetime64_any_dtype(dtype):
        raise InputError(
            f"Column {column!r} is {dtype}, but {step} needs a datetime. Declare it as "
            "'datetime' in the schema, or convert it first."
        )


def check_keys(step: type, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declaration without its kind, when its keys are those of the step.

    Raises
    ------
    ConfigurationError
        A key is unknown (the nearest is named), or one that is needed is missing.
    """
    fields = {field.name: field for field in dataclasses.fields(step) if field.init}
    given = {key: value for key, value in document.items() if key != "kind"}
    for key in given:
        if key not in fields:
            guess = nearest(key, fields)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(
                f"A feature step of the kind {document.get('kind')!r} has no {key!r}{hint}. "
                f"Known: {', '.join(fields)}."
            )
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in given and not optional:
            raise ConfigurationError(
                f"A feature step of the kind {document.get('kind')!r} needs {name!r}."
            )
    return given
