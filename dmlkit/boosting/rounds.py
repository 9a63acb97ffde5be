"""Round after round of boosting, from the first or from a checkpoint on."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xgboost
from xgboost import collective
from xgboost.callback import CallbackContainer, TrainingCallback

from dmlkit.boosting.callbacks import OwnCallbacks
from dmlkit.boosting.checkpoint import Checkpoint
from dmlkit.boosting.exact_metrics import ExactMetrics
from dmlkit.boosting.functions import FunctionMetrics, native_objective, unpacked
from dmlkit.boosting.plan import History, Plan, Trained

__all__ = ["boost", "is_higher_better"]

#: Of the time of training that checkpoints may cost, where their cost decides.
CHECKPOINT_SHARE = 0.01

#: Seconds between two checkpoints: at least, since a lost second hardly counts, and at most.
SOONEST, LATEST = 1.0, 30.0

#: What grows trees by histograms, and with any of these set draws random numbers.
GROWERS = {"cpu": "grow_quantile_histmaker", "cuda": "grow_gpu_hist"}
SAMPLING = (
    "subsample",
    "colsample_bytree",
    "colsample_bylevel",
    "colsample_bynode",
    "num_parallel_tree",
)

#: As in XGBoost's own early stopping.
HIGHER_IS_BETTER = ("auc", "aucpr", "pre", "map", "ndcg")

Tell = Callable[[int, Mapping[str, float]], None]


def is_higher_better(metric: str) -> bool:
    """Tell whether more of a metric is better.

    Examples
    --------
    >>> is_higher_better("map@5"), is_higher_better("mape")
    (True, False)
    """
    return metric != "mape" and metric.startswith(HIGHER_IS_BETTER)


def boost(
    plan: Plan,
    matrix: Any,
    watched: Sequence[tuple[Any, str]],
    threads: int | Callable[[], int],
    start: Checkpoint | None,
    tell: Tell,
    keep: Callable[[Checkpoint], None],
) -> Trained:
    """Train up to the last round, or until early stopping.

    Parameters
    ----------
    plan : Plan
    matrix : DMatrix
    watched : sequence of (DMatrix, str)
        What is evaluated in each round.
    threads : int or callable
        How many to use, or what tells so before each round.
    start : Checkpoint or None
        The rounds that are done.
    tell : callable
        Given the rounds done and the metrics, after each round.
    keep : callable
        Given a checkpoint, now and then.
    """
    start = start or Checkpoint(0, plan.base, {})
    objective, metrics = unpacked(plan.functions)
    share = threads if callable(threads) else lambda: threads
    crew = share()
    booster = xgboost.Booster(
        _parameters(plan, crew),
        [matrix, *(table for table, _ in watched if table is not matrix)],
        model_file=bytearray(start.raw) or None,
    )
    stop, own = _Stop(plan), OwnCallbacks(plan.callbacks, start.callbacks)
    around = _Around(
        [own, stop, _Tell(tell), _Keep(plan, keep, own)],
        metric=_own_metrics(plan, metrics) if watched else None,
        output_margin=False,
    )
    around.asks_xgboost = bool(plan.native_metrics) or collective.get_world_size() > 1
    if start.parameters:
        booster.load_config(start.parameters)
    around.history.update(start.history)
    booster = around.before_training(booster)
    for number in range(start.rounds, plan.rounds):
        if stop.now(around.history):
            break
        if crew != (crew := share()):
            booster.set_param({"nthread": crew})
        _draw_anew(booster, plan)
        if plan.learning_rates:
            booster.set_param({"learning_rate": plan.learning_rates[number]})
        if around.before_iteration(booster, number, matrix, list(watched)):
            break
        booster.update(
            matrix,
            iteration=plan.base_rounds + number,
            fobj=None if objective is None else native_objective(objective),
        )
        if around.after_iteration(booster, number, matrix, list(watched)):
            break
    booster = around.after_training(booster)
    best = stop.best(around.history)
    kept = None if best is None else plan.base_rounds + best
    return _trained(booster, plain(around.history), kept, own)


def _own_metrics(plan: Plan, functions: Sequence[Callable[..., Any]]) -> Any:
    """Return what evaluates the metrics that are not XGBoost's, or None where all are."""
    own: list[Any] = [ExactMetrics(plan.exact)] if plan.exact else []
    own += [FunctionMetrics(functions)] if functions else []
    if not own:
        return None
    return lambda score, matrix: [each for metrics in own for each in metrics(score, matrix)]


