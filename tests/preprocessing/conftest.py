"""A table with all that is hard about columns, and ways to lay it out over partitions."""

import json
from collections.abc import Callable
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.preprocessing import transformer_from_dict


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Numbers with outliers, ties and gaps; text with rare levels; categories; labels; groups."""
    random = np.random.default_rng(3)
    rows = 2_000
    code = random.choice([f"c{number:03d}" for number in range(80)], rows, p=_rare_tail(80))
    ward = pd.Series(random.choice(["east", "north", "west"], rows)).mask(random.random(rows) < 0.1)
    return pd.DataFrame(
        {
            "amount": np.exp(random.normal(3, 2, rows)),
            "year": 1e6 + random.normal(0, 1, rows),
            "visits": pd.Series(random.poisson(2, rows).astype(float)).mask(
                random.random(rows) < 0.2
            ),
            "same": np.full(rows, 7.5),
            "code": pd.Series(code, dtype="str"),
            "ward": ward.astype("category"),
            "label": (random.random(rows) < 0.2 + 0.3 * (code < "c010")).astype("int8"),
            "patient": random.integers(0, 500, rows),
        }
    )


def _rare_tail(levels: int) -> np.ndarray:
    weights = 1 / np.arange(1, levels + 1) ** 1.5
    return weights / weights.sum()


@pytest.fixture(params=[1, 3, 16])
def lay_out(request: pytest.FixtureRequest) -> Any:
    """Put rows into 1, 3 or 16 partitions of unknown divisions; two of the 16 are empty."""

    def laid_out(frame: pd.DataFrame) -> dd.DataFrame:
        if request.param < 16:
            return dd.from_pandas(frame, npartitions=request.param, sort=False)
        empty = dd.from_pandas(frame.iloc[:0], npartitions=1, sort=False)
        full = dd.from_pandas(frame, npartitions=14, sort=False)
        return dd.concat([empty, full, empty], interleave_partitions=False).clear_divisions()

    with dask.config.set(scheduler="synchronous"):
        yield laid_out


@pytest.fixture
def same_when_kept(table: pd.DataFrame) -> Callable[[Any, list[str]], None]:
    """Check that a fitted transformer does the same after it went through JSON."""

    def check(transformer: Any, columns: list[str]) -> None:
        again = transformer_from_dict(json.loads(json.dumps(transformer.to_dict())))
        pd.testing.assert_frame_equal(
            again.transform(table[columns]), transformer.transform(table[columns])
        )

    return check
