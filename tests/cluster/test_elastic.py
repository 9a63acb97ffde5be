"""A training outlives whatever befalls its workers, and its model is the same as without it."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from benchmarks.cluster_faults import FAULTS, exhaust_worker, kill_trainer, kill_worker, strike
from dmlkit.boosting import XGBClassifier
from dmlkit.boosting.checkpoint import load_checkpoint
from dmlkit.errors import TrainingError

pytestmark = pytest.mark.cluster

#: Tried with every change; the others by `make test-long`.
QUICK = ("kill a worker", "freeze a worker")

FEATURES = [f"x{number}" for number in range(8)]
PARAMETERS: dict[str, Any] = {
    "n_estimators": 150,
    "max_depth": 5,
    "subsample": 0.7,
    "colsample_bytree": 0.8,
    "eval_metric": "auc",
    "shards": 2,
    "checkpoint_every": 10,
    "random_state": 3,
}


def part(number: int) -> pd.DataFrame:
    random = np.random.default_rng(number)
    values = random.normal(size=(5000, len(FEATURES))).astype(np.float32)
    margin = values[:, 0] * values[:, 1] + values[:, 2] + random.normal(size=len(values))
    return pd.DataFrame(values, columns=FEATURES).assign(label=(margin > 1).astype(np.int8))


def fitted(resume_from: Any = None, **parameters: Any) -> XGBClassifier:
    table = dd.from_map(part, range(6), meta=part(0).iloc[:0])
    model = XGBClassifier(**{**PARAMETERS, **parameters})
    X, y = table[FEATURES], table["label"]
    return model.fit(X, y, eval_set=[(X, y)], resume_from=resume_from)


def raw(model: XGBClassifier) -> bytes:
    return bytes(model.get_booster().save_raw("ubj"))


@pytest.fixture(scope="module")
def undisturbed() -> XGBClassifier:
    with cluster(2) as _:
        return fitted()


def cluster(workers: int) -> Any:
    return Client(
        n_workers=workers, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None
    )


@pytest.fixture
def own_client() -> Iterator[Client]:
    """A client of a cluster whose workers may be damaged."""
    with cluster(2) as client:
        yield client


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.long)
        for name in FAULTS
        if name.endswith("worker")
    ],
)
def test_a_training_survives(fault: str, own_client: Client, undisturbed: XGBClassifier) -> None:
    survive(fault, own_client, undisturbed)


@pytest.mark.parametrize("fault", [name for name in FAULTS if "trainer" in name])
def test_workers_survive_what_befalls_the_processes_that_train(
    fault: str, client: Client, undisturbed: XGBClassifier
) -> None:
    before = client.run(os.getpid)
    survive(fault, client, undisturbed)
    assert client.run(os.getpid) == before


def test_rows_in_files_are_there_again_after_a_worker_is_lost(
    own_client: Client, undisturbed: XGBClassifier
) -> None:
    survive("kill a worker", own_client, undisturbed, external_memory=True)


def survive(fault: str, client: Client, undisturbed: XGBClassifier, **parameters: Any) -> None:
    struck = strike(client, [(60, FAULTS[fault])])
    began = time.monotonic()
    model = fitted(**({"worker_timeout": 8.0} if "freeze" in fault else {}), **parameters)
    assert time.monotonic() - began < 60
    struck.join()
    assert raw(model) == raw(undisturbed)
    assert model.evals_result() == undisturbed.evals_result()
    (restart,) = model.restarts_
    assert restart.resumed_round >= 50
    assert restart.round >= 60
    assert restart.seconds_lost is not None
    assert restart.worker.startswith("tcp://")


@pytest.mark.long
def test_it_survives_one_failure_after_the_other(
    own_client: Client, undisturbed: XGBClassifier
) -> None:
    struck = strike(own_client, [(30, kill_trainer), (90, kill_worker)])
    model = fitted()
    struck.join()
    assert raw(model) == raw(undisturbed)
    assert len(model.restarts_) == 2


def test_fewer_workers_train_the_same_model(own_client: Client, undisturbed: XGBClassifier) -> None:
    own_client.retire_workers([max(own_client.scheduler_info()["workers"])])
    model = fitted()
    assert raw(model) == raw(undisturbed)
    assert model.restarts_ == ()


def test_a_training_goes_on_in_another_client(
    client: Client, undisturbed: XGBClassifier, tmp_path: Path
) -> None:
    path = tmp_path / "kept" / "checkpoint"
    fitted(n_estimators=80, checkpoint_path=path)
    assert load_checkpoint(path).rounds == 80
    model = fitted(resume_from=path)
    assert raw(model) == raw(undisturbed)
    assert model.evals_result() == undisturbed.evals_result()


def test_too_many_failures_end_it_and_say_where_it_was(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    strike(client, [(60, kill_trainer)])
    with pytest.raises(TrainingError, match=r"crashed.*max_restarts is 0.*resume_from") as found:
        fitted(max_restarts=0, checkpoint_path=path, n_estimators=2000)
    assert str(path) in str(found.value)
    assert load_checkpoint(path).rounds >= 50
    assert fitted(n_estimators=3).get_booster().num_boosted_rounds() == 3


@pytest.mark.long
def test_rows_put_in_by_hand_are_told_to_be_lost(own_client: Client) -> None:
    worker = max(own_client.scheduler_info()["workers"])
    parts = own_client.scatter([part(number) for number in range(6)], workers=[worker])
    table = dd.from_delayed(parts, meta=part(0).iloc[:0])
    strike(own_client, [(60, kill_worker)])
    with pytest.raises(TrainingError, match="cannot be computed again"):
        XGBClassifier(**{**PARAMETERS, "n_estimators": 2000}).fit(
            table[FEATURES], table["label"], eval_set=[(table[FEATURES], table["label"])]
        )


@pytest.mark.long
def test_a_worker_killed_for_its_memory_is_survived(
    own_client: Client, undisturbed: XGBClassifier
) -> None:
    strike(own_client, [(1, exhaust_worker)])  # its nanny takes a moment to see it
    model = fitted()
    assert raw(model) == raw(undisturbed)
    (restart,) = model.restarts_
    assert "was lost" in restart.reason


@pytest.mark.long
def test_a_worker_that_joins_disturbs_nothing(undisturbed: XGBClassifier) -> None:
    with cluster(1) as client:
        strike(client, [(30, lambda client, *_: client.cluster.scale(2))])
        model = fitted()
        client.wait_for_workers(2, timeout=60)
    assert raw(model) == raw(undisturbed)
    assert model.restarts_ == ()


def test_predictions_outlive_a_worker(own_client: Client, undisturbed: XGBClassifier) -> None:
    table = dd.from_map(slow_part, range(12), meta=part(0).iloc[:0])
    lazy = undisturbed.predict_proba(table[FEATURES])
    expected = undisturbed.predict_proba(pd.concat(map(part, range(12)))[FEATURES])
    found = own_client.compute(lazy)
    until = time.monotonic() + 60
    while len(own_client.has_what()) < 2 or not all(own_client.has_what().values()):
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(max(own_client.run(os.getpid).values()), signal.SIGKILL)
    assert np.array_equal(found.result(timeout=60), expected)


def slow_part(number: int) -> pd.DataFrame:
    time.sleep(0.2)
    return part(number)


def test_two_trainings_at_once_and_other_tasks_do_not_wait_for_each_other(
    client: Client, undisturbed: XGBClassifier
) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(fitted) for _ in range(2)]
        others = client.map(lambda number: number + 1, range(20), pure=False)
        assert client.gather(others) == list(range(1, 21))
        assert [raw(model.result()) for model in both] == [raw(undisturbed)] * 2


@pytest.mark.long
def test_a_worker_that_freezes_while_rows_are_loaded_is_given_up(
    own_client: Client, undisturbed: XGBClassifier
) -> None:
    worker, process = max(own_client.run(os.getpid).items())
    held = own_client.submit(part, 0, workers=[worker], allow_other_workers=True, key="held")
    distributed.wait(held)
    os.kill(process, signal.SIGSTOP)
    began = time.monotonic()
    table = dd.from_delayed([held, *map(dask.delayed(part), range(1, 6))], meta=part(0).iloc[:0])
    X, y = table[FEATURES], table["label"]
    model = XGBClassifier(**{**PARAMETERS, "worker_timeout": 5.0}).fit(X, y, eval_set=[(X, y)])
    assert time.monotonic() - began < 60
    assert raw(model) == raw(undisturbed)