def _draw_anew(booster: Any, plan: Plan) -> None:
    """Let the random numbers of a round follow from the seed and its number alone.

    What grows trees has a generator of its own, made when it is made and not kept in the model
    (XGBoost 3.2): a training that goes on from a checkpoint would draw other rows and columns.
    Naming another updater, and then this one again, has it made anew; that costs nothing to speak
    of.
    """
    parameters = plan.parameters
    if parameters.get("tree_method", "hist") not in ("hist", "auto"):
        return
    if any(parameters.get(name, 1) != 1 for name in SAMPLING):
        booster.set_param({"updater": "prune"})
        booster.num_boosted_rounds()  # parameters are acted on when something is asked
        booster.set_param({"updater": GROWERS[str(parameters.get("device", "cpu"))]})


def _trained(booster: Any, history: History, best: int | None, own: OwnCallbacks) -> Trained:
    kept = booster if best is None else booster[: best + 1]
    return Trained(bytes(kept.save_raw("ubj")), history, best, own.states())


def _parameters(plan: Plan, threads: int) -> dict[str, Any]:
    own = plan.native_metrics
    metrics = {"eval_metric": list(own)} if own else {"disable_default_eval_metric": True}
    # The other half of `_draw_anew`.
    return {**plan.parameters, **metrics, "seed_per_iteration": True, "nthread": threads}


class _Around(CallbackContainer):
    """XGBoost's, but that metrics of our own are asked alone where there are no others.

    XGBoost first goes through all tables for its own metrics, also where there are none: a third of
    a round's time with flat trees.
    """

    asks_xgboost = True

    def after_iteration(self, model: Any, epoch: int, dtrain: Any, evals: Any) -> bool:
        if self.metric is None or self.asks_xgboost:
            return super().after_iteration(model, epoch, dtrain, evals)
        for table, name in evals:
            found = self.metric(model.predict(table, validate_features=False), table)
            # With the digits that XGBoost gives.
            told = [(f"{name}-{metric}", float(f"{value:f}")) for metric, value in found]
            self._update_history(told, epoch)
        return any(each.after_iteration(model, epoch, self.history) for each in self.callbacks)


class _Stop(TrainingCallback):
    """Early stopping, told from the history alone."""

    def __init__(self, plan: Plan) -> None:
        self._rounds = plan.early_stopping_rounds
        self._table = plan.tables[-1] if plan.tables else ""
        self._plan = plan
        super().__init__()

    def best(self, history: Mapping[str, Any]) -> int | None:
        """Return the first of the best rounds."""
        if self._rounds is None:
            return None
        metric = self._metric(history)
        values = np.array(history[self._table][metric])
        return int(np.argmax(values) if is_higher_better(metric) else np.argmin(values))

    def _metric(self, history: Mapping[str, Any]) -> str:
        """Return the last metric by its name in the history, which XGBoost may have completed."""
        last = self._plan.metrics[-1]
        native = self._plan.native_metrics
        if last not in native:
            return last
        return list(history[self._table])[len(native) - 1]

    def now(self, history: Mapping[str, Any]) -> bool:
        """Tell whether the last rounds brought nothing."""
        best = self.best(history) if history else None
        if best is None or self._rounds is None:
            return False
        return len(history[self._table][self._metric(history)]) - 1 - best >= self._rounds

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        return self.now(evals_log)


class _Tell(TrainingCallback):
    """Tells each round."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        super().__init__()

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        metrics = {
            f"{table}-{metric}": float(values[-1])
            for table, by_metric in evals_log.items()
            for metric, values in by_metric.items()
        }
        self._tell(epoch + 1, metrics)
        return False


class _Keep(TrainingCallback):
    """Makes a checkpoint when it is due; all processes have the same, so the first one does."""

    def __init__(
        self, plan: Plan, keep: Callable[[Checkpoint], None], callbacks: OwnCallbacks
    ) -> None:
        self._every, self._keep, self._made_for = plan.checkpoint_every, keep, plan.made_for
        self._callbacks = callbacks
        self._cost, self._last = 0.0, time.monotonic()
        super().__init__()

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if collective.get_rank() == 0 and self._due(epoch + 1):
            began = time.monotonic()
            raw = bytes(model.save_raw("ubj"))
            history, states = plain(evals_log), self._callbacks.states()
            # What a callback sets is no part of a saved model.
            parameters = model.save_config() if states else ""
            self._keep(Checkpoint(epoch + 1, raw, history, self._made_for, states, parameters))
            self._last = time.monotonic()
            self._cost = self._last - began
        return False

    def _due(self, rounds: int) -> bool:
        elapsed = time.monotonic() - self._last
        if self._every is not None:
            return bool(self._every) and (rounds % self._every == 0 or elapsed >= LATEST)
        return elapsed >= min(max(SOONEST, self._cost / CHECKPOINT_SHARE), LATEST)


def plain(history: Any) -> History:
    """Return a history in plain dictionaries, lists and floats."""
    return {
        table: {metric: [float(value) for value in values] for metric, values in of.items()}
        for table, of in history.items()
    }
