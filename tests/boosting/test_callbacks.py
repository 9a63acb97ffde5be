"""Callbacks of the user's: in every process, of one mind, with a state that outlives failures."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from distributed import Client
from xgboost import collective
from xgboost.callback import EarlyStopping, LearningRateScheduler, TrainingCallback
from xgboost.tracker import RabitTracker

from benchmarks.cluster_faults import kill_trainer, strike
from dmlkit.boosting import Bundle, XGBClassifier, load_bundle, save_bundle
from dmlkit.boosting.checkpoint import load_checkpoint
from dmlkit.errors import ConfigurationError, TrainingError
from tests.boosting.conftest import cut

FEATURES = ["amount", "hour", "country"]


def fitted(frame: pd.DataFrame, *callbacks: Any, resume_from: Any = None, **given: Any) -> Any:
    table = cut(frame, 4)
    X, y = table[FEATURES], table["fraud"]
    parameters = {"n_estimators": 12, "max_depth": 3, "shards": 2, **given}
    model = XGBClassifier(callbacks=callbacks, **parameters)
    return model.fit(X, y, eval_set=[(X, y)], resume_from=resume_from)


def raw(model: XGBClassifier) -> bytes:
    return bytes(model.get_booster().save_raw("ubj"))


class Seen(TrainingCallback):
    """Keeps the rounds and losses that it saw."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.losses: list[float] = []
        self.phases: list[str] = []
        self.lock: Any = None

    def before_training(self, model: Any) -> Any:
        self.phases.append("before")
        self.lock = object()  # no JSON
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        self.rounds.append(epoch)
        self.losses.append(evals_log["validation_0"]["aucpr"][-1])
        return False

    def after_training(self, model: Any) -> Any:
        self.phases.append("after")
        return model


class FirstStops(TrainingCallback):
    """Ends the training in one process only."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        return bool(collective.get_rank() == 1 and epoch == 6)


class Refuses(TrainingCallback):
    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        return epoch == 4

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        return False


class Fails(TrainingCallback):
    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        return bool(1 / (3 - epoch) < 0)


def falling(number: int) -> float:
    return float(0.5 * 0.99**number)


def test_xgboosts_own_callbacks_do_what_they_do_there(
    client: Client, payments: pd.DataFrame
) -> None:
    with_callback = fitted(payments, LearningRateScheduler(falling), learning_rate=0.3)
    rates = [0.3, *map(falling, range(11))]  # XGBoost's scheduler acts after a round
    assert raw(with_callback) == raw(fitted(payments, learning_rate=rates))


def test_what_a_callback_saw_comes_back(client: Client, payments: pd.DataFrame) -> None:
    seen = Seen()
    model = fitted(payments, seen, eval_metric="aucpr")
    assert seen.rounds == list(range(12))
    assert seen.losses == model.evals_result()["validation_0"]["aucpr"]
    assert seen.phases == ["before", "after"]
    assert seen.lock is None
    assert raw(model) == raw(fitted(payments, eval_metric="aucpr"))


@pytest.mark.parametrize(("callback", "rounds"), [(FirstStops(), 7), (Refuses(), 4)])
def test_a_callback_ends_the_training_of_all(
    callback: Any, rounds: int, client: Client, payments: pd.DataFrame
) -> None:
    model = fitted(payments, callback)
    assert model.get_booster().num_boosted_rounds() == rounds
    assert model.restarts_ == ()


@pytest.mark.cluster
def test_its_state_outlives_a_failure_and_the_client(
    client: Client, payments: pd.DataFrame, tmp_path: Path
) -> None:
    struck = strike(client, [(60, kill_trainer)])
    seen, path = Seen(), tmp_path / "checkpoint"
    given = {"eval_metric": "aucpr", "checkpoint_every": 10, "checkpoint_path": path}
    model = fitted(payments, seen, LearningRateScheduler(falling), n_estimators=150, **given)
    struck.join()
    assert len(model.restarts_) == 1
    rates = [0.3, *map(falling, range(149))]
    assert raw(model) == raw(fitted(payments, learning_rate=rates, n_estimators=150))
    assert seen.rounds == list(range(150))
    assert seen.phases == ["before", "before", "after"]
    assert load_checkpoint(path).callbacks[0]["rounds"] == list(range(150))
    later = Seen()
    scheduler = LearningRateScheduler(falling)
    fitted(payments, later, scheduler, n_estimators=160, resume_from=path, **given)
    assert later.rounds == list(range(160))


def test_a_callback_that_fails_is_named(client: Client, payments: pd.DataFrame) -> None:
    with pytest.raises(
        TrainingError, match=r"callback Fails failed in round 3 .*ZeroDivisionError"
    ):
        fitted(payments, Fails())


class Parts(TrainingCallback):
    """Has one process wait for somebody who never comes."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
        if epoch == 5 and collective.get_rank() == 1:
            tracker = RabitTracker(n_workers=1, host_ip="127.0.0.1")
            tracker.start()
            tracker.wait_for(60)
        return False


@pytest.mark.cluster
def test_processes_that_wait_for_each_other_are_ended(
    client: Client, payments: pd.DataFrame
) -> None:
    with pytest.raises(TrainingError, match=r"stood still.* waited for each other for 2 s"):
        fitted(payments, Parts(), worker_timeout=2.0, max_restarts=0)


@pytest.mark.parametrize(
    ("callbacks", "said"),
    [
        ([EarlyStopping(rounds=7)], "early_stopping_rounds=7"),
        ([print], "no xgboost.callback.TrainingCallback"),
        (FirstStops(), "no list"),
    ],
)
def test_what_is_no_callback_is_refused(callbacks: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        XGBClassifier(callbacks=callbacks)


def test_a_callback_with_an_open_file_is_refused(client: Client, payments: pd.DataFrame) -> None:
    seen = Seen()
    seen.lock = io.FileIO("/dev/null")
    with pytest.raises(ConfigurationError, match=r"Seen cannot be sent.*before_training"):
        fitted(payments, seen)


def test_a_bundle_has_no_callbacks(client: Client, payments: pd.DataFrame, tmp_path: Path) -> None:
    model = fitted(payments, Seen(), eval_metric="aucpr")
    save_bundle(tmp_path / "model", Bundle(model, {}, {}, 0.5, {}, {}))
    assert load_bundle(tmp_path / "model").model.get_params()["callbacks"] is None
