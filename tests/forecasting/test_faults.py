"""A backtest on real workers, which die while it trains and while it forecasts."""

import os
import signal
import time
from threading import Thread

import dask.dataframe as dd
import distributed
import pandas as pd
import pytest

from benchmarks.cluster_faults import kill_worker, strike
from dmlkit.boosting import XGBRegressor
from dmlkit.features import PanelLags
from dmlkit.forecasting import Forecaster
from tests.forecasting.conftest import sales

pytestmark = [pytest.mark.cluster, pytest.mark.long]

STEPS = [
    PanelLags([1, 7], {7: ["rolling_mean:14"]}, min_samples=1),
    PanelLags([], {1: ["rolling_mean:7"]}, by=["kind"], min_samples=1),
]


def sales_of_part(number: int) -> pd.DataFrame:
    """Return one partition of sales, which are of two kinds in all partitions; made slowly."""
    time.sleep(0.05)
    panel = sales(series=3, days=80, seed=number)
    return panel.assign(unique_id=f"{number}-" + panel["unique_id"])


def backtest() -> pd.DataFrame:
    panel = dd.from_map(sales_of_part, range(4), meta=sales(1, 1))
    model = XGBRegressor(n_estimators=60, max_depth=4, checkpoint_every=10, device="cpu")
    made = Forecaster(model, "1D", STEPS, static=["kind"], season=7, min_history=14)
    found = made.cross_validate(panel, 4, windows=2).compute()
    return found.sort_values(["window", "unique_id", "ds"], ignore_index=True)


def test_a_backtest_that_loses_workers_ends_with_the_same_bits():
    with distributed.Client(
        n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None
    ) as client:
        expected = backtest()
        before = set(client.run(os.getpid).values())
        in_training = strike(client, [(30, kill_worker)])
        in_forecasting = Thread(target=kill_at, args=(client, "_next_step"), daemon=True)
        in_forecasting.start()
        found = backtest()
        in_training.join()
        in_forecasting.join()
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        assert not before & set(client.run(os.getpid).values())


def kill_at(client: distributed.Client, task: str) -> None:
    """Kill a worker once two results of a task are held."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        held = [
            worker for worker, keys in client.has_what().items() for key in keys if task in str(key)
        ]
        if len(held) >= 2:
            pid = client.run(os.getpid, workers=[held[0]])[held[0]]
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)
    raise TimeoutError(f"no {task} in a minute")
