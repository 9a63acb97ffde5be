"""Workers of one machine train in one process: faster, and the rows stay where they are."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from benchmarks.cluster_faults import trainer_of
from dmlkit.boosting import XGBClassifier
from dmlkit.boosting.seats import process_count
from dmlkit.cluster.machines import machines_of
from tests.cluster.test_elastic import FEATURES, PARAMETERS, cluster, part, raw

pytestmark = pytest.mark.cluster


@pytest.fixture
def own_client() -> Iterator[Client]:
    """A client of a cluster whose workers may be damaged."""
    with cluster(2) as client:
        yield client


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    with cluster(1) as _:
        return raw(fitted())


def fitted(rows: Callable[[int], pd.DataFrame] = part, **parameters: Any) -> XGBClassifier:
    """Train in one process on six partitions, three on each of two workers."""
    table = dd.from_map(rows, range(6), meta=part(0).iloc[:0])
    model = XGBClassifier(**{**PARAMETERS, "shards": 1, "n_estimators": 60, **parameters})
    X, y = table[FEATURES], table["label"]
    return model.fit(X, y, eval_set=[(X, y)])


def strike_at(
    client: Client, kind: str, act: Callable[[str, str], None], at_round: int = 0
) -> list[BaseException]:
    """Do something once a training's event is told: given the worker that trains, and the other.

    Returns
    -------
    list of BaseException
        What it raised.
    """
    seats: list[str] = []
    raised: list[BaseException] = []
    done = threading.Event()

    def strike() -> None:
        try:
            (other,) = set(client.scheduler_info(n_workers=-1)["workers"]) - set(seats)
            act(seats[0], other)
        except BaseException as error:
            raised.append(error)

    def hear(event: Any) -> None:
        told = event[1]
        if told["kind"] == "training-attempt" and not seats:
            seats.extend(told["workers"])
        if told["kind"] == kind and told.get("round", 0) >= at_round and not done.is_set():
            done.set()
            threading.Thread(target=strike, daemon=True).start()

    client.subscribe_topic("dmlkit", hear)
    return raised


def test_two_workers_train_as_one_and_keep_their_rows(
    own_client: Client, undisturbed: bytes
) -> None:
    processes = own_client.run(os.getpid)
    held: list[Any] = []
    busy: list[int] = []

    def look(trains: str, _: str) -> None:
        held.extend(own_client.has_what().values())
        threads = trainer_of(processes[trains]).threads()
        busy.append(sum(thread.user_time > 0.05 for thread in threads))

    raised = strike_at(own_client, "training-round", look, at_round=100)
    model = fitted(n_estimators=150)
    assert raised == []
    assert busy == [2]
    one, two = ({key for key in keys if isinstance(key, tuple)} for keys in held)
    assert len(one) + len(two) == 6
    assert one.isdisjoint(two)
    assert model.restarts_ == ()


@pytest.mark.parametrize(("kind", "at_round"), [("training-attempt", 0), ("training-round", 30)])
def test_the_loss_of_a_worker_beside_costs_no_round(
    kind: str, at_round: int, own_client: Client, undisturbed: bytes
) -> None:
    processes = own_client.run(os.getpid)
    raised = strike_at(
        own_client, kind, lambda _, other: os.kill(processes[other], signal.SIGKILL), at_round
    )
    model = fitted()
    assert raised == []
    assert model.restarts_ == ()
    assert raw(model) == undisturbed


def test_rows_that_take_long_to_be_computed_again_are_waited_for(
    own_client: Client, undisturbed: bytes, tmp_path: Path
) -> None:
    def slow_again(number: int) -> pd.DataFrame:
        mark = tmp_path / str(number)
        if mark.exists():
            time.sleep(2)
        mark.touch()
        return part(number)

    processes = own_client.run(os.getpid)
    raised = strike_at(
        own_client,
        "training-attempt",
        lambda _, other: os.kill(processes[other], signal.SIGKILL),
    )
    model = fitted(slow_again, worker_timeout=2.0)
    assert raised == []
    assert model.restarts_ == ()
    assert raw(model) == undisturbed


@pytest.mark.long
def test_a_frozen_worker_beside_is_not_waited_for(own_client: Client, undisturbed: bytes) -> None:
    processes = own_client.run(os.getpid)
    raised = strike_at(
        own_client,
        "training-attempt",
        lambda _, other: os.kill(processes[other], signal.SIGSTOP),
    )
    model = fitted(worker_timeout=5.0)
    assert raised == []
    assert raw(model) == undisturbed


@pytest.mark.long
def test_the_loss_of_the_worker_that_trains_is_made_up_for(
    own_client: Client, undisturbed: bytes
) -> None:
    processes = own_client.run(os.getpid)
    raised = strike_at(
        own_client,
        "training-round",
        lambda trains, _: os.kill(processes[trains], signal.SIGKILL),
        at_round=30,
    )
    model = fitted()
    assert raised == []
    (restart,) = model.restarts_
    assert restart.resumed_round >= 20
    assert raw(model) == undisturbed


def test_workers_are_found_by_machine(own_client: Client) -> None:
    workers = sorted(own_client.nthreads())
    assert machines_of(own_client, workers) == [workers]
    assert machines_of(own_client, ["tcp://nobody:1", *workers]) == [["tcp://nobody:1"], workers]
    assert process_count([workers], own_client.nthreads()) == 1
