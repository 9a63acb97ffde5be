"""`HyperbandSearchCV`: dask-ml's name for a search with models that learn by `partial_fit`."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple, Self

import dask
import dask.dataframe as dd
import optuna
import pandas as pd
from optuna.trial import TrialState
from sklearn.base import clone
from sklearn.metrics import get_scorer

from dmlkit.cluster import connect
from dmlkit.declared import parameters_of, seed_of, set_parameters
from dmlkit.errors import (
    ConfigurationError,
    InputError,
    MissingColumnError,
    NotFittedError,
    TrainingError,
)
from dmlkit.graph import for_each, partitions_of
from dmlkit.search.partial import PartialPlan, check_lengths, hold_rows, learn_on, split_part
from dmlkit.search.running import Work, run_trials
from dmlkit.search.shown import html_of_search
from dmlkit.search.studies import ERROR, as_frame, distribution_of, open_study, pruner_of, quietly
from dmlkit.search.trials import StudyTrials, rungs_of

__all__ = ["HyperbandSearchCV"]

#: Seconds of silence after which a worker is a frozen one, and losses that a trial may have.
PATIENCE, MOST_LOSSES = 30.0, 3


class _Parts(NamedTuple):
    parts: list[Any]


@dataclass(eq=False)
class HyperbandSearchCV:
    """Search for the parameters of any model with `partial_fit`, giving up early on bad ones.

    It has dask-ml's name and parameters. Trials are those of `ParameterSearch`: drawn by Optuna, as
    many at a time as workers have threads, pruned by Hyperband, and done again where a worker is
    lost.

    Parameters
    ----------
    estimator : a scikit-learn model with `partial_fit`
    parameters : mapping of str to list or distribution
        What each parameter may be: a list of values, or one of ``optuna.distributions``.
    max_iter : int
        Calls of `partial_fit`, each with a batch of rows, that the best models get.
    aggressiveness : int
        One of so many trials goes on.
    n_trials : int, optional
        Trials; `max_iter` without.
    test_size : float
        The share of rows that models are compared on, drawn by their positions.
    batch_size : int
        Rows of a batch, whatever the partitions.
    scoring : str or callable, optional
        A scorer of scikit-learn; the model's own `score` without.
    random_state : int

    Attributes
    ----------
    best_params_ : dict
    best_score_ : float
    best_estimator_ : the model, trained with `max_iter` batches
    trials_ : pandas.DataFrame
        As of `ParameterSearch`.

    Notes
    -----
    Each worker holds all rows in memory. Rows and batches are the same on any partitions, and so
    are the scores of a trial.

    References
    ----------
    Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: *Hyperband*. JMLR 18, 2018.

    Examples
    --------
    >>> from distributed import Client
    >>> from sklearn.linear_model import SGDClassifier
    >>> table = pd.DataFrame({"x": [float(number % 7) for number in range(400)]})
    >>> search = HyperbandSearchCV(
    ...     SGDClassifier(random_state=0), {"alpha": [1e-4, 1e3]}, max_iter=4, batch_size=50
    ... )
    >>> with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
    ...     _ = search.fit(table, (table["x"] > 3).astype(int), classes=[0, 1])
    >>> search.best_params_
    {'alpha': 0.0001}
    """

    estimator: Any
    parameters: Mapping[str, Any]
    max_iter: int = 81
    aggressiveness: int = 3
    n_trials: int | None = None
    test_size: float = 0.2
    batch_size: int = 10_000
    scoring: Any = None
    random_state: int = 0

    def fit(self, X: Any, y: Any, **options: Any) -> Self:
        """Search on the current client's workers.

        Parameters
        ----------
        X : dask or pandas DataFrame
        y : Series like X
        **options
            What `partial_fit` is given besides, such as ``classes``.

        Raises
        ------
        ConfigurationError
            A parameter of the search is wrong.
        InputError
            Labels are not partitioned as the table is.
        TrainingError
            No trial could be trained.
        """
        self._check()
        space = {name: distribution_of(name, given) for name, given in self.parameters.items()}
        client = connect()
        data = _Parts(client.compute(self._split(X, y)))
        scoring = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring

        def plan_of(chosen: Mapping[str, Any], rounds: int = self.max_iter) -> PartialPlan:
            model = clone(self.estimator).set_params(**chosen)
            return PartialPlan(model, rounds, self.batch_size, scoring, options)

        with quietly():
            study = self._study()
            rungs = rungs_of(self.max_iter, 1, self.aggressiveness)
            trials = StudyTrials(study, space, plan_of, rungs, self.n_trials or self.max_iter)
            run_trials(
                *(trials, plan_of({}), data, {}, client),
                max_losses=MOST_LOSSES,
                patience=PATIENCE,
                work=Work(hold_rows, learn_on),
            )
        self._take(study)
        best = client.submit(_trained, plan_of(self.best_params_), *data.parts, pure=False)
        self.best_estimator_ = best.result()
        return self

    def predict(self, X: Any) -> Any:
        """Return what the best model predicts, lazily: a Series like `X`."""
        return self._mapped(X, "predict")

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities that the best model gives, lazily: a frame like `X`."""
        return self._mapped(X, "predict_proba")

    def score(self, X: Any, y: Any) -> float:
        """Return the score of the best model, by `scoring` or else its own, on a table of pandas'.

        Raises
        ------
        InputError
            The table is no pandas DataFrame: `dmlkit.metrics` judges what `predict` returns of
            dask's.
        """
        if not isinstance(X, pd.DataFrame):
            raise InputError(
                "score takes a pandas DataFrame here. Of a dask one, give predict(X) to a metric "
                "of dmlkit.metrics."
            )
        self._check_fitted()
        scoring = get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring
        model, X = self.best_estimator_, self._in_order(X)
        return float(model.score(X, y) if scoring is None else scoring(model, X, y))

    @property
    def classes_(self) -> Any:
        """The classes of the best model."""
        self._check_fitted()
        return self.best_estimator_.classes_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def _repr_html_(self) -> str:
        return html_of_search(self, self.parameters)

    def _check(self) -> None:
        if not hasattr(self.estimator, "partial_fit"):
            raise ConfigurationError(
                f"{type(self.estimator).__name__} has no partial_fit. For boosted trees take "
                "ParameterSearch."
            )
        for name, least in (("max_iter", 1), ("aggressiveness", 2), ("batch_size", 1)):
            if not getattr(self, name) >= least:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be {least} or more."
                )
        if not 0 < self.test_size < 1:
            raise ConfigurationError(
                f"test_size is {self.test_size}; it must be a share between 0 and 1."
            )

    def _split(self, X: Any, y: Any) -> list[Any]:
        if isinstance(X, pd.DataFrame):
            X, y = dd.from_pandas(X, npartitions=1, sort=False), pd.Series(y)
            y = dd.from_pandas(y, npartitions=1, sort=False)
        if not isinstance(y, dd.Series) or y.npartitions != X.npartitions:
            raise InputError(
                "Labels must be a dask Series partitioned like the table. Take both from one dask "
                "frame."
            )
        parts = partitions_of(X)
        lengths, labels = dask.compute(for_each(len, parts), for_each(len, partitions_of(y)))
        check_lengths(lengths, labels)
        starts = list(accumulate(lengths, initial=0))[:-1]
        split = partial(split_part, share=self.test_size, seed=seed_of(self.random_state))
        return list(for_each(split, parts, partitions_of(y), starts))

    def _study(self) -> optuna.Study:
        pruner = pruner_of("hyperband", self.max_iter, 1, self.aggressiveness)
        return open_study(None, "tpe", pruner, "maximize", seed_of(self.random_state), "")

    def _take(self, study: optuna.Study) -> None:
        self.trials_ = as_frame(study)
        if not study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            failed = study.get_trials(deepcopy=False, states=[TrialState.FAIL])
            first = f" The first failed: {failed[0].user_attrs.get(ERROR)}." if failed else ""
            raise TrainingError(f"None of {len(self.trials_):,} trials was finished.{first}")
        self.best_params_ = dict(study.best_params)
        self.best_score_ = float(study.best_value)

    def _check_fitted(self) -> None:
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError("This HyperbandSearchCV is not fitted yet: call fit first.")

    def _in_order(self, X: Any) -> Any:
        """Return the columns that were learnt from, in their order."""
        names = getattr(self.best_estimator_, "feature_names_in_", X.columns)
        for name in names:
            if name not in X.columns:
                raise MissingColumnError.of("frame", name, X.columns)
        return X[list(names)]

    def _mapped(self, X: Any, method: str) -> Any:
        self._check_fitted()
        X = self._in_order(X)
        apply = partial(_predicted, self.best_estimator_, method)
        if isinstance(X, pd.DataFrame):
            return apply(X)
        sample = apply(pd.DataFrame(0, index=[0], columns=X.columns).astype(X.dtypes)).iloc[:0]
        return X.map_partitions(apply, meta=sample)


def _trained(plan: PartialPlan, *parts: Any) -> Any:
    leg = learn_on(hold_rows(plan, parts, {}, 1), plan, None)
    return pickle.loads(leg.checkpoint)[1]  # type: ignore[union-attr]


def _predicted(model: Any, method: str, part: pd.DataFrame) -> Any:
    # scikit-learn refuses a table without rows.
    padded = part if len(part) else pd.DataFrame(0, index=[0], columns=part.columns)
    values = getattr(model, method)(padded)[: len(part)]
    if values.ndim == 1:
        return pd.Series(values, index=part.index, name="prediction")
    return pd.DataFrame(values, index=part.index, columns=list(model.classes_))
