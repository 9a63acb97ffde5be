"""A table of payments in which amount and country tell fraud, more or less."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def payments() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = 4000
    amount = random.gamma(2.0, 50.0, rows)
    hour = random.integers(0, 24, rows)
    country = random.choice(["BE", "FR", "NL"], rows, p=[0.6, 0.3, 0.1])
    odds = amount / 60 + (country == "NL") * 2 + (hour < 6) - 5
    fraud = random.random(rows) < 1 / (1 + np.exp(-odds))
    amount[random.random(rows) < 0.05] = np.nan
    return pd.DataFrame(
        {
            "amount": amount,
            "hour": hour,
            "country": pd.Categorical(country, categories=["BE", "FR", "NL"]),
            "weight": random.random(rows) + 0.5,
            "fraud": fraud.astype("int8"),
        }
    )


def cut(frame: pd.DataFrame, partitions: int) -> Any:
    """The rows of a frame in so many partitions, in order; some are empty if there are many."""
    return dd.from_pandas(frame, npartitions=partitions, sort=False)
