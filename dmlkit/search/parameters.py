"""`ParameterSearch`: parameters of boosted trees, compared on rows that were not trained on."""

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import optuna
from optuna.trial import TrialState

from dmlkit.boosting import XGBClassifier, XGBRanker, XGBRegressor
from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.model import evaluation_tables
from dmlkit.boosting.objectives import label_rule
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.planning import Start, plan_of
from dmlkit.boosting.roles import LABEL, QUERY, WEIGHT
from dmlkit.boosting.rounds import HIGHER_IS_BETTER
from dmlkit.boosting.training_data import TrainingData, gather
from dmlkit.cluster import connect
from dmlkit.declared import parameters_of, set_parameters
from dmlkit.errors import ConfigurationError, MissingColumnError, NotFittedError, TrainingError
from dmlkit.search.running import run_trials
from dmlkit.search.studies import (
    ERROR,
    as_frame,
    checked_space,
    grid_of,
    open_study,
    pruner_of,
    quietly,
)
from dmlkit.search.trials import StudyTrials, rungs_of

__all__ = ["ParameterSearch"]


@dataclass(eq=False)
class ParameterSearch:
    """Search for the parameters of a classifier, regressor or ranker.

    Each worker holds the rows in bins, made once and shared by all its trials; it trains one trial
    at a time with all its threads. A trial that XGBoost refuses is noted as failed; one whose
    worker is lost goes on elsewhere from its last rung.

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
    timeout : float, optional
        Seconds after which no trial is started.
    storage : str or Path, optional
        A file that keeps the search (Optuna's journal): with it, a search that was stopped goes on.
    max_losses : int
        Workers that may be lost with a trial before it counts as failed.
    refit : bool
        Whether to train the estimator with the best parameters, on the whole cluster.
    random_state : int

    Attributes
    ----------
    best_params_ : dict
    best_score_ : float
    best_iteration_ : int
        The round of the best score.
    best_estimator_ : XGBClassifier, XGBRegressor or XGBRanker
    trials_ : pandas.DataFrame
        Number, state (``complete``, ``pruned``, ``failed``), score, rounds, seconds, error and
        parameters.

    Notes
    -----
    Trials are trained on CPUs. A worker needs about a byte for each value, and once, while it bins
    them, four.

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
    timeout: float | None = None
    storage: str | Path | None = None
    max_losses: int = 3
    refit: bool = True
    random_state: int = 0

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        eval_set: Sequence[tuple[Any, Any]],
        sample_weight: Any = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        **queries: Any,
    ) -> Self:
        """Search on the current client's workers.

        Parameters
        ----------
        X, y, eval_set, sample_weight, sample_weight_eval_set
            As of the estimator's `fit`; the last table of `eval_set` counts.
        **queries
            ``qid`` and ``eval_qid``, as of `XGBRanker.fit`.

        Raises
        ------
        ConfigurationError
            A parameter of the search or of the space is wrong.
        InputError
            The tables cannot be trained on, or `storage` holds another search.
        TrainingError
            No trial could be trained, or no worker is left.
        """
        self._check(queries)
        space = checked_space(self.space)
        grid = grid_of(space) if self.sampler == "grid" else []
        client = connect()
        weights = {"sample_weight_eval_set": sample_weight_eval_set}
        beside = {QUERY: queries["qid"]} if queries else {}
        table = GivenTable("training", X, {LABEL: y, **beside, WEIGHT: sample_weight})
        of_queries = {"eval_qid": queries["eval_qid"]} if queries else {}
        watched = evaluation_tables(eval_set, (LABEL, *beside, WEIGHT), **of_queries, **weights)
        if not watched:
            raise ConfigurationError("A search needs an eval_set to compare trials on.")
        patience = float(self.estimator.get_params()["worker_timeout"])
        rule = label_rule(self._objective())
        data = gather(table, rule, client, worker_timeout=patience)
        tables = {
            f"validation_{number}": gather(
                _with_columns(other, data.features), rule, client, worker_timeout=patience
            )
            for number, other in enumerate(watched)
        }
        plan = self._plan({}, data, tables)
        with quietly():
            study = self._study(plan, space)
            for chosen in grid:
                study.enqueue_trial(chosen, skip_if_exists=True)
            trials = StudyTrials(
                study,
                space,
                lambda parameters: self._plan(parameters, data, tables),
                self._rungs(),
                len(grid) or self.n_trials,
                math.inf if self.timeout is None else time.monotonic() + self.timeout,
                plan.metrics[-1],
            )
            run_trials(
                *(trials, plan, data, tables, client),
                max_losses=self.max_losses,
                patience=patience,
            )
        self._take(study)
        if self.refit:
            given = {"eval_set": eval_set, "sample_weight": sample_weight, **weights, **queries}
            self.best_estimator_ = self._with(self.best_params_).fit(X, y, **given)
        return self

    def predict(self, X: Any) -> Any:
        """Return what the best estimator predicts, lazily."""
        return self._best().predict(X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities that the best estimator gives, lazily."""
        return self._best().predict_proba(X)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters."""
        return parameters_of(self)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def _check(self, queries: Mapping[str, Any]) -> None:
        if not isinstance(self.estimator, (XGBClassifier, XGBRegressor, XGBRanker)):
            raise ConfigurationError(
                f"estimator is {type(self.estimator).__name__}; it must be an XGBClassifier, "
                "XGBRegressor or XGBRanker of dmlkit.boosting."
            )
        needed = {"qid", "eval_qid"} if isinstance(self.estimator, XGBRanker) else set()
        if set(queries) != needed:
            raise ConfigurationError(
                f"fit was given {sorted(queries) or 'no queries'}; a search with a "
                f"{type(self.estimator).__name__} takes {sorted(needed) or 'none'} beside weights."
            )
        if self._objective() == "survival:aft":
            raise ConfigurationError("A search takes labels, not bounds: no 'survival:aft'.")
        least = {"n_trials": 1, "min_rounds": 1, "reduction_factor": 2, "max_losses": 1}
        for name, lowest in least.items():
            if not getattr(self, name) >= lowest:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}; it must be {lowest} or more."
                )

    def _objective(self) -> str:
        given = self.estimator.get_params()["objective"]
        return given if isinstance(given, str) else self.estimator.default_objective

    def _rounds(self) -> int:
        return int(self.estimator.get_params()["n_estimators"])

    def _rungs(self) -> list[int]:
        if self.pruner is None:
            return [self._rounds()]
        return rungs_of(self._rounds(), self.min_rounds, self.reduction_factor)

    def _with(self, parameters: Mapping[str, Any]) -> Any:
        return type(self.estimator)(**{**self.estimator.get_params(), **parameters})

    def _plan(
        self,
        parameters: Mapping[str, Any],
        data: TrainingData,
        tables: Mapping[str, TrainingData],
    ) -> Plan:
        model = self._with(parameters)
        return plan_of(model.get_params(), model.trainable(data), "cpu", data, tables, Start())

    def _study(self, plan: Plan, space: Mapping[str, Any]) -> optuna.Study:
        last = plan.metrics[-1]
        higher = last != "mape" and last.startswith(HIGHER_IS_BETTER)
        told = json.dumps([plan.made_for, plan.rounds, sorted(map(repr, space.items()))])
        return open_study(
            self.storage,
            self.sampler,
            pruner_of(self.pruner, self._rounds(), self.min_rounds, self.reduction_factor),
            "maximize" if higher else "minimize",
            self.random_state,
            hashlib.sha256(told.encode()).hexdigest(),
        )

    def _take(self, study: optuna.Study) -> None:
        """Take the best trial, or raise when there is none."""
        self.trials_ = as_frame(study)
        if not study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            failed = study.get_trials(deepcopy=False, states=[TrialState.FAIL])
            first = f" The first failed: {failed[0].user_attrs.get(ERROR)}." if failed else ""
            raise TrainingError(f"None of {len(self.trials_):,} trials was finished.{first}")
        best = study.best_trial
        self.best_params_ = dict(best.params)
        self.best_score_ = float(study.best_value)
        self.best_iteration_ = int(best.user_attrs["best_iteration"])

    def _best(self) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError("There is no best estimator yet: call fit first, with refit=True.")
        return self.best_estimator_


def _with_columns(table: GivenTable, features: Sequence[str]) -> GivenTable:
    for name in features:
        if name not in table.features.columns:
            raise MissingColumnError.of(table.name, name, table.features.columns)
    return GivenTable(table.name, table.features[list(features)], table.beside)
