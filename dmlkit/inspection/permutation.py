"""`permutation_importance`: what a metric loses when a feature is shuffled among the rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, nearest
from dmlkit.graph import exchange_in_stages, for_each
from dmlkit.inspection.examined import (
    LABEL,
    Examined,
    Predictor,
    examine,
    features_of,
    held,
    where_rows_are,
)
from dmlkit.metrics import (
    average_precision_score,
    brier_score_loss,
    evaluate_regression,
    log_loss,
    roc_auc_score,
)
from dmlkit.positions import permuted

__all__ = ["permutation_importance"]

#: The columns that a metric takes, and where a row goes in a permutation.
SCORE, TO = "__score", "__to"


@dataclass(frozen=True)
class Metric:
    """A metric of a frame with labels and scores."""

    of: Callable[[Any], float]
    higher_is_better: bool


def _binary(score: Callable[..., float], higher_is_better: bool = True) -> Metric:
    return Metric(lambda frame: score(frame[LABEL], frame[SCORE]), higher_is_better)


def _regression(name: str) -> Metric:
    def of(frame: Any) -> float:
        return evaluate_regression(frame, label=LABEL, prediction=SCORE, replicates=0)[0][name]

    return Metric(of, higher_is_better=False)


#: By the names that evaluations have for them.
CLASSIFICATION = {
    "roc_auc": _binary(roc_auc_score),
    "average_precision": _binary(average_precision_score),
    "log_loss": _binary(log_loss, higher_is_better=False),
    "brier": _binary(brier_score_loss, higher_is_better=False),
}
REGRESSION = {name: _regression(name) for name in ("rmse", "mae")}


def permutation_importance(
    model: Any,
    X: Any,
    y: Any,
    *,
    metric: str | None = None,
    n_repeats: int = 5,
    features: Sequence[str] | None = None,
    max_rows: int | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    """Rank features by what a metric loses when their values change places among all rows.

    In each repeat the rows are shuffled once, over all partitions; then each feature takes one
    pass. Take rows that the model was not trained on.

    Parameters
    ----------
    model : Any
        Fitted: of dmlkit or scikit-learn, with ``predict_proba`` (two classes) or ``predict``.
    X : dask or pandas DataFrame
    y : Series like X
        0 and 1 for a classifier, numbers else.
    metric : str, optional
        ``roc_auc`` (the default), ``average_precision``, ``log_loss`` or ``brier`` for a
        classifier; ``rmse`` (the default) or ``mae`` for others.
    n_repeats : int
    features : sequence of str, optional
        All without.
    max_rows : int, optional
        About so many rows are drawn; all without.
    random_state : int

    Returns
    -------
    pandas.DataFrame
        With the columns ``feature``, ``importance`` (mean loss of the metric; above 0 where the
        feature helps) and ``standard_error`` (of that mean, over the repeats), the most important
        first.

    Raises
    ------
    ConfigurationError
        The metric is not known or does not fit the model.
    MissingColumnError, InputError

    Notes
    -----
    Where a row's value goes follows from its position alone: the same result on any partitions.
    Of two features that tell the same, neither seems important.

    References
    ----------
    Breiman: *Random Forests*. Machine Learning 45, 2001.
    Fisher, Rudin, Dominici: *All Models are Wrong, but Many are Useful*. JMLR 20, 2019.

    Examples
    --------
    >>> from dmlkit.linear_model import LinearRegression
    >>> X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "noise": [1.0, 0.0, 0.0, 1.0]})
    >>> model = LinearRegression().fit(X, X["x"])
    >>> permutation_importance(model, X, X["x"])["feature"].tolist()
    ['x', 'noise']
    """
    if n_repeats < 1:
        raise ConfigurationError(f"n_repeats is {n_repeats}; it must be 1 or more.")
    every, chosen = features_of(model, X, features)
    predictor = Predictor(model, tuple(every))
    judged = _metric_of(metric, predictor)
    with where_rows_are(X):
        rows = examine(X[every], y, max_rows, random_state)
        scores = partial(_scores, judged, rows, held(predictor), isinstance(X, pd.DataFrame))
        base = scores(rows.parts, None)
        lost = np.empty((n_repeats, len(chosen)))
        for repeat in range(n_repeats):
            shuffled = dask.persist(*_shuffled(rows, tuple(chosen), random_state, repeat + 1))
            lost[repeat] = [base - scores(list(shuffled), name) for name in chosen]
    lost = lost if judged.higher_is_better else -lost
    error = lost.std(axis=0, ddof=1) / np.sqrt(n_repeats) if n_repeats > 1 else np.nan
    found = pd.DataFrame(
        {"feature": chosen, "importance": lost.mean(axis=0), "standard_error": error}
    )
    return found.sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def _metric_of(name: str | None, predictor: Predictor) -> Metric:
    known = CLASSIFICATION if predictor.classifies else REGRESSION
    chosen = name or next(iter(known))
    if chosen not in known:
        guess = nearest(chosen, known)
        hint = f" (nearest: {guess!r})" if guess else ""
        kind = "classifier" if predictor.classifies else "model of numbers"
        raise ConfigurationError(
            f"metric is {chosen!r}{hint}; for a {kind} it must be one of {', '.join(known)}."
        )
    if len(predictor.outputs) > 1:
        raise ConfigurationError(
            f"The model has {len(predictor.outputs)} classes, and these metrics are of two. Give "
            "a model of one class against the others."
        )
    return known[chosen]


def _scores(
    metric: Metric, rows: Examined, model: Any, here: bool, donors: list[Any], feature: str | None
) -> float:
    """Return the metric with a feature taken from other rows; None for no feature."""
    scored = for_each(_scored, rows.parts, donors, feature, model)
    if here:
        return metric.of(scored[0].compute())
    meta = pd.DataFrame({LABEL: [0.0], SCORE: [0.0]}).iloc[:0]
    return metric.of(dd.from_delayed(scored, meta=meta, verify_meta=False))


def _scored(
    part: pd.DataFrame, donors: pd.DataFrame, feature: str | None, model: Predictor
) -> pd.DataFrame:
    rows = part if feature is None else part.assign(**{feature: donors[feature].array})
    score = model.of(rows)[:, 0]
    return pd.DataFrame({LABEL: part[LABEL].to_numpy(), SCORE: score})


def _shuffled(rows: Examined, columns: tuple[str, ...], seed: int, draw: int) -> list[Any]:
    """Return, for each part, as many rows from anywhere in the table."""
    sent = for_each(_sent, rows.parts, rows.starts, rows.rows, columns, seed, draw)
    limits = (*rows.starts, rows.rows)
    return exchange_in_stages(sent, len(rows.parts), _cut, _joined, limits)


def _sent(
    part: pd.DataFrame, start: int, total: int, columns: tuple[str, ...], seed: int, draw: int
) -> pd.DataFrame:
    to = permuted(start, len(part), total, seed, draw)
    return part[list(columns)].assign(**{TO: to}).sort_values(TO)


def _cut(part: pd.DataFrame, edges: Sequence[int], limits: Sequence[int]) -> list[pd.DataFrame]:
    places = np.searchsorted(part[TO].to_numpy(), [limits[edge] for edge in edges])
    return [part.iloc[low:high] for low, high in pairwise(places)]


def _joined(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(pieces).sort_values(TO)
