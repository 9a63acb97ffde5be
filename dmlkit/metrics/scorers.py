"""Scorers by scikit-learn's names: a model's predictions judged where the rows are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dmlkit.errors import ConfigurationError, InputError, nearest
from dmlkit.metrics.brought import Brought, is_scikit_learns
from dmlkit.metrics.classes import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
)
from dmlkit.metrics.deviances import d2_tweedie_score, mean_gamma_deviance, mean_poisson_deviance
from dmlkit.metrics.medians import d2_absolute_error_score, median_absolute_error
from dmlkit.metrics.probability import brier_score_loss, log_loss
from dmlkit.metrics.queries import mean_average_precision, mean_reciprocal_rank, ndcg_score
from dmlkit.metrics.ranking import average_precision_score, roc_auc_score
from dmlkit.metrics.regression_scores import (
    explained_variance_score,
    max_error,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_log_error,
    r2_score,
    root_mean_squared_error,
    root_mean_squared_log_error,
)
from dmlkit.metrics.threshold import precision_score, recall_score

__all__ = [
    "ScoredByDeviance",
    "ScoredClassifier",
    "ScoredRegressor",
    "Scorer",
    "check_scoring",
    "get_scorer",
    "get_scorer_names",
]

#: What a metric takes of a model: predictions; those of one class or another, as 0 and 1; a score
#: for the second of two classes; its probability; the probabilities of all classes; predictions,
#: with the query of each row.
CLASS, SECOND, SCORE, CHANCE, CHANCES = "class", "second", "score", "chance", "chances"
QUERIES = "queries"


@dataclass(frozen=True)
class Scorer:
    """Judges a model: the more, the better.

    Called with a model, a table, its labels and optionally ``sample_weight``; one that judges how
    rows are ranked takes their queries as ``qid``.

    Parameters
    ----------
    name : str
    metric : callable
        Of labels and what the model makes of the rows.
    of : {"class", "second", "score", "chance", "chances", "queries"}
        What it takes of the model.
    sign : int
        -1 where less is better.
    """

    name: str
    metric: Callable[..., float]
    of: str = CLASS
    sign: int = 1

    def __call__(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any = None, qid: Any = None
    ) -> float:
        """Return the score.

        Raises
        ------
        ConfigurationError
            The model does not give what the metric takes, or there are no queries.
        InputError
            The metric is of two classes, and there are others.
        """
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        if self.of == QUERIES:
            if qid is None:
                raise ConfigurationError(
                    f"{self.name!r} judges how rows are ranked in each query: give qid, a Series "
                    "like y."
                )
            return self.sign * float(self.metric(y, estimator.predict(X), qid, **weight))
        labels, found = self._taken(estimator, X, y)
        return self.sign * float(self.metric(labels, found, **weight))

    def _taken(self, estimator: Any, X: Any, y: Any) -> tuple[Any, Any]:
        if self.of == CLASS:
            return y, estimator.predict(X)
        if self.of == CHANCES:
            chances = self._method(estimator, "predict_proba")(X)
            if len(estimator.classes_) > 2:
                return y, chances
            return self._is_second(estimator, y), chances[estimator.classes_[1]]
        labels = self._is_second(estimator, y)
        if self.of == SECOND:
            return labels, self._is_second(estimator, estimator.predict(X))
        if self.of == SCORE and hasattr(estimator, "decision_function"):
            return labels, estimator.decision_function(X)
        return labels, self._method(estimator, "predict_proba")(X)[estimator.classes_[1]]

    def _method(self, estimator: Any, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] | None = getattr(estimator, name, None)
        if found is None or not hasattr(estimator, "classes_"):
            raise ConfigurationError(
                f"{self.name!r} needs a classifier with {name}, and {type(estimator).__name__} is "
                "none. Take another scorer, such as 'accuracy' of classes or 'r2' of numbers."
            )
        return found

    def _is_second(self, estimator: Any, labels: Any) -> Any:
        """Tell the second class from the first, as 0 and 1."""
        classes = getattr(estimator, "classes_", None)
        if classes is None:
            self._method(estimator, "predict_proba")
        if len(classes) != 2:  # type: ignore[arg-type]
            of_many = nearest(self.name, (name for name in SCORERS if name.endswith(MANY)))
            raise InputError(
                f"{self.name!r} is of two classes, and {type(estimator).__name__} was fitted to "
                f"{len(classes)}. Take one of several"  # type: ignore[arg-type]
                + (f", such as {of_many!r}." if of_many else ", such as 'f1_macro'.")
            )
        # What is missing stays so: it is told, and not taken for a class.
        return (labels == classes[1]).astype("float64").mask(labels.isna())  # type: ignore[index]


def f1_of_second(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the F1 score of the rows that are 1.

    Examples
    --------
    >>> import pandas as pd
    >>> round(f1_of_second(pd.Series([0, 1, 1, 0]), pd.Series([1, 1, 0, 0])), 3)
    0.5
    """
    counts = confusion_matrix(y_true, y_pred, sample_weight=sample_weight)
    pairs = counts.reindex(index=[0, 1], columns=[0, 1], fill_value=0).to_numpy(np.float64)
    of_either = pairs[1].sum() + pairs[:, 1].sum()
    return float(2 * pairs[1, 1] / of_either) if of_either else 0.0


#: How the names of scorers end that take several classes.
MANY = ("_macro", "_micro", "_weighted", "_ovr", "_ovo")


