"""Rows of a search stay with their worker, and keep nobody from retiring it."""

import threading
import time
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from distributed.protocol import deserialize, serialize

from dmlkit.boosting import XGBClassifier
from dmlkit.search import ParameterSearch
from dmlkit.search.crew import Crew
from dmlkit.search.legs import Binned
from dmlkit.search.staying import Gone, unless_gone


def test_rows_are_not_spilled_and_elsewhere_told_to_be_gone() -> None:
    rows = Binned(None, (), Crew(1))
    with pytest.raises(TypeError, match="Binned"):
        serialize(rows, on_error="raise")  # as a worker spills
    sent = serialize(rows, context={"sender": {}, "recipient": {}})
    assert isinstance(deserialize(*sent), Gone)


def test_a_leg_is_trained_only_where_the_rows_are() -> None:
    def leg(held: Any, number: int) -> int:
        return number

    assert unless_gone(leg, "rows", 7) == 7
    assert isinstance(unless_gone(leg, Gone(), 7), Gone)


def test_a_worker_can_be_retired_while_a_search_runs() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(4_000, 3)), columns=["a", "b", "c"])
    rows = dd.from_pandas(table.assign(y=(table["a"] > 0).astype(int)), npartitions=3, sort=False)
    X, y = rows[["a", "b", "c"]], rows["y"]
    search = ParameterSearch(
        XGBClassifier(n_estimators=300, eval_metric="auc"),
        {"max_depth": [5, 6]},
        n_trials=6,
        max_losses=1,  # that it is retired is none
        sampler="random",
        pruner=None,
        refit=False,
    )
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        left: list[float] = []

        def retire() -> None:
            def training() -> list[str]:
                running = client.processing().items()
                return [worker for worker, keys in running if any("trial" in key for key in keys)]

            while len(training()) < 2:
                time.sleep(0.05)
            client.retire_workers(training()[:1])
            left.append(time.monotonic())

        thread = threading.Thread(target=retire, daemon=True)
        thread.start()
        search.fit(X, y, eval_set=[(X, y)])
        thread.join(30)
        assert left
        assert set(search.trials_["state"]) == {"complete"}
        assert len(client.scheduler_info()["workers"]) == 1
