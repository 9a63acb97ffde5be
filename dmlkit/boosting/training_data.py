"""Features, labels and weights of one table, held by the workers and checked before training."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
from distributed import Client

from dmlkit.boosting.attempts import evict_silent
from dmlkit.boosting.plan import LABEL, WEIGHT
from dmlkit.errors import InputError

__all__ = ["Summary", "TrainingData", "check_features", "gather"]

#: Seconds between two looks for frozen workers.
LOOK = 2.0


@dataclass(frozen=True)
class Summary:
    """What the rows of a partition, or of several, hold.

    Attributes
    ----------
    rows : int
    labels : dict of float to int
        Rows by label.
    problems : dict of str to (int, str)
        Rows that cannot be trained on and an example, by what is wrong with them.
    """

    rows: int
    labels: dict[float, int]
    problems: dict[str, tuple[int, str]]

    def __add__(self, other: "Summary") -> "Summary":
        labels = {
            label: self.labels.get(label, 0) + other.labels.get(label, 0)
            for label in self.labels | other.labels
        }
        problems = dict(self.problems)
        for problem, (rows, example) in other.problems.items():
            before, first = problems.get(problem, (0, example))
            problems[problem] = (before + rows, first)
        return Summary(self.rows + other.rows, labels, problems)


@dataclass(frozen=True)
class TrainingData:
    """A table in the workers' memory.

    Attributes
    ----------
    parts : list of Future
        pandas DataFrames with float32, categorical or boolean features, `LABEL`, perhaps `WEIGHT`.
    lengths : list of int
        The rows of each.
    features : list of str
    summary : Summary
        Of all rows.
    """

    parts: list[Any]
    lengths: list[int]
    features: list[str]
    summary: Summary


def gather(
    X: Any, y: Any, weight: Any, client: Client, *, name: str, worker_timeout: float = 15.0
) -> TrainingData:
    """Bring a table into the workers' memory, and check each row.

    Parameters
    ----------
    X : (n, features) dask or pandas DataFrame
        Numbers, booleans and categories.
    y : (n,) Series like X
    weight : (n,) Series like X, or None
    client : distributed.Client
    name : str
        Of the table, for messages.
    worker_timeout : float
        A worker that is silent for twice as many seconds is taken for frozen; what it held or did
        is computed elsewhere.

    Raises
    ------
    InputError
        Partitions do not match, a column is text, or rows have labels, weights or features that
        cannot be trained on.
    """
    frame = client.persist(_together(X, y, weight, name))
    features = list(X.columns)
    parts = distributed.futures_of(frame)
    look = partial(_summary, features=features)
    looks = client.map(look, parts, pure=False)
    _wait(looks, client, 2 * worker_timeout)
    summaries: list[Summary] = client.gather(looks)
    summary = sum(summaries, Summary(0, {}, {}))
    _raise_problems(summary, name)
    return TrainingData(parts, [part.rows for part in summaries], features, summary)


def _wait(futures: Sequence[Any], client: Client, silence: float) -> None:
    """Wait for futures; Dask alone would wait minutes for a worker that is frozen."""
    while any(future.status == "pending" for future in futures):
        with contextlib.suppress(TimeoutError):
            distributed.wait(futures, timeout=LOOK)
        evict_silent(client, silence)


def _together(X: Any, y: Any, weight: Any, name: str) -> Any:
    columns = {"features": X, "labels": y} | ({} if weight is None else {"weights": weight})
    check_features(X, name)
    for what, given in columns.items():
        _check_kind(what, given, name)
    _check_types(X, name)
    lazy = {what: _lazy(given) for what, given in columns.items()}
    partitions = {what: given.npartitions for what, given in lazy.items()}
    if len(set(partitions.values())) > 1:
        raise InputError(
            f"The {name} table has {partitions} partitions: features and labels do not belong to "
            "the same rows. Take them from one frame."
        )
    meta = _side_by_side(*(given._meta for given in lazy.values()))
    return dd.map_partitions(_side_by_side, *lazy.values(), align_dataframes=False, meta=meta)


def check_features(X: Any, name: str) -> None:
    """Raise unless `X` is a frame whose columns have names of their own."""
    _check_kind("features", X, name)
    for column in X.columns:
        if not isinstance(column, str):
            raise InputError(
                f"A column of the {name} table is called {column!r}, which is no text; a "
                "model keeps names as text. Use frame.rename(columns=str)."
            )
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise InputError(f"The {name} table has two columns {twice!r}. Rename or drop one.")


def _check_kind(what: str, given: Any, name: str) -> None:
    kind = "DataFrame" if what == "features" else "Series"
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


def _side_by_side(X: pd.DataFrame, y: pd.Series, weight: pd.Series | None = None) -> pd.DataFrame:
    """Put the columns of a partition together; numbers become float32, as XGBoost holds them."""
    if len(X) != len(y) or (weight is not None and len(weight) != len(X)):
        raise InputError(
            f"A partition has {len(X):,} rows of features but {len(y):,} labels. "
            "Take both from one frame."
        )
    columns: dict[str, Any] = {str(name): _narrow(X[name]) for name in X.columns}
    columns[LABEL] = _numbers(y)
    if weight is not None:
        columns[WEIGHT] = _numbers(weight)
    return pd.DataFrame(columns, copy=False)


def _narrow(values: pd.Series) -> Any:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.array
    with np.errstate(over="ignore"):  # what overflows is infinite, and told as such
        return values.to_numpy(dtype=np.float32, na_value=np.nan)


def _numbers(values: pd.Series) -> Any:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise InputError(
            f"Column {values.name!r} is {values.dtype}, but labels and weights are numbers."
        )
    return values.to_numpy(dtype=np.float32, na_value=np.nan)


def _summary(part: pd.DataFrame, features: Sequence[str]) -> Summary:
    label = part[LABEL].to_numpy()
    found: dict[str, tuple[int, str]] = {}

    def note(problem: str, bad: Any, example: Callable[[int], Any]) -> None:
        if bad.any():
            found[problem] = (int(bad.sum()), str(example(int(np.argmax(bad)))))

    note("have no label", np.isnan(label), label.__getitem__)
    if WEIGHT in part.columns:
        weight = part[WEIGHT].to_numpy()
        wrong = ~(np.isfinite(weight) & (weight >= 0))
        note("have a weight that is missing, infinite or negative", wrong, weight.__getitem__)
    for name in features:
        if not isinstance(part[name].dtype, pd.CategoricalDtype):
            values = part[name].to_numpy()
            note(f"have an infinite {name!r} (as float32)", np.isinf(values), values.__getitem__)
    labels, counts = np.unique(label[~np.isnan(label)], return_counts=True)
    return Summary(len(part), dict(zip(labels.tolist(), counts.tolist(), strict=True)), found)


def _raise_problems(summary: Summary, name: str) -> None:
    for problem, (rows, example) in summary.problems.items():
        raise InputError(
            f"{rows:,} of {summary.rows:,} rows of the {name} table {problem}, such as {example}. "
            "Check the table with a schema, or drop these rows."
        )
    if summary.rows == 0:
        raise InputError(f"The {name} table has no rows. Look at the filters before it.")
