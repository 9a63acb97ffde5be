"""One training of XGBoost over the cluster: the seam behind which it is made to survive faults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import distributed
import xgboost
from distributed import Client
from xgboost import collective
from xgboost import dask as xgboost_dask
from xgboost.callback import EarlyStopping, TrainingCallback

from dmlkit.boosting.exact_metrics import EXACT, ExactMetrics
from dmlkit.boosting.training_data import TrainingData
from dmlkit.errors import TrainingError

__all__ = ["History", "Plan", "Trained", "train"]

History = dict[str, dict[str, list[float]]]

#: Workers tell of their rounds under this topic; `dmlkit.observe` listens to it.
TOPIC = "dmlkit"

#: At most one message in so many seconds.
MESSAGE_INTERVAL = 0.25


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes
    ----------
    parameters : mapping
        As `xgboost.train` takes them, without evaluation metrics.
    rounds : int
        Boosting rounds, at most.
    metrics : tuple of str
        Evaluated on each evaluation table in each round.
    early_stopping_rounds : int or None
        Stop when the last metric on the last table has not improved for so many rounds.
    """

    parameters: Mapping[str, Any]
    rounds: int
    metrics: tuple[str, ...]
    early_stopping_rounds: int | None


@dataclass(frozen=True)
class Trained:
    """A finished model.

    Attributes
    ----------
    booster : xgboost.Booster
        Cut after the best round where early stopping was asked for.
    history : dict
        Metrics by table, metric and round.
    best_iteration : int or None
    """

    booster: xgboost.Booster
    history: History
    best_iteration: int | None


def train(
    plan: Plan, data: TrainingData, evaluations: Mapping[str, TrainingData], client: Client
) -> Trained:
    """Train on the workers that hold the data.

    Raises
    ------
    TrainingError
        XGBoost refuses the parameters, or a worker was lost.
    """
    exact = [name for name in plan.metrics if name in EXACT]
    matrix = _matrix(plan, data, client, ref=None)
    watched = [
        (matrix if of is data else _matrix(plan, of, client, ref=matrix), name)
        for name, of in evaluations.items()
    ]
    try:
        found = xgboost_dask.train(
            client,
            _with_metrics(plan.parameters, [name for name in plan.metrics if name not in exact]),
            matrix,
            num_boost_round=plan.rounds,
            evals=watched,
            custom_metric=ExactMetrics(exact) if exact and watched else None,
            callbacks=_callbacks(plan, list(evaluations)),
            verbose_eval=False,
        )
    except (xgboost.core.XGBoostError, RuntimeError, ValueError, OSError) as error:
        raise TrainingError(_explain(error)) from error
    return _trained(found["booster"], found["history"], plan)


def _matrix(plan: Plan, data: TrainingData, client: Client, ref: Any) -> Any:
    arguments = {**data.matrix_arguments, "enable_categorical": True}
    if plan.parameters.get("tree_method", "hist") in ("hist", "auto"):
        bins = int(plan.parameters.get("max_bin", 256))
        return xgboost_dask.DaskQuantileDMatrix(client, max_bin=bins, ref=ref, **arguments)
    return xgboost_dask.DaskDMatrix(client, **arguments)


def _with_metrics(parameters: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    if metrics:
        return {**parameters, "eval_metric": list(metrics)}
    return {**parameters, "disable_default_eval_metric": True}


def _callbacks(plan: Plan, tables: Sequence[str]) -> list[TrainingCallback]:
    callbacks: list[TrainingCallback] = [TellRounds(plan.rounds)]
    if plan.early_stopping_rounds is not None:
        callbacks.append(
            EarlyStopping(
                rounds=plan.early_stopping_rounds,
                metric_name=plan.metrics[-1],
                data_name=tables[-1],
            )
        )
    return callbacks


class TellRounds(TrainingCallback):
    """Tells the cluster of each round, now and then, as an event of the first worker."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._told = 0.0
        super().__init__()

    def after_iteration(self, _model: Any, epoch: int, evals_log: Any) -> bool:
        """Send the round and its metrics; never stop the training."""
        now = distributed.metrics.time()
        last = epoch + 1 == self._total
        if collective.get_rank() == 0 and (last or now - self._told > MESSAGE_INTERVAL):
            self._told = now
            metrics = {
                f"{table}-{metric}": float(values[-1])
                for table, by_metric in evals_log.items()
                for metric, values in by_metric.items()
            }
            message = {
                "kind": "training-round",
                "round": epoch + 1,
                "total": self._total,
                "metrics": metrics,
            }
            distributed.get_worker().log_event(TOPIC, message)
        return False


def _trained(booster: xgboost.Booster, history: Any, plan: Plan) -> Trained:
    plain = {
        table: {metric: [float(value) for value in values] for metric, values in of.items()}
        for table, of in history.items()
    }
    if plan.early_stopping_rounds is None:
        return Trained(booster, plain, None)
    best = int(booster.best_iteration)
    return Trained(booster[: best + 1], plain, best)


def _explain(error: Exception) -> str:
    text = str(error)
    if "Resilience is not yet supported" in text or "Missing required workers" in text:
        return (
            "A worker was lost while training, and with it the rounds done so far. Start again: "
            "with --resume the stages before the training are taken over. If it was killed for "
            "memory, use larger workers or more of them."
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = next((line for line in lines if "Check failed" in line), lines[0] if lines else "")
    reason = reason.partition("Check failed: ")[2] or reason
    return f"XGBoost cannot train: {reason or type(error).__name__}"
