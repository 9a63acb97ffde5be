"""What each feature is worth to a model: by gain in training, and by SHAP on rows given."""

from collections.abc import Sequence
from typing import Any

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.boosting.explained_rows import features_of, model_for_workers, sampled
from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.prediction import booster_of, matrix_of
from dmlkit.graph import add_up, for_each

__all__ = ["feature_importance"]

#: Rows that SHAP values are computed of.
SAMPLE = 10_000


def feature_importance(model: XGBModel, X: Any, *, sample: int = SAMPLE) -> pd.DataFrame:
    """Rank the features of a model.

    Parameters
    ----------
    model : XGBClassifier, XGBRegressor or XGBRanker
        Fitted.
    X : dask or pandas DataFrame
        Rows to explain, such as those of the test.
    sample : int
        SHAP values are computed of so many rows at most: those with the smallest hash, so that
        neither partitions nor the order of rows matters.

    Returns
    -------
    pandas.DataFrame
        With the columns ``feature``, ``gain`` (share of the total gain of all splits) and ``shap``
        (mean absolute contribution to the margin: log-odds, or what is predicted), the largest
        ``shap`` first. What features do together tells `feature_interactions`.

    References
    ----------
    Lundberg, Lee: *A Unified Approach to Interpreting Model Predictions*. NIPS 2017; computed by
    XGBoost's TreeSHAP.
    """
    names = features_of(model, X)
    raw = model_for_workers(model)
    sums, rows = dask.compute(add_up(for_each(_sizes, sampled(X, names, sample), raw), _add))[0]
    shap = sums / max(rows, 1)
    gain = model.get_booster().get_score(importance_type="total_gain")
    gains = np.array([float(np.sum(gain.get(name, 0.0))) for name in names])
    table = pd.DataFrame({"feature": names, "gain": gains / max(gains.sum(), 1e-300), "shap": shap})
    return table.sort_values(["shap", "feature"], ascending=[False, True], ignore_index=True)


def _sizes(rows: pd.DataFrame, raw: bytes) -> tuple[NDArray[np.float64], int]:
    """Return the sum of the sizes of contributions by feature, and how many were added up."""
    if not len(rows):
        return np.zeros(rows.shape[1]), 0
    contributions = booster_of(raw).predict(matrix_of(rows), pred_contribs=True)
    sizes = np.abs(contributions[..., :-1])  # the last column is the bias
    # Several classes: (rows, classes, features).
    sizes = sizes.reshape(-1, sizes.shape[-1])
    return sizes.sum(axis=0, dtype=np.float64), len(sizes)


def _add(parts: Sequence[tuple[NDArray[np.float64], int]]) -> tuple[NDArray[np.float64], int]:
    sums = np.sum([each for each, _ in parts], axis=0)
    return sums, sum(rows for _, rows in parts)
