"""`partial_dependence`: what a model predicts on average if a feature had the same value in all."""

from collections.abc import Mapping, Sequence
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import add_up, for_each
from dmlkit.inspection.examined import Predictor, examine, features_of, held, where_rows_are
from dmlkit.preprocessing.learning import Learning, learn
from dmlkit.preprocessing.quantiles import ask_quantiles

__all__ = ["partial_dependence"]


def partial_dependence(
    model: Any,
    X: Any,
    features: str | Sequence[str],
    *,
    grid_resolution: int = 20,
    percentiles: tuple[float, float] = (0.05, 0.95),
    max_rows: int | None = None,
    random_state: int = 0,
) -> dict[str, pd.DataFrame]:
    """Average predictions over the rows with a feature set to each value of a grid.

    All features and values take one pass over the rows, after two for the quantiles.

    Parameters
    ----------
    model : Any
        Fitted: of dmlkit or scikit-learn, with ``predict_proba`` or ``predict``.
    X : dask or pandas DataFrame
    features : str or sequence of str
        Numbers or categories.
    grid_resolution : int
        Values of a grid, at most: exact quantiles at equal steps. Of a category, all its values.
    percentiles : (float, float)
        The share of rows below the first and the last of them.
    max_rows : int, optional
        About so many rows are drawn; all without.
    random_state : int

    Returns
    -------
    dict of str to pandas.DataFrame
        For each feature a frame whose index is the grid, with the column ``average`` (of two
        classes: the probability of the second), or a column for each of several classes.

    Raises
    ------
    ConfigurationError, MissingColumnError
    InputError
        A feature is text or has no values.

    References
    ----------
    Friedman: *Greedy Function Approximation: A Gradient Boosting Machine*. Annals of Statistics
    29, 2001.

    Examples
    --------
    >>> from dmlkit.linear_model import LinearRegression
    >>> X = pd.DataFrame({"x": [0.0, 1.0, 2.0], "z": [5.0, 3.0, 4.0]})
    >>> model = LinearRegression().fit(X, 2 * X["x"] + X["z"])
    >>> partial_dependence(model, X, ["x"], grid_resolution=2, percentiles=(0, 1))["x"].round(6)
       average
    x
    0.0    4.0
    2.0    8.0
    """
    low, high = percentiles
    if not 0 <= low < high <= 1:
        raise ConfigurationError(f"percentiles are {percentiles}; they must rise within 0 and 1.")
    if grid_resolution < 2:
        raise ConfigurationError(f"grid_resolution is {grid_resolution}; it must be 2 or more.")
    every, chosen = features_of(model, X, features)
    predictor = Predictor(model, tuple(every))
    with where_rows_are(X):
        rows = examine(X[every], None, max_rows, random_state)
        grids = _grids(X[chosen], np.linspace(low, high, grid_resolution))
        sums = for_each(_sums, rows.parts, grids, held(predictor))
        total = dask.compute(add_up(sums, _add))[0]
    return {
        name: pd.DataFrame(
            total[name] / rows.rows, index=pd.Index(grid, name=name), columns=predictor.outputs
        )
        for name, grid in grids.items()
    }


def _grids(X: Any, probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """Return the values that each feature is set to: exact quantiles, or categories."""
    meta = X if isinstance(X, pd.DataFrame) else X._meta
    categories = {name for name in X.columns if isinstance(meta[name].dtype, pd.CategoricalDtype)}
    numbers = [name for name in X.columns if name not in categories]
    for name in numbers:
        if not pd.api.types.is_numeric_dtype(meta[name].dtype):
            raise InputError(
                f"Column {name!r} is {meta[name].dtype}: no number and no category. Encode it "
                "before the model, or look at other features."
            )
    quantiles = _quantiles(X, numbers, probabilities)
    return {
        str(name): _levels(X[name]) if name in categories else _values(quantiles[name], meta[name])
        for name in X.columns
    }


def _quantiles(X: Any, columns: list[str], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def learning() -> Learning:
        values = yield from ask_quantiles(columns, probabilities.tolist())
        found.update(zip(columns, values, strict=True))

    learn(learning(), X)
    return found


def _values(quantiles: NDArray[np.float64], column: pd.Series) -> NDArray[np.float64]:
    if np.isnan(quantiles).any():
        raise InputError(f"Column {column.name!r} has no values. Leave it out of features.")
    whole = pd.api.types.is_integer_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)
    return np.unique(np.round(quantiles) if whole else quantiles)


def _levels(column: Any) -> Any:
    if not getattr(column.cat, "known", True):
        raise InputError(
            f"The categories of {column.name!r} are not known. Call categorize() on the frame "
            "first."
        )
    return column.cat.categories


def _sums(part: pd.DataFrame, grids: Mapping[str, Any], model: Predictor) -> dict[str, Any]:
    """Return the sum of predictions, as (grid, outputs), for each feature."""
    return {
        name: np.array([model.of(_with(part, name, value)).sum(axis=0) for value in grid])
        for name, grid in grids.items()
    }


def _with(part: pd.DataFrame, name: str, value: Any) -> pd.DataFrame:
    dtype = part[name].dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return part.assign(**{name: pd.Categorical([value] * len(part), dtype=dtype)})
    return part.assign(**{name: np.full(len(part), value)})


def _add(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
