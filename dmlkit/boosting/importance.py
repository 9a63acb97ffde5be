"""What each feature is worth to a model: by gain in training, and by SHAP on rows given."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.prediction import booster_of, matrix_of, raw_model
from dmlkit.errors import MissingColumnError
from dmlkit.graph import add_up, for_all, for_each

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
        ``shap`` first.

    References
    ----------
    Lundberg, Lee: *A Unified Approach to Interpreting Model Predictions*. NIPS 2017; computed by
    XGBoost's TreeSHAP.
    """
    names = [str(name) for name in model.feature_names_in_]
    for name in names:
        if name not in X.columns:
            raise MissingColumnError.of("frame", name, X.columns)
    parts = X[names].to_delayed() if isinstance(X, dd.DataFrame) else [dask.delayed(X[names])]
    lowest = add_up(for_each(partial(_lowest, sample=sample), parts), _together, sample)
    shap = dask.compute(for_all(partial(_mean_shap, raw_model(model.get_booster())), lowest))[0]
    gain = model.get_booster().get_score(importance_type="total_gain")
    gains = np.array([float(np.sum(gain.get(name, 0.0))) for name in names])
    table = pd.DataFrame({"feature": names, "gain": gains / max(gains.sum(), 1e-300), "shap": shap})
    return table.sort_values(["shap", "feature"], ascending=[False, True], ignore_index=True)


def _lowest(part: pd.DataFrame, sample: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the rows with the smallest hashes, and the hashes."""
    hashes = pd.util.hash_pandas_object(part, index=False).to_numpy()
    places = np.argsort(hashes, kind="stable")[:sample]
    return hashes[places], part.take(places)


def _together(
    parts: Sequence[tuple[np.ndarray, pd.DataFrame]], sample: int
) -> tuple[np.ndarray, pd.DataFrame]:
    hashes = np.concatenate([hashes for hashes, _ in parts])
    rows = pd.concat([rows for _, rows in parts], ignore_index=True)
    places = np.argsort(hashes, kind="stable")[:sample]
    return hashes[places], rows.take(places)


def _mean_shap(raw: bytes, lowest: tuple[np.ndarray, pd.DataFrame]) -> np.ndarray:
    _, rows = lowest
    if not len(rows):
        return np.zeros(rows.shape[1])
    contributions = booster_of(raw).predict(matrix_of(rows), pred_contribs=True)
    sizes = np.abs(contributions[..., :-1])  # the last column is the bias
    # Several classes: (rows, classes, features).
    return sizes.reshape(-1, sizes.shape[-1]).mean(axis=0)
