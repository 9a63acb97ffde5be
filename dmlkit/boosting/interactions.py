"""What features do to a model's scores together, beyond what each does alone: by SHAP."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.boosting.explained_rows import features_of, model_for_workers, sampled
from dmlkit.boosting.interaction_kernels import depth_of, gauss_points, pair_sizes, pair_values
from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.trees import forest_of, rows_for
from dmlkit.errors import ConfigurationError
from dmlkit.graph import add_up, for_all, for_each

__all__ = ["FeatureInteractions", "feature_interactions"]

#: Rows that interactions are computed of.
SAMPLE = 1_000

#: Pairs of which each row is told, to be drawn.
DRAWN = 3

Array = NDArray[np.float64]


class FeatureInteractions(NamedTuple):
    """What `feature_interactions` found.

    Attributes
    ----------
    pairs : pandas.DataFrame
        Columns ``feature``, ``other`` and ``shap``: the mean size of what both move the margin by
        together (log-odds, or what is predicted), the largest first; pairs without are left out.
    points : pandas.DataFrame
        Of the first three pairs, the rows of the sample: ``feature``, ``other``, ``value``,
        ``other_value`` and ``shap``, with its sign. Empty for several classes.
    """

    pairs: pd.DataFrame
    points: pd.DataFrame


def feature_interactions(model: XGBModel, X: Any, *, sample: int = SAMPLE) -> FeatureInteractions:
    """Rank pairs of features by what they do together.

    Parameters
    ----------
    model : XGBClassifier, XGBRegressor or XGBRanker
        Fitted.
    X : dask or pandas DataFrame
        Rows to explain, such as those of the test.
    sample : int
        So many rows at most are looked at: those with the smallest hash, so that neither
        partitions nor the order of rows matters. Workers share them.

    Returns
    -------
    FeatureInteractions

    Raises
    ------
    MissingColumnError, NotFittedError
    ConfigurationError
        The model has no trees, or the sample no row.

    Notes
    -----
    The numbers of XGBoost's ``predict(pred_interactions=True)``, both halves of a pair added up,
    within 1e-5 of the largest. XGBoost 3.2 goes through all trees twice for each feature; here, as
    in XGBoost 3.4, a leaf takes the pairs of its own path, which takes a hundredth of the time with
    60 features.

    References
    ----------
    Lundberg et al.: *From Local Explanations to Global Understanding with Explainable AI for
    Trees*. Nature Machine Intelligence 2, 2020.
    """
    if sample < 1:
        raise ConfigurationError(f"sample is {sample}; it must be 1 or more.")
    names = features_of(model, X)
    raw = model_for_workers(model)
    pieces = sampled(X, names, sample)
    sums = add_up(for_each(_sizes, pieces, raw), _add)
    points = for_all(pd.concat, for_each(_points, pieces, raw, for_all(_first_pairs, sums)))
    (sizes, rows), drawn = dask.compute(sums, points)
    return FeatureInteractions(_ranked(names, sizes / max(rows, 1)), drawn.reset_index(drop=True))


def _sizes(rows: pd.DataFrame, raw: bytes) -> tuple[Array, int]:
    """Return the sum of the sizes of interactions, and how many were added up of each."""
    forest = forest_of(raw)
    depth = int(depth_of(forest.nodes.left, forest.nodes.right))
    found: Array = pair_sizes(
        rows_for(forest, rows),
        forest.roots,
        forest.groups,
        forest.group_count,
        tuple(forest.nodes),
        gauss_points(depth // 2 + 1),
        depth,
    )
    return found, len(rows) * forest.group_count


def _add(parts: Sequence[tuple[Array, int]]) -> tuple[Array, int]:
    return np.sum([each for each, _ in parts], axis=0), sum(rows for _, rows in parts)


def _first_pairs(sums: tuple[Array, int]) -> NDArray[np.int64]:
    sizes, _ = sums
    order = np.argsort(-sizes, axis=None, kind="stable")[:DRAWN]
    pairs = np.column_stack(np.unravel_index(order, sizes.shape)).astype(np.int64)
    return pairs[sizes[pairs[:, 0], pairs[:, 1]] > 0]


def _points(rows: pd.DataFrame, raw: bytes, pairs: NDArray[np.int64]) -> pd.DataFrame:
    names = ["feature", "other", "value", "other_value", "shap"]
    forest = forest_of(raw)
    if forest.group_count > 1 or not len(pairs):
        return pd.DataFrame(columns=names)
    depth = int(depth_of(forest.nodes.left, forest.nodes.right))
    found = pair_values(
        rows_for(forest, rows),
        forest.roots,
        forest.groups,
        0,
        tuple(forest.nodes),
        gauss_points(depth // 2 + 1),
        depth,
        pairs,
    )
    tables = [
        pd.DataFrame(
            {
                "feature": rows.columns[one],
                "other": rows.columns[other],
                "value": rows.iloc[:, one].astype(object).to_numpy(),
                "other_value": rows.iloc[:, other].astype(object).to_numpy(),
                "shap": found[:, number],
            }
        )
        for number, (one, other) in enumerate(pairs.tolist())
    ]
    return pd.concat(tables)[names]


def _ranked(names: list[str], sizes: Array) -> pd.DataFrame:
    one, other = np.nonzero(sizes > 0)
    table = pd.DataFrame(
        {
            "feature": np.array(names, dtype=object)[one],
            "other": np.array(names, dtype=object)[other],
            "shap": sizes[one, other],
        }
    )
    order = ["shap", "feature", "other"]
    return table.sort_values(order, ascending=[False, True, True], ignore_index=True)
