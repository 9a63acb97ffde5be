"""A table as it is given to an estimator: its kinds and types are checked before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting.roles import BOUNDS, LABEL, MARGIN, QUERY, WEIGHT
from dmlkit.errors import InputError
from dmlkit.features.hashing import hash_values

__all__ = ["GivenTable", "check_features", "check_kinds"]

#: What XGBoost has in no name.
REFUSED = "[]<"

WORDS = {
    LABEL: "labels",
    WEIGHT: "weights",
    QUERY: "query ids",
    MARGIN: "base margins",
    BOUNDS: "bounds",
}


@dataclass(frozen=True)
class GivenTable:
    """Features, and what stands beside them.

    Attributes
    ----------
    name : str
        For messages.
    features : (n, features) dask or pandas DataFrame
    beside : mapping of str to Series or DataFrame
        By role (`dmlkit.boosting.roles`); what is None is left out.
    """

    name: str
    features: Any
    beside: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        there = {role: given for role, given in self.beside.items() if given is not None}
        object.__setattr__(self, "beside", there)

    def is_same_as(self, other: "GivenTable") -> bool:
        """Tell whether both are the same objects, so that one of them need not be loaded."""
        return (
            self.features is other.features
            and self.beside.keys() == other.beside.keys()
            and all(given is other.beside[role] for role, given in self.beside.items())
        )

    def need(self, role: str, parameter: str) -> None:
        """Raise unless something was given for a role."""
        if role not in self.beside:
            raise InputError(f"The {self.name} table has no {WORDS[role]}: give {parameter}.")

    def lazy_frame(self) -> Any:
        """Return one Dask frame: float32, boolean and categorical features, then the roles.

        Raises
        ------
        InputError
            No frames, partitions that do not match, a column that is text.
        """
        check_features(self.features, self.name)
        for role, given in self.beside.items():
            _check_beside(role, given, self.name)
        _check_types(self.features, self.name)
        lazy = [_lazy(given) for given in (self.features, *self.beside.values())]
        self._check_partitions([given.npartitions for given in lazy])
        roles = tuple(self.beside)
        meta = _side_by_side(*(given._meta for given in lazy), roles=roles)
        return dd.map_partitions(
            _side_by_side, *lazy, roles=roles, align_dataframes=False, meta=meta
        )

    def _check_partitions(self, partitions: list[int]) -> None:
        words = ["features", *(WORDS[role] for role in self.beside)]
        if len(set(partitions)) > 1:
            found = dict(zip(words, partitions, strict=True))
            raise InputError(
                f"The {self.name} table has {found} partitions: features and labels do not belong "
                "to the same rows. Take them from one frame."
            )


def check_features(X: Any, name: str) -> None:
    """Raise unless `X` is a frame whose columns have names of their own."""
    _check_kind("features", X, "DataFrame", name)
    if not len(X.columns):
        raise InputError(f"The {name} table has no columns.")
    for column in X.columns:
        if not isinstance(column, str):
            raise InputError(
                f"A column of the {name} table is called {column!r}, which is no text; a "
                "model keeps names as text. Use frame.rename(columns=str)."
            )
        if any(letter in column for letter in REFUSED):
            raise InputError(
                f"A column of the {name} table is called {column!r}; XGBoost takes no names with "
                f"{', '.join(REFUSED[:-1])} or {REFUSED[-1]}. Rename it, "
                f"as in frame.rename(columns={{{column!r}: ...}})."
            )
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise InputError(f"The {name} table has two columns {twice!r}. Rename or drop one.")


def check_kinds(X: Any, kinds: Mapping[str, str], name: str) -> None:
    """Raise where a column is not of the kind that a model was trained on.

    Parameters
    ----------
    X : dask or pandas DataFrame
    kinds : mapping of str to str
        XGBoost's types of the columns: ``"c"`` is a category, all others are numbers.
    name : str
        Of the table, for messages.
    """
    for column, kind in kinds.items():
        dtype = X[column].dtype
        is_category = isinstance(dtype, pd.CategoricalDtype)
        if kind == "c" and not is_category:
            raise InputError(
                f"Column {column!r} of the {name} table is {dtype}, but the model was trained on "
                "categories. Use astype('category'), with the values that it was trained on."
            )
        if kind != "c" and (is_category or not pd.api.types.is_numeric_dtype(dtype)):
            raise InputError(
                f"Column {column!r} of the {name} table is {dtype}, but the model was trained on "
                "numbers."
            )


def _check_beside(role: str, given: Any, name: str) -> None:
    if role == MARGIN and isinstance(given, dd.DataFrame | pd.DataFrame):
        return
    _check_kind(WORDS[role], given, "DataFrame" if role == BOUNDS else "Series", name)


def _check_kind(what: str, given: Any, kind: str, name: str) -> None:
    if not isinstance(given, getattr(dd, kind) | getattr(pd, kind)):
        raise InputError(
            f"The {what} of the {name} table are {type(given).__name__}, but a Dask or pandas "
            f"{kind} is needed. dask.dataframe.from_dask_array makes one of an array."
        )


def _lazy(given: Any) -> Any:
    if isinstance(given, pd.DataFrame | pd.Series):
        return dd.from_pandas(given.reset_index(drop=True), npartitions=1)
    return given


def _check_types(X: Any, name: str) -> None:
    meta = X._meta if hasattr(X, "_meta") else X
    for column, dtype in meta.dtypes.items():
        if isinstance(dtype, pd.CategoricalDtype):
            if isinstance(X, dd.DataFrame) and not X[column].cat.known:
                raise InputError(
                    f"The categories of {column!r} in the {name} table are not known yet, and "
                    "partitions may have different ones. Use features.Columns(categorical=...), "
                    "or give it a pandas.CategoricalDtype."
                )
        elif not pd.api.types.is_numeric_dtype(dtype):
            raise InputError(
                f"Column {column!r} of the {name} table is {dtype}; a model takes numbers and "
                "categories. Convert it, or leave it out."
            )


def _side_by_side(X: pd.DataFrame, *beside: Any, roles: tuple[str, ...]) -> pd.DataFrame:
    """Put the columns of a partition together; numbers become float32, as XGBoost holds them."""
    columns: dict[str, Any] = {str(name): _narrow(X[name]) for name in X.columns}
    for role, given in zip(roles, beside, strict=True):
        if len(given) != len(X):
            raise InputError(
                f"A partition has {len(X):,} rows of features but {len(given):,} {WORDS[role]}. "
                "Take both from one frame."
            )
        if isinstance(given, pd.DataFrame):
            for number, name in enumerate(given.columns):
                columns[f"{role}{number}"] = _numbers(given[name])
        elif role == MARGIN:
            columns[f"{role}0"] = _numbers(given)
        else:
            columns[role] = _query(given) if role == QUERY else _numbers(given)
    return pd.DataFrame(columns, copy=False)


def _narrow(values: pd.Series) -> Any:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.array
    with np.errstate(over="ignore"):  # what overflows is infinite, and told as such
        return values.to_numpy(dtype=np.float32, na_value=np.nan)


def _numbers(values: pd.Series) -> Any:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise InputError(
            f"Column {values.name!r} is {values.dtype}, but labels, bounds, weights and base "
            "margins are numbers. Number classes first, as in (labels == 'yes').astype(int)."
        )
    return values.to_numpy(dtype=np.float32, na_value=np.nan)


def _query(values: pd.Series) -> Any:
    """Return ids of any type as numbers: a row belongs to a query, and that is all that counts."""
    if missing := int(values.isna().sum()):
        raise InputError(
            f"{missing:,} of {len(values):,} rows of a partition have no query id "
            f"({values.name!r}). Drop these rows."
        )
    return hash_values(values)