def _less(name: str, metric: Callable[..., float], of: str = CLASS) -> Scorer:
    return Scorer(name, metric, of, -1)


SCORERS = {
    scorer.name: scorer
    for scorer in (
        Scorer("accuracy", accuracy_score),
        Scorer("balanced_accuracy", balanced_accuracy_score),
        Scorer("f1", f1_of_second, SECOND),
        Scorer("f1_macro", partial(f1_score, average="macro")),
        Scorer("f1_micro", partial(f1_score, average="micro")),
        Scorer("f1_weighted", partial(f1_score, average="weighted")),
        Scorer("precision", precision_score, SECOND),
        Scorer("recall", recall_score, SECOND),
        Scorer("roc_auc", roc_auc_score, SCORE),
        Scorer("average_precision", average_precision_score, SCORE),
        Scorer("roc_auc_ovr", partial(roc_auc_score, multi_class="ovr"), CHANCES),
        Scorer("roc_auc_ovo", partial(roc_auc_score, multi_class="ovo"), CHANCES),
        _less("neg_log_loss", log_loss, CHANCES),
        _less("neg_brier_score", brier_score_loss, CHANCE),
        Scorer("ndcg", ndcg_score, QUERIES),
        Scorer("mean_average_precision", mean_average_precision, QUERIES),
        Scorer("mean_reciprocal_rank", mean_reciprocal_rank, QUERIES),
        Scorer("r2", r2_score),
        Scorer("explained_variance", explained_variance_score),
        Scorer("d2_absolute_error_score", d2_absolute_error_score),
        _less("neg_mean_squared_error", mean_squared_error),
        _less("neg_root_mean_squared_error", root_mean_squared_error),
        _less("neg_mean_absolute_error", mean_absolute_error),
        _less("neg_median_absolute_error", median_absolute_error),
        _less("neg_mean_absolute_percentage_error", mean_absolute_percentage_error),
        _less("neg_mean_squared_log_error", mean_squared_log_error),
        _less("neg_root_mean_squared_log_error", root_mean_squared_log_error),
        _less("neg_max_error", max_error),
        _less("neg_mean_poisson_deviance", mean_poisson_deviance),
        _less("neg_mean_gamma_deviance", mean_gamma_deviance),
    )
}


def get_scorer_names() -> list[str]:
    """Return the names that `get_scorer` knows, sorted."""
    return sorted(SCORERS)


def get_scorer(scoring: str | Callable[..., float]) -> Callable[..., float]:
    """Return a scorer by scikit-learn's name, which judges a model on frames.

    Parameters
    ----------
    scoring : str or callable
        One of `get_scorer_names`; a scorer of one's own, which comes back as it is; or one of
        scikit-learn's, such as `sklearn.metrics.make_scorer` makes.

    Returns
    -------
    callable
        Of a model, a table and labels: dask frames are judged where their rows are, and no column
        is gathered. For a scorer of scikit-learn's, labels and predictions are brought to the
        client; called by itself, without this function, one that takes probabilities raises pandas'
        InvalidIndexError.

    Raises
    ------
    ConfigurationError
        There is no such name; the nearest is told.

    Examples
    --------
    >>> import pandas as pd
    >>> from dmlkit.linear_model import LogisticRegression
    >>> table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    >>> model = LogisticRegression().fit(table, pd.Series([0, 0, 1, 1]))
    >>> get_scorer("roc_auc")(model, table, pd.Series([0, 1, 0, 1]))
    0.75
    """
    if callable(scoring):
        return Brought(scoring) if is_scikit_learns(scoring) else scoring
    if scoring not in SCORERS:
        guess = nearest(str(scoring), SCORERS)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"There is no scorer {scoring!r}{hint}. Known: {', '.join(SCORERS)}; or give a "
            "function of model, table and labels."
        )
    return SCORERS[scoring]


def check_scoring(estimator: Any, scoring: Any = None) -> Callable[..., float]:
    """Return what judges a model: the scorer that is named, or its own ``score``.

    Raises
    ------
    ConfigurationError
        Nothing is named, and the model has no score of its own.

    Examples
    --------
    >>> from dmlkit.linear_model import Ridge
    >>> check_scoring(Ridge(), "neg_mean_absolute_error").name
    'neg_mean_absolute_error'
    """
    if scoring is not None:
        return get_scorer(scoring)
    if hasattr(estimator, "score"):
        return _own_score
    raise ConfigurationError(
        f"{type(estimator).__name__} has no score of its own: name a scorer, such as "
        "scoring='roc_auc', or 'ndcg' of a ranker."
    )


def _own_score(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    weight = {} if sample_weight is None else {"sample_weight": sample_weight}
    return float(estimator.score(X, y, **weight))


class ScoredClassifier:
    """A classifier with scikit-learn's ``score``."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows whose class is predicted, computed where the rows are."""
        return get_scorer("accuracy")(self, X, y, sample_weight)


class ScoredRegressor:
    """A regressor with scikit-learn's ``score``."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the variance that is explained (R2), computed where the rows are."""
        return get_scorer("r2")(self, X, y, sample_weight)


class ScoredByDeviance:
    """A generalised linear model with scikit-learn's ``score``; it has a ``power``."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the deviance that is explained (D2), computed where the rows are."""
        found = self.predict(X)  # type: ignore[attr-defined]
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        return d2_tweedie_score(y, found, power=self.power, **weight)  # type: ignore[attr-defined]
