"""A worker that dies in a training ends it with a clear error; the cluster is fit for more."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pandas as pd
import pytest
from distributed import Client, LocalCluster

from dmlkit.boosting import XGBClassifier, shards
from dmlkit.errors import TrainingError
from tests.boosting.conftest import cut

pytestmark = pytest.mark.cluster


@pytest.fixture
def own_client() -> Iterator[Client]:
    """A cluster of this test's own, since it is damaged."""
    with (
        LocalCluster(2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None) as own,
        Client(own) as client,
    ):
        yield client


def kill_a_worker_once_rounds_are_told(client: Client) -> threading.Thread:
    told = threading.Event()
    client.subscribe_topic("dmlkit", lambda _event: told.set())
    victims = client.run(os.getpid)

    def kill() -> None:
        if told.wait(60):
            os.kill(victims[max(victims)], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_a_killed_worker_is_named_and_the_next_training_runs(
    own_client: Client, payments: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "ROWS_FOR_ONE_WORKER", 0)
    table = cut(payments[["amount", "hour", "fraud"]], 4)
    X, y = table[["amount", "hour"]], table["fraud"]
    killer = kill_a_worker_once_rounds_are_told(own_client)
    began = time.monotonic()
    with pytest.raises(TrainingError, match=r"worker tcp://.* was lost while training"):
        XGBClassifier(n_estimators=100_000).fit(X, y, eval_set=[(X, y)])
    assert time.monotonic() - began < 60
    killer.join()
    own_client.wait_for_workers(2, timeout=30)
    assert XGBClassifier(n_estimators=3).fit(X, y).get_booster().num_boosted_rounds() == 3
