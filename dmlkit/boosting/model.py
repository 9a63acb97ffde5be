"""`XGBModel`: what classifier, regressor and ranker all are: boosted trees, trained on Dask."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import xgboost
from xgboost.callback import TrainingCallback

from dmlkit.boosting.callbacks import check_callbacks, restore
from dmlkit.boosting.checkpoint import Checkpoint, load_checkpoint
from dmlkit.boosting.device import choose_device
from dmlkit.boosting.elastic import train
from dmlkit.boosting.given_table import GivenTable, check_features, check_kinds
from dmlkit.boosting.memory import MemoryPlan, TableSize
from dmlkit.boosting.memory_check import (
    check_external_memory,
    is_too_large,
    may_use_files,
    plan_on_cluster,
)
from dmlkit.boosting.objectives import Objective, label_rule
from dmlkit.boosting.parameters import HANDLED, check_names
from dmlkit.boosting.plan import History
from dmlkit.boosting.planning import Start, Trainable, plan_of, start_from
from dmlkit.boosting.prediction import booster_of, predict_lazily
from dmlkit.boosting.restarts import Endurance, Restart
from dmlkit.boosting.shown import html_of_model
from dmlkit.boosting.training_data import TrainingData, gather, in_files
from dmlkit.cluster import connect
from dmlkit.declared import tags_of
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError

__all__ = ["XGBModel", "evaluation_tables"]

#: What `Endurance` is made of.
ENDURANCE = ("max_restarts", "worker_timeout", "shards", "checkpoint_path")


class XGBModel:
    """Boosted trees that are trained by XGBoost on the current cluster.

    `XGBClassifier`, `XGBRegressor` and `XGBRanker` are the ones to use; parameters are there.
    """

    #: What scikit-learn calls an estimator like this.
    kind: str

    #: The estimator's objective where none is given, and those that it takes.
    default_objective: str
    objectives: Mapping[str, str]

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        objective: Objective | None = None,
        learning_rate: float | Sequence[float] | Callable[[int], float] | None = None,
        early_stopping_rounds: int | None = None,
        eval_metric: Any = None,
        callbacks: Sequence[TrainingCallback] | None = None,
        device: str = "auto",
        checkpoint_every: int | None = None,
        checkpoint_path: str | Path | None = None,
        max_restarts: int = 10,
        worker_timeout: float = 15.0,
        shards: int | None = None,
        external_memory: bool | str = "auto",
        **parameters: Any,
    ) -> None:
        self._parameters: dict[str, Any] = {
            "n_estimators": n_estimators,
            "objective": objective,
            "learning_rate": learning_rate,
            "early_stopping_rounds": early_stopping_rounds,
            "eval_metric": eval_metric,
            "callbacks": callbacks,
            "device": device,
            "checkpoint_every": checkpoint_every,
            "checkpoint_path": checkpoint_path,
            "max_restarts": max_restarts,
            "worker_timeout": worker_timeout,
            "shards": shards,
            "external_memory": external_memory,
            **parameters,
        }
        self._check(self._parameters)
        self._raw: bytes | None = None
        self._history: History = {}
        self._best: int | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters that were given or have a default of ours."""
        return dict(self._parameters)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        self._check(parameters)
        self._parameters |= parameters
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of(self.kind, allow_nan=True)

    def __sklearn_is_fitted__(self) -> bool:
        return self._raw is not None

    def __repr__(self) -> str:
        given = ", ".join(
            f"{name}={value!r}" for name, value in self._parameters.items() if value is not None
        )
        return f"{type(self).__name__}({given})"

    _repr_html_ = html_of_model

    def get_booster(self) -> xgboost.Booster:
        """Return the trained booster, cut after the best round."""
        return booster_of(self._model())

    def evals_result(self) -> History:
        """Return the metrics of each evaluation table by round."""
        self._model()
        return self._history

    @property
    def best_iteration(self) -> int:
        """The best round, counted from 0; the last one without early stopping."""
        rounds = self.get_booster().num_boosted_rounds()
        return rounds - 1 if self._best is None else self._best

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return len(self.get_booster().feature_names or ())

    @classmethod
    def from_raw(
        cls,
        raw: bytes,
        *,
        parameters: Mapping[str, Any],
        history: History | None = None,
        device: tuple[str, str] = ("cpu", "loaded"),
    ) -> Self:
        """Make a fitted model from a booster as UBJ, such as one that was kept in a file."""
        model = cls(**parameters)
        model._raw, model._history = raw, history or {}
        model.device_, model.device_reason_ = device
        model.restarts_ = ()
        model.feature_names_in_ = np.array(booster_of(raw).feature_names, dtype=object)
        return model

    feature_names_in_: Any
    device_: str
    device_reason_: str
    restarts_: tuple[Restart, ...]

    def plan(self, X: Any, eval_set: Sequence[Any] = ()) -> MemoryPlan:
        """Tell what training on `X` takes of each worker's memory, and whether it fits.

        Nothing is computed but the number of rows.

        Parameters
        ----------
        X : (n, features) dask or pandas DataFrame
        eval_set : sequence of DataFrame
            Features of the tables to be evaluated.

        Returns
        -------
        MemoryPlan
            Prints as a table, with the advice as its last line.
        """
        client = connect()
        tables = [
            TableSize(len(table), len(table.columns), getattr(table, "npartitions", 1))
            for table in (X, *eval_set)
        ]
        found = plan_on_cluster(tables, self._parameters, client)
        return found if self._parameters["external_memory"] is not True else found.in_files()

    @classmethod
    def _check(cls, parameters: Mapping[str, Any]) -> None:
        check_names(name for name in parameters if name not in HANDLED)
        check_external_memory(parameters)
        check_callbacks(parameters.get("callbacks"))
        objective = parameters.get("objective")
        if not (objective is None or callable(objective) or objective in cls.objectives):
            raise ConfigurationError(
                f"objective is {objective!r}; {cls.__name__} takes {', '.join(cls.objectives)}, "
                "or a function of labels and predictions."
            )
        if parameters.get("booster") == "gblinear":
            raise ConfigurationError(
                "booster='gblinear' is no tree and cannot be cut after a round. Use a linear "
                "model, or leave booster out."
            )

    def _fit(
        self,
        table: GivenTable,
        watched: Sequence[GivenTable],
        trainable: Callable[[TrainingData], Trainable],
        check_evaluation: Callable[[GivenTable, TrainingData, TrainingData], None] | None = None,
        resume_from: str | Path | None = None,
        xgb_model: Any = None,
    ) -> Self:
        client = connect()
        start = None if resume_from is None else load_checkpoint(resume_from)
        given = self._parameters
        if given["early_stopping_rounds"] is not None and not watched:
            raise ConfigurationError("early_stopping_rounds needs an eval_set to watch.")
        patience = given["worker_timeout"]
        device = choose_device(given["device"], client, patience)
        named = isinstance(given["objective"], str)
        rule = label_rule(given["objective"] if named else self.default_objective)
        files = given["external_memory"] is True
        data = gather(table, rule, client, worker_timeout=patience, in_files=files)
        task = trainable(data)
        tables = {}
        for number, other in enumerate(watched):
            if other.is_same_as(table):
                found = data
            else:
                other = _with_features_of(data, other)
                found = gather(other, rule, client, worker_timeout=patience, in_files=files)
                if check_evaluation is not None:
                    check_evaluation(other, found, data)
            tables[f"validation_{number}"] = found
        base = Start() if xgb_model is None else start_from(xgb_model, data.features)
        on_device = {**given, "device": device.name}
        if not files and is_too_large([data, *tables.values()], on_device, task, client):
            files = True
            data, tables = in_files(data, tables, client, patience)
        plan = plan_of(given, task, device.name, data, tables, base, files)
        _check_start(start, plan.made_for, resume_from)
        put_up_with = {name: given[name] for name in ENDURANCE}
        endurance = Endurance(**put_up_with, may_use_files=may_use_files(given))
        trained, self.restarts_ = train(plan, data, tables, client, endurance, start)
        restore(given["callbacks"], trained.callbacks)
        self._raw, self._history = trained.raw, trained.history
        self._best = trained.best_iteration
        self.device_, self.device_reason_ = device.name, device.reason
        self.feature_names_in_ = np.array(data.features, dtype=object)
        return self

    def _predict(
        self,
        X: Any,
        columns: Sequence[Any] | None,
        base_margin: Any = None,
        *,
        as_margins: bool = False,
    ) -> Any:
        """Return predictions lazily: a Series like `X`, or a frame with `columns`."""
        raw = self._model()
        check_features(X, "prediction")
        names = [str(name) for name in self.feature_names_in_]
        for name in names:
            if name not in X.columns:
                raise MissingColumnError.of("frame", name, X.columns)
        types = booster_of(raw).feature_types or ()
        check_kinds(X, dict(zip(names, types, strict=False)), "prediction")
        return predict_lazily(raw, X[names], columns, base_margin, as_margins=as_margins)

    def _model(self) -> bytes:
        if self._raw is None:
            kind = type(self).__name__
            raise NotFittedError(f"This {kind} is not fitted yet: call fit first.")
        return self._raw


