"""Scores that metrics are tested on, and ways to lay them out over partitions."""

from collections.abc import Callable, Iterator

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def scores() -> pd.DataFrame:
    """Rows with many ties among scores: 3% positives, a week, 400 cards."""
    random = np.random.default_rng(7)
    rows = 6000
    score = random.beta(0.4, 4, rows).round(2)
    time = pd.Timestamp("2025-03-01") + pd.to_timedelta(random.integers(0, 7 * 86400, rows), "s")
    return pd.DataFrame(
        {
            "label": (random.random(rows) < score**1.5).astype("int8"),
            "score": score,
            "weight": random.random(rows) * (random.random(rows) < 0.9),
            "time": time.as_unit("us"),
            "card": random.integers(0, 400, rows),
            "amount": random.gamma(2, 40, rows).round(2),
        }
    )


@pytest.fixture(params=[1, 7, 64])
def lay_out(request: pytest.FixtureRequest) -> Iterator[Callable[[pd.DataFrame], dd.DataFrame]]:
    """Shuffle rows into 1, 7 or 64 partitions of unknown divisions; some of the 64 are empty."""

    def laid_out(frame: pd.DataFrame) -> dd.DataFrame:
        shuffled = frame.sample(frac=1, random_state=request.param)
        if request.param < 64:
            return dd.from_pandas(shuffled, npartitions=request.param, sort=False)
        pieces = [
            dd.from_pandas(shuffled.iloc[0:0], npartitions=1, sort=False),
            dd.from_pandas(shuffled, npartitions=61, sort=False),
            *[dd.from_pandas(shuffled.iloc[0:0], npartitions=1, sort=False)] * 2,
        ]
        return dd.concat(pieces, interleave_partitions=False).clear_divisions()

    with dask.config.set(scheduler="synchronous"):
        yield laid_out
