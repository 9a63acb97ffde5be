"""`ParameterSearch`: parameters of boosted trees, compared on rows that were not trained on."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self

import optuna
from optuna.trial import TrialState

from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.model import evaluation_tables
from dmlkit.boosting.objectives import label_rule
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.planning import Start, plan_of
from dmlkit.boosting.roles import LABEL, QUERY, WEIGHT
from dmlkit.boosting.rounds import is_higher_better
from dmlkit.cluster import connect
from dmlkit.declared import parameters_of, seed_of, set_parameters
from dmlkit.errors import NotFittedError, TrainingError
from dmlkit.model_selection.failures import check_error_score, warn_of_failures
from dmlkit.search.checks import check_search, objective_of
from dmlkit.search.compared import Compared, check_compared, compared
from dmlkit.search.fingerprint import fingerprint_of
from dmlkit.search.running import run_trials
from dmlkit.search.shown import html_of_search
from dmlkit.search.standings import Standings
from dmlkit.search.studies import (
    ERROR,
    as_frame,
    checked_space,
    grid_of,
    held_alone,
    open_study,
    pruner_of,
    quietly,
)
from dmlkit.search.trials import StudyTrials, rungs_of

__all__ = ["ParameterSearch"]


@dataclass(eq=False)
class ParameterSearch:
    """Search for the parameters of a classifier, regressor or ranker.

    Each worker holds the rows in bins, made once and shared by all its trials; it trains as many at
    a time as it has threads. A trial that XGBoost refuses is noted as failed; one whose worker is
    lost goes on elsewhere from its last rung.

    Parameters
    ----------
    estimator : XGBClassifier, XGBRegressor or XGBRanker
        What all trials have in common: ``n_estimators`` (rounds, at most), ``eval_metric`` (the
        last one counts), ``early_stopping_rounds`` and so on.
    space : mapping of str to list or distribution
        What each parameter may be: a list of values, or one of ``optuna.distributions``.
    n_trials : int
        In all, with those that `storage` has already. ``sampler="grid"`` tries all combinations.
    sampler : {"tpe", "random", "grid"}
    pruner : {"asha", "hyperband"} or None
        What gives up on trials that are worse than others after as many rounds.
    min_rounds : int
        After so many rounds trials are first compared, then after `reduction_factor` times as many.
    reduction_factor : int
        One of so many trials goes on.
    cv : int or splitter, optional
        Compare trials by the mean over folds, and not on an ``eval_set``: a number of folds (of a
        classifier with the shares of classes kept, of a ranker with queries whole), or a splitter
        of `dmlkit.model_selection`.
    timeout : float, optional
        Seconds after which no trial is started.
    storage : str or Path, optional
        A file that keeps the search (Optuna's journal): with it, a search that was stopped goes on.
    max_losses : int
        Workers that may be lost with a trial before it counts as failed.
    refit : bool
        Whether to train the estimator with the best parameters, on the whole cluster.
    random_state : int
    error_score : float or "raise"
        The score in `trials_` of a trial that cannot be trained, which is warned of: scikit-learn's
        ``FitFailedWarning`` says how many failed, and why. It is never the best one. With
        ``"raise"`` the first that fails ends the search.

    Attributes
    ----------
    best_params_ : dict
    best_score_ : float
        With folds, the mean over them.
    best_iteration_ : int
        The round of the best score.
    best_estimator_ : XGBClassifier, XGBRegressor or XGBRanker
    trials_ : pandas.DataFrame
        Number, state (``complete``, ``pruned``, ``failed``), score, rounds, seconds, error and
        parameters; with folds ``std``, the standard deviation over them, and ``split0_score`` and
        so on.

    Notes
    -----
    Trials are trained on CPUs. A worker needs about a byte for each value, and once, while it bins
    them, four. With folds it needs a byte for each value and fold: each is binned once, by the rows
    that it trains on, and all trials share the bins.

    All folds of a trial are trained side by side, round by round. It is pruned by the mean over all
    of them at a rung; early stopping looks at the mean, too, so that there is one best round.
    `best_estimator_` is then trained on all rows, with early stopping up to that round.

    References
    ----------
    Akiba, Sano, Yanase, Ohta, Koyama: *Optuna*. KDD 2019.
    Li et al.: *A System for Massively Parallel Hyperparameter Tuning*. MLSys 2020 (ASHA).

    Examples
    --------
    >>> import pandas as pd
    >>> from dmlkit import connect
    >>> from dmlkit.boosting import XGBRegressor
    >>> table = pd.DataFrame({"x": [float(number) for number in range(100)]})
    >>> search = ParameterSearch(
    ...     XGBRegressor(n_estimators=8), {"max_depth": [1, 5]}, sampler="grid", refit=False
    ... )
    >>> with connect(workers=1, threads=1, memory="1GiB"):
    ...     _ = search.fit(table, table["x"], eval_set=[(table, table["x"])])
    >>> search.best_params_
    {'max_depth': 5}
    """

    estimator: Any
    space: Mapping[str, Any]
    n_trials: int = 50
    sampler: str = "tpe"
    pruner: str | None = "asha"
    min_rounds: int = 10
    reduction_factor: int = 3
    cv: Any = None
    timeout: float | None = None
    storage: str | Path | None = None
    max_losses: int = 3
    refit: bool = True
    random_state: int = 0
    error_score: float | str = math.nan

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        sample_weight: Any = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        groups: Any = None,
        time: Any = None,
        **queries: Any,
    ) -> Self:
        """Search on the current client's workers.

        Parameters
        ----------
        X, y, eval_set, sample_weight, sample_weight_eval_set
            As of the estimator's `fit`; the last table of `eval_set` counts. With `cv` there is
            none.
        groups, time : Series like y, optional
            What must not be torn apart, and when a row happened, for a `cv` that asks for it.
        **queries
            ``qid`` and ``eval_qid``, as of `XGBRanker.fit`; with `cv`, ``qid`` alone.

        Raises
        ------
        ConfigurationError
            A parameter of the search or of the space is wrong.
        InputError
            The tables cannot be trained on, or `storage` holds another search.
        TrainingError
            No trial could be trained, or no worker is left; with ``error_score="raise"`` also if
            one trial could not.
        """
        check_error_score(self.error_score)
        check_compared(self.cv, self.estimator, eval_set, groups=groups, time=time)
        check_search(self, queries)
        space = checked_space(self.space)
        grid = grid_of(space) if self.sampler == "grid" else []
        client = connect()
        weights = {"sample_weight_eval_set": sample_weight_eval_set}
        beside = {QUERY: queries["qid"]} if queries else {}
        table = GivenTable("training", X, {LABEL: y, **beside, WEIGHT: sample_weight})
        of_queries = {"eval_qid": queries["eval_qid"]} if "eval_qid" in queries else {}
        watched = evaluation_tables(eval_set, (LABEL, *beside, WEIGHT), **of_queries, **weights)
        patience = float(self.estimator.get_params()["worker_timeout"])
        rule = label_rule(objective_of(self.estimator))
        given = (self.cv, self.estimator, table, watched, rule, client)
        rows = compared(*given, groups=groups, time=time)
        plan = self._plan({}, rows)
        with quietly(), held_alone(self.storage):
            made_of = [] if self.storage is None else [fingerprint_of(rows.all, client)]
            study = self._study(plan, space, [*rows.folds, *made_of])
            for chosen in grid:
                study.enqueue_trial(chosen, skip_if_exists=True)
            trials = StudyTrials(
                study,
                space,
                lambda parameters: self._plan(parameters, rows),
                self._rungs(),
                len(grid) or self.n_trials,
                math.inf if self.timeout is None else monotonic() + self.timeout,
                plan.metrics[-1],
                self._standings(plan),
                raises=self.error_score == "raise",
            )
            run_trials(
                *(trials, plan, rows.data, rows.beside, client),
                max_losses=self.max_losses,
                patience=patience,
                work=rows.work,
            )
        self._take(study)
        if self.refit:
            same = {"eval_set": eval_set, "sample_weight": sample_weight, **weights, **queries}
            self.best_estimator_ = self._with(self._best_of_all()).fit(X, y, **same)
        return self

    def predict(self, X: Any) -> Any:
        """Return what the best estimator predicts, lazily."""
        return self._best().predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities that the best estimator gives, lazily."""
        return self._best().predict_proba(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the best estimator's own score: accuracy of classes, R² of numbers."""
        found: float = self._best().score(X, y, sample_weight)
        return found

    @property
    def classes_(self) -> Any:
        """The classes of the best estimator, sorted."""
        return self._best().classes_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def _repr_html_(self) -> str:
        return html_of_search(self, self.space)

    def _rounds(self) -> int:
        return int(self.estimator.get_params()["n_estimators"])

    def _rungs(self) -> list[int]:
        if self.pruner is None:
            return [self._rounds()]
        return rungs_of(self._rounds(), self.min_rounds, self.reduction_factor)

    def _standings(self, plan: Plan) -> Standings | None:
        """Return who goes on at a rung, where no draw of parameters waits to be told of it."""
        if self.pruner != "asha" or self.sampler == "tpe":
            return None
        higher = is_higher_better(plan.metrics[-1])
        return Standings(len(self._rungs()) - 1, self.reduction_factor, higher)

    def _with(self, parameters: Mapping[str, Any]) -> Any:
        return type(self.estimator)(**{**self.estimator.get_params(), **parameters})

    def _plan(self, parameters: Mapping[str, Any], rows: Compared) -> Plan:
        model, data = self._with(parameters), rows.data
        return plan_of(model.get_params(), model.trainable(data), "cpu", data, rows.tables, Start())

    def _study(self, plan: Plan, space: Mapping[str, Any], rows: Sequence[Any]) -> optuna.Study:
        about = [plan.made_for, plan.rounds, sorted(map(repr, space.items()))]
        told = json.dumps([*about, *rows])
        return open_study(
            self.storage,
            self.sampler,
            pruner_of(self.pruner, self._rounds(), self.min_rounds, self.reduction_factor),
            "maximize" if is_higher_better(plan.metrics[-1]) else "minimize",
            seed_of(self.random_state),
            hashlib.sha256(told.encode()).hexdigest(),
        )

    def _take(self, study: optuna.Study) -> None:
        """Take the best trial, or raise when there is none."""
        instead = math.nan if isinstance(self.error_score, str) else self.error_score
        self.trials_ = as_frame(study, instead)
        if not study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            failed = study.get_trials(deepcopy=False, states=[TrialState.FAIL])
            first = f" The first failed: {failed[0].user_attrs.get(ERROR)}." if failed else ""
            raise TrainingError(f"None of {len(self.trials_):,} trials was finished.{first}")
        reasons = self.trials_["error"][self.trials_["state"] == "failed"]
        warn_of_failures(reasons.tolist(), len(self.trials_), instead)
        best = study.best_trial
        self.best_params_ = dict(best.params)
        self.best_score_ = float(study.best_value)
        self.best_iteration_ = int(best.user_attrs["best_iteration"])

    def _best_of_all(self) -> dict[str, Any]:
        """Return the best parameters as a training takes them that watches no table."""
        if self.cv is None or self.estimator.get_params()["early_stopping_rounds"] is None:
            return self.best_params_
        rounds = {"n_estimators": self.best_iteration_ + 1, "early_stopping_rounds": None}
        return self.best_params_ | rounds

    def _best(self) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError("There is no best estimator yet: call fit first, with refit=True.")
        return self.best_estimator_
