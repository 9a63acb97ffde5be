"""The rows of folds, told by their places in each partition, for whatever lies beside them."""

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import for_each, partitions_of
from dmlkit.model_selection.folds import KFold, StratifiedKFold
from dmlkit.model_selection.grouped import GroupKFold
from dmlkit.model_selection.stratified_groups import StratifiedGroupKFold

__all__ = ["check_cv", "check_cv_of_queries", "places_of_folds", "taken"]

#: The column of a row's place in its partition.
PLACE = "__place"

#: What a splitter may ask for beside the rows, and the argument that has it.
ASKED = {"label": "y", "group": "groups", "time": "time"}


def check_cv(cv: Any = 5, y: Any = None, *, classifier: bool = False) -> Any:  # noqa: ARG001
    """Return the folds that are meant.

    Parameters
    ----------
    cv : int, splitter or None
        A number of folds (None: 5) keeps the shares of classes where `classifier` says so; a
        splitter of this module comes back as it is.
    y : Series, optional
        Not looked at: what a label is depends on the model, and not on its values.
    classifier : bool

    Raises
    ------
    ConfigurationError
        It is neither.

    Examples
    --------
    >>> check_cv(3, classifier=True), check_cv()
    (StratifiedKFold(n_splits=3, seed=0), KFold(n_splits=5, seed=0))
    """
    if cv is None:
        cv = 5
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        return StratifiedKFold(int(cv)) if classifier else KFold(int(cv))
    if _asked(cv) is None:
        kind = type(cv)
        raise ConfigurationError(
            f"cv is {kind.__module__.split('.')[0]}'s {kind.__name__}; it must be a number of "
            "folds, or one of dmlkit.model_selection's KFold, StratifiedKFold, GroupKFold, "
            "StratifiedGroupKFold and TimeSeriesSplit, which split frames."
        )
    return cv


def check_cv_of_queries(cv: Any = 5) -> Any:
    """Return folds that keep queries whole.

    Parameters
    ----------
    cv : int, splitter or None
        A number of folds (None: 5), or a splitter whose groups are the queries.

    Raises
    ------
    ConfigurationError
        The splitter would cut queries.

    Examples
    --------
    >>> check_cv_of_queries(3)
    GroupKFold(n_splits=3, seed=0)
    """
    if isinstance(cv, (GroupKFold, StratifiedGroupKFold)):
        return cv
    if isinstance(check_cv(cv), KFold) and not isinstance(cv, KFold):
        return GroupKFold(5 if cv is None else int(cv))
    raise ConfigurationError(
        f"cv is {cv!r}, which would cut queries. A ranker takes a number of folds, or a GroupKFold "
        "or StratifiedGroupKFold of dmlkit.model_selection, whose groups are its queries."
    )


def places_of_folds(
    cv: Any, y: Any, *, groups: Any = None, time: Any = None
) -> Iterator[tuple[Any, Any]]:
    """Yield for each fold the rows to train on and to test on, as their places in the partitions.

    Parameters
    ----------
    cv : splitter
        As `check_cv` returns it.
    y, groups, time : dask or pandas Series
        Of the same rows; those that the splitter does not ask for must be left out, but `y`.

    Returns
    -------
    iterator of (Series, Series)
        Lazy where `y` is, with a partition for each of `y`'s.

    Raises
    ------
    ConfigurationError
        The splitter asks for what was not given, or what was given is not asked for.
    InputError
        The series are not partitioned alike, or a fold has no group to be tested on.
    """
    given = {"label": y, "group": groups, "time": time}
    asked = _asked(cv) or []
    _check_given(cv, asked, given)
    beside = {name: given[name] for name in asked}
    for name, series in {"label": y, **beside}.items():
        _check_series(ASKED[name], series, y)
    names = _names(beside)
    if isinstance(y, pd.Series):
        thin = _thin(y, *beside.values(), names=names)
    else:
        meta = _thin(y._meta, *(each._meta for each in beside.values()), names=names)
        columns = [partitions_of(each) for each in (y, *beside.values())]
        parts = for_each(partial(_thin, names=names), *columns)
        thin = dd.from_delayed(parts, meta=meta, verify_meta=False, prefix="asked-of-folds")
    folds = [(train[PLACE], test[PLACE]) for train, test in cv.split(thin, *names)]
    if "group" in asked:
        _check_groups(cv, [test for _, test in folds])
    yield from folds


