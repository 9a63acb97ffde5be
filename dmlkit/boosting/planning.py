"""From an estimator's parameters and the tables it is given to the plan of its training."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xgboost

from dmlkit.boosting.callbacks import packed_callbacks
from dmlkit.boosting.exact_metrics import EXACT
from dmlkit.boosting.functions import packed
from dmlkit.boosting.objectives import Objective
from dmlkit.boosting.parameters import eval_metrics, native_parameters
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.prediction import raw_model
from dmlkit.boosting.training_data import TrainingData
from dmlkit.errors import ConfigurationError, InputError, MissingFileError

__all__ = ["Start", "Trainable", "plan_of", "start_from"]


@dataclass(frozen=True)
class Trainable:
    """What an estimator makes of the tables that it is given.

    Attributes
    ----------
    objective : str or callable
    default_metric : str or None
        What is evaluated where nothing is named.
    parameters : mapping
        Native ones, beside those of the estimator.
    exact : bool
        Whether `ExactMetrics` can evaluate it: labels are 0 and 1.
    """

    objective: Objective
    default_metric: str | None
    parameters: Mapping[str, Any]
    exact: bool = False


@dataclass(frozen=True)
class Start:
    """The trees that a training adds to."""

    raw: bytes = b""
    rounds: int = 0


def plan_of(
    parameters: Mapping[str, Any],
    task: Trainable,
    device: str,
    data: TrainingData,
    tables: Mapping[str, TrainingData],
    start: Start,
    external_memory: bool = False,
) -> Plan:
    """Return the plan of a training.

    Parameters
    ----------
    parameters : mapping
        Those of the estimator, under their scikit-learn names.
    task : Trainable
    device : str
    data : TrainingData
    tables : mapping of str to TrainingData
        Those that are evaluated.
    start : Start
    external_memory : bool
    """
    rates = _learning_rates(parameters["learning_rate"], int(parameters["n_estimators"]))
    scalar = {} if rates else {"learning_rate": parameters["learning_rate"]}
    native = native_parameters({**parameters, "learning_rate": None, **scalar})
    native |= {**task.parameters, "device": device}
    given = eval_metrics(parameters["eval_metric"])
    metrics = given or ([task.default_metric] if task.default_metric else [])
    functions = [metric for metric in metrics if callable(metric)]
    names = [metric.__name__ if callable(metric) else metric for metric in metrics]
    plan = Plan(
        parameters=native,
        rounds=int(parameters["n_estimators"]),
        metrics=tuple(names),
        exact=tuple(name for name in names if name in EXACT and task.exact),
        own=tuple(metric.__name__ for metric in functions),
        functions=packed(task.objective, functions),
        callbacks=packed_callbacks(parameters["callbacks"]),
        early_stopping_rounds=parameters["early_stopping_rounds"],
        features=tuple(data.features),
        tables=tuple(tables),
        checkpoint_every=parameters["checkpoint_every"],
        learning_rates=rates,
        base=start.raw,
        base_rounds=start.rounds,
        external_memory=external_memory,
    )
    rows = [table.summary.rows for table in (data, *tables.values())]
    return replace(plan, made_for=_digest(plan, rows))


def start_from(model: Any, features: Sequence[str]) -> Start:
    """Return what training goes on from: an estimator, a booster, or a file of one.

    Raises
    ------
    InputError
        It is none of these, or has other features.
    MissingFileError
    """
    booster = _booster(model)
    names = list(booster.feature_names or ())
    if names != list(features):
        raise InputError(
            f"xgb_model has the features {', '.join(names[:10])}, but the training table has "
            f"{', '.join(list(features)[:10])}. Give the same columns in the same order."
        )
    return Start(raw_model(booster), booster.num_boosted_rounds())


def _booster(model: Any) -> xgboost.Booster:
    if isinstance(model, xgboost.Booster):
        return model
    if hasattr(model, "get_booster"):
        found: xgboost.Booster = model.get_booster()
        return found
    if not isinstance(model, str | Path):
        raise InputError(
            f"xgb_model is {type(model).__name__}, but an estimator, a Booster or the path of one "
            "is needed."
        )
    if not Path(model).is_file():
        raise MissingFileError(f"There is no model {str(model)!r} to go on from (xgb_model).")
    try:
        return xgboost.Booster(model_file=str(model))
    except xgboost.core.XGBoostError as error:
        raise InputError(f"{str(model)!r} is no model of XGBoost's.") from error


def _learning_rates(given: Any, rounds: int) -> tuple[float, ...]:
    """Return the learning rate of each round, where it changes."""
    if callable(given):
        return tuple(float(given(number)) for number in range(rounds))
    if not isinstance(given, Sequence) or isinstance(given, str):
        return ()
    if len(given) < rounds:
        raise ConfigurationError(
            f"learning_rate has {len(given)} values for {rounds} rounds (n_estimators). Give one "
            "for each round, or a function of its number."
        )
    return tuple(float(rate) for rate in given[:rounds])


def _digest(plan: Plan, rows: Sequence[int]) -> str:
    """Return what two trainings have in common if one can go on where the other ended."""
    parameters = {name: value for name, value in plan.parameters.items() if name != "device"}
    told = json.dumps(
        [sorted(parameters.items()), plan.metrics, plan.features, plan.tables, list(rows)],
        default=repr,
    )
    return hashlib.sha256(told.encode() + plan.functions + plan.base).hexdigest()
