"""`cross_validate` and its like: a model trained and judged on each fold of a frame."""

import inspect
import math
import time as clock
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.graph import for_each, partitions_of
from dmlkit.metrics import check_scoring
from dmlkit.model_selection.assigned import check_cv, check_cv_of_queries, places_of_folds, taken
from dmlkit.model_selection.failures import check_error_score, told, warn_of_failures

__all__ = ["cross_val_predict", "cross_val_score", "cross_validate"]

#: What is cut to the rows of a fold: weights, and margins, which have a column for each class.
OF_ROWS = (pd.Series, pd.DataFrame, dd.Series, dd.DataFrame)


def cross_validate(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    time: Any = None,
    scoring: Any = None,
    cv: Any = None,
    params: Mapping[str, Any] | None = None,
    return_train_score: bool = False,
    return_estimator: bool = False,
    error_score: float | str = math.nan,
) -> dict[str, Any]:
    """Train and judge a model on each fold.

    Parameters
    ----------
    estimator : a model that takes frames
        It is cloned for each fold, and not fitted itself.
    X : dask or pandas DataFrame
    y : Series like X
    groups, time : Series like X, optional
        What must not be torn apart, and when a row happened, for a `cv` that asks for it.
    scoring : str, callable, or list or dict of these, optional
        As `dmlkit.metrics.get_scorer` takes it; without, the model's own ``score``.
    cv : int or splitter, optional
        As `check_cv` takes it: a number of folds (5 where it is left out), of a classifier with the
        shares of classes kept, or a splitter of this module.
    params : mapping, optional
        What ``fit`` takes besides, such as ``sample_weight``; series and frames are cut to the
        fold. A ranker's ``qid`` is what its folds are made of, which keep queries whole, and what
        scorers such as ``"ndcg"`` look at.
    return_train_score, return_estimator : bool
    error_score : float or "raise"
        The score of a fold whose model cannot be trained or judged, which is warned of:
        scikit-learn's ``FitFailedWarning`` says how many fits failed, and why. With ``"raise"`` the
        error is raised.

    Returns
    -------
    dict
        As of scikit-learn: ``fit_time``, ``score_time``, ``test_score`` (or ``test_NAME`` for each
        of several), and where they are asked for ``train_score`` and ``estimator`` (None where its
        fit failed); of each an entry for each fold.

    Raises
    ------
    ConfigurationError
        `cv` or `scoring` is not known, or the splitter does not fit `groups` and `time`.
    InputError
        Tables are not partitioned alike.
    TrainingError
        The fits of all folds failed.

    Notes
    -----
    Which rows a fold has does not depend on partitions, and rows are judged where they are. The
    rows of a fold are held by the workers while they are judged; each fold reads the table anew, so
    persist one that fits into their memory.

    Examples
    --------
    >>> from dmlkit.linear_model import Ridge
    >>> table = pd.DataFrame({"x": [float(number) for number in range(60)]})
    >>> cross_validate(Ridge(alpha=0), table, 2 * table["x"], cv=3)["test_score"].round(6)
    array([1., 1., 1.])
    """
    check_error_score(error_score)
    scorers, single = _scorers(estimator, scoring)
    results: dict[str, list[Any]] = {"fit_time": [], "score_time": []}
    failures: list[str] = []
    qid = (params or {}).get("qid")
    for train, test in _folds(estimator, cv, y, groups, time, qid):
        began = clock.perf_counter()
        model = None
        try:
            model = _trained(estimator, X, y, train, params)
        except Exception as error:
            if error_score == "raise":
                raise
            failures.append(told(error))
        fitted = clock.perf_counter()
        judged = {"test": _scores(scorers, model, X, y, qid, test, error_score)}
        ended = clock.perf_counter()
        if return_train_score:
            judged["train"] = _scores(scorers, model, X, y, qid, train, error_score)
        results["fit_time"].append(fitted - began)
        results["score_time"].append(ended - fitted)
        if return_estimator:
            results.setdefault("estimator", []).append(model)
        for rows, scores in judged.items():
            for name, score in scores.items():
                results.setdefault(f"{rows}_{'score' if single else name}", []).append(score)
    if failures:
        warn_of_failures(failures, len(results["fit_time"]), float(error_score))
    return {name: of if name == "estimator" else np.array(of) for name, of in results.items()}


def cross_val_score(
    estimator: Any, X: Any, y: Any, *, scoring: Any = None, **options: Any
) -> np.ndarray:
    """Return the score of each fold; parameters are those of `cross_validate`.

    Examples
    --------
    >>> from dmlkit.linear_model import LogisticRegression
    >>> table = pd.DataFrame({"x": [float(number % 9) for number in range(90)]})
    >>> scores = cross_val_score(
    ...     LogisticRegression(), table, table["x"] > 4, cv=3, scoring="roc_auc"
    ... )
    >>> scores.tolist()
    [1.0, 1.0, 1.0]
    """
    if isinstance(scoring, (list, tuple, set, dict)):
        raise ConfigurationError(
            "cross_val_score takes one scorer. For several use cross_validate."
        )
    found: np.ndarray = cross_validate(estimator, X, y, scoring=scoring, **options)["test_score"]
    return found