def _check_groups(cv: Any, tested: list[Any]) -> None:
    """Raise where a fold has no group: which one a group is in is drawn, and there may be few."""
    sizes = dask.compute([each.size for each in tested])[0]
    empty = sum(not size for size in sizes)
    if empty:
        raise InputError(
            f"{empty} of the {len(sizes)} folds of {cv!r} have no group to be tested on: there are "
            "too few groups. Lower n_splits, or try another seed."
        )


def taken(table: Any, places: Any) -> Any:
    """Return the rows of a table at some places of each partition, lazily where it is lazy.

    Examples
    --------
    >>> taken(pd.Series(["a", "b", "c"]), pd.Series([0, 2])).tolist()
    ['a', 'c']
    """
    if isinstance(table, (pd.DataFrame, pd.Series)):
        return _taken(table, places)
    parts = for_each(_taken, partitions_of(table), partitions_of(places))
    return dd.from_delayed(parts, meta=table._meta, verify_meta=False, prefix="rows-of-fold")


def _asked(cv: Any) -> list[str] | None:
    """Return what a splitter takes beside the rows, or None when it is none that splits frames."""
    split = getattr(cv, "split", None)
    if split is None or not hasattr(cv, "get_n_splits"):
        return None
    names = list(inspect.signature(split).parameters)[1:]
    return names if set(names) <= set(ASKED) else None


def _check_given(cv: Any, asked: list[str], given: dict[str, Any]) -> None:
    kind = type(cv).__name__
    for name, argument in ASKED.items():
        there = given[name] is not None
        if name in asked and not there:
            raise ConfigurationError(f"{kind} needs {argument}: a Series like y.")
        if name != "label" and there and name not in asked:
            better = "GroupKFold or StratifiedGroupKFold" if name == "group" else "TimeSeriesSplit"
            raise ConfigurationError(
                f"{argument} was given, but {kind} does not look at it. Set cv to a {better} of "
                "dmlkit.model_selection, or leave it out."
            )


def _check_series(argument: str, series: Any, y: Any) -> None:
    if not isinstance(series, (pd.Series, dd.Series)):
        raise InputError(
            f"{argument} is {type(series).__name__}, but a dask or pandas Series is needed, such "
            "as table['column']."
        )
    alike = type(series) is type(y) and (
        series.npartitions == y.npartitions if isinstance(y, dd.Series) else len(series) == len(y)
    )
    if not alike:
        raise InputError(f"{argument} does not have the rows of y. Take both from one frame.")


def _names(beside: dict[str, Any]) -> list[str]:
    """Return what columns are called in messages: as the series are, where that tells them."""
    names = [str(role if each.name is None else each.name) for role, each in beside.items()]
    return names if len({*names, PLACE}) > len(names) else list(beside)


def _thin(y: pd.Series, *beside: pd.Series, names: list[str]) -> pd.DataFrame:
    for name, series in zip(names, beside, strict=True):
        if len(series) != len(y):
            raise InputError(
                f"A partition has {len(y):,} labels, but {len(series):,} values of {name!r}. Take "
                "both from one frame."
            )
    columns = {name: each.array for name, each in zip(names, beside, strict=True)}
    return pd.DataFrame({**columns, PLACE: np.arange(len(y))}, copy=False)


def _taken(part: Any, places: pd.Series) -> Any:
    return part.iloc[places.to_numpy()]