def evaluation_tables(
    eval_set: Sequence[tuple[Any, Any]] | None, roles: Sequence[str], **beside: Any
) -> list[GivenTable]:
    """Return the tables of an ``eval_set`` with what stands beside each of them.

    Parameters
    ----------
    eval_set : sequence of (X, y), optional
    roles : (role of y, ...)
        The role of each y, then that of each of `beside`.
    **beside : sequence or None
        One entry for each table, by the parameter's name.
    """
    sets = list(eval_set or ())
    lists = []
    for name, given in beside.items():
        entries = list(given or [None] * len(sets))
        if len(entries) != len(sets):
            raise InputError(
                f"{name} has {len(entries)} entries for the {len(sets)} tables of eval_set. Give "
                "one for each table, None where it has none."
            )
        lists.append(entries)
    return [
        GivenTable(f"evaluation ({number})", X, dict(zip(roles, (y, *more), strict=True)))
        for number, ((X, y), *more) in enumerate(zip(sets, *lists, strict=True))
    ]


def _with_features_of(training: TrainingData, table: GivenTable) -> GivenTable:
    check_features(table.features, table.name)
    for feature in training.features:
        if feature not in table.features.columns:
            raise MissingColumnError.of(table.name, feature, table.features.columns)
    return GivenTable(table.name, table.features[training.features], table.beside)


def _check_start(start: Checkpoint | None, made_for: str, path: Any) -> None:
    if start is not None and start.made_for != made_for:
        raise InputError(
            f"The checkpoint {path} is of a training with other parameters, columns or numbers of "
            "rows. Give the same ones (only n_estimators may differ), or leave resume_from out."
        )