def cross_val_predict(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    time: Any = None,
    cv: Any = None,
    params: Mapping[str, Any] | None = None,
    method: str = "predict",
) -> Any:
    """Predict each row by the model of the fold that it is tested in.

    Parameters
    ----------
    estimator, X, y, groups, time, cv, params
        As of `cross_validate`; each row must be tested once, so `cv` is no split in time.
    method : str
        Of the model: ``"predict"``, ``"predict_proba"``, ``"decision_function"`` and so on.

    Returns
    -------
    Series or DataFrame
        Like what the model gives for X, in its order and with its index. Models are trained at
        once, and rows predicted lazily.

    Raises
    ------
    InputError
        A row is tested in no fold, or in several, or a fold's training rows lack a class.

    Examples
    --------
    >>> from dmlkit.linear_model import Ridge
    >>> table = pd.DataFrame({"x": [float(number) for number in range(60)]})
    >>> cross_val_predict(Ridge(alpha=0), table, 2 * table["x"], cv=3).round(3).head(3).tolist()
    [0.0, 2.0, 4.0]
    """
    folds = list(_folds(estimator, cv, y, groups, time, (params or {}).get("qid")))
    tested = [test for _, test in folds]
    _check_tested_once(tested, y)
    found = [
        getattr(_trained(estimator, X, y, train, params), method)(taken(X, test))
        for train, test in folds
    ]
    if found[0].ndim == 2 and any(list(of.columns) != list(found[0].columns) for of in found):
        raise InputError(
            f"The models of some folds know other classes than those of others, so that {method} "
            "has other columns. Take fewer folds, or a StratifiedKFold."
        )
    if isinstance(found[0], (pd.DataFrame, pd.Series)):
        return _in_order(*tested, *found)
    parts = for_each(_in_order, *(partitions_of(each) for each in (*tested, *found)))
    return dd.from_delayed(parts, meta=found[0]._meta, verify_meta=False, prefix="cross-predicted")


def _folds(
    estimator: Any, cv: Any, y: Any, groups: Any, time: Any, qid: Any
) -> Iterator[tuple[Any, Any]]:
    if qid is not None:
        if groups is not None:
            raise ConfigurationError(
                "groups was given, but a ranker's folds keep its queries whole: leave it out."
            )
        return places_of_folds(check_cv_of_queries(cv), y, groups=qid, time=time)
    tags = getattr(estimator, "__sklearn_tags__", lambda: None)()
    classifier = getattr(tags, "estimator_type", None) == "classifier"
    return places_of_folds(check_cv(cv, classifier=classifier), y, groups=groups, time=time)


def _trained(estimator: Any, X: Any, y: Any, train: Any, params: Mapping[str, Any] | None) -> Any:
    from sklearn.base import clone  # takes longer to import than all splits

    beside = {
        name: taken(given, train) if isinstance(given, OF_ROWS) else given
        for name, given in (params or {}).items()
    }
    return clone(estimator).fit(taken(X, train), taken(y, train), **beside)


def _scorers(estimator: Any, scoring: Any) -> tuple[dict[str, Any], bool]:
    """Return scorers by name, and whether there is one without a name of its own."""
    if isinstance(scoring, Mapping):
        return {name: check_scoring(estimator, each) for name, each in scoring.items()}, False
    if isinstance(scoring, (list, tuple, set)):
        return {str(name): check_scoring(estimator, name) for name in scoring}, False
    return {"score": check_scoring(estimator, scoring)}, True


def _scores(
    scorers: Mapping[str, Any],
    model: Any,
    X: Any,
    y: Any,
    qid: Any,
    places: Any,
    error_score: float | str,
) -> dict[str, Any]:
    """Return what each scorer says of a model, or None: of one that could not be trained."""
    if model is None:
        return dict.fromkeys(scorers, error_score)
    # Held while they are judged: each scorer would read and split them anew.
    rows = dask.persist(*(taken(given, places) for given in (X, y)))
    queries = {} if qid is None else {"qid": dask.persist(taken(qid, places))[0]}
    return {
        name: _score(name, scorer, model, rows, queries, error_score)
        for name, scorer in scorers.items()
    }


def _score(
    name: str,
    scorer: Any,
    model: Any,
    rows: Any,
    queries: Mapping[str, Any],
    error_score: float | str,
) -> Any:
    asked = queries if queries and "qid" in inspect.signature(scorer).parameters else {}
    try:
        return scorer(model, *rows, **asked)
    except Exception as error:
        if error_score == "raise":
            raise
        message = f"Scoring failed ({name}), and the score is {error_score}: {told(error)}."
        warnings.warn(message, UserWarning, stacklevel=4)
        return error_score


def _check_tested_once(tested: list[Any], y: Any) -> None:
    if isinstance(y, pd.Series):
        times = [_times_tested(y, *tested)]
    else:
        parts = for_each(_times_tested, *(partitions_of(each) for each in (y, *tested)))
        times = dask.compute(parts)[0]
    never, again = np.sum(times, axis=0)
    if never or again:
        raise InputError(
            f"{never:,} rows are tested in no fold, and {again:,} in several, but each is to be "
            "predicted once. Take a splitter that tests each row once, such as KFold; a split in "
            "time leaves out the first rows."
        )


def _times_tested(y: pd.Series, *tested: pd.Series) -> tuple[int, int]:
    """Count rows that are never tested on, and those that are again."""
    times = np.bincount(np.concatenate(tested), minlength=len(y))
    return int((times == 0).sum()), int((times > 1).sum())


def _in_order(*given: Any) -> Any:
    """Put the predictions of a partition's rows, fold by fold, where the rows are."""
    places, found = given[: len(given) // 2], given[len(given) // 2 :]
    order = np.argsort(np.concatenate(places), kind="stable")
    return pd.concat(found).iloc[order]
