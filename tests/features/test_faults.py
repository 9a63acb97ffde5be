"""Windows on real workers of which one dies while rows are on their way."""

import os
import signal
import time

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest

from dmlkit.features import TimeWindows
from tests.features.test_windows import same_bytes

pytestmark = pytest.mark.cluster

STEP = TimeWindows("card", "time", ["1d", "30d"], {"amount": ["sum", "std", "max", "nunique"]})


def payments_of_part(number: int, rows: int = 20_000) -> pd.DataFrame:
    """Return one partition of payments, of which a third are of one card; made slowly."""
    time.sleep(0.1)
    random = np.random.default_rng(number)
    card = random.integers(0, 500, rows)
    seconds = random.integers(0, 90 * 86_400, rows)
    return pd.DataFrame(
        {
            "number": np.arange(rows) + number * rows,
            "card": np.where(random.random(rows) < 0.3, 7, card),
            "time": pd.Timestamp("2025-01-01") + pd.to_timedelta(seconds, "s").as_unit("us"),
            "amount": np.round(random.lognormal(3, 1, rows), 2),
        }
    )


def table() -> dd.DataFrame:
    return dd.from_map(payments_of_part, range(20), meta=payments_of_part(0, 2))


@pytest.mark.parametrize(
    ("after", "settings"),
    [
        pytest.param("payments", {"partitions": 10}, marks=pytest.mark.long),
        ("_cut", {"partitions": 10}),
        pytest.param("_cut_by_home", {"order": "input"}, marks=pytest.mark.long),
    ],
)
def test_a_worker_that_is_killed_costs_time_and_no_bit(after, settings):
    expected = STEP.transform(table(), **settings).compute(scheduler="threads")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pid = next(iter(client.run(os.getpid).values()))
        found = client.compute(STEP.transform(table(), **settings))
        wait_for(client, after)
        os.kill(pid, signal.SIGKILL)
        assert same_bytes(found.result(timeout=120), expected)
        # The scheduler may still list the lost worker, which gives no answer then.
        assert pid not in client.run(os.getpid, on_error="ignore").values()


def wait_for(client: distributed.Client, task: str) -> None:
    """Wait until a worker has the result of a task whose name has `task` in it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        held = [str(key) for keys in client.has_what().values() for key in keys]
        if sum(task in key for key in held) >= 2:
            return
        time.sleep(0.02)
    raise TimeoutError(f"no {task} in a minute")
