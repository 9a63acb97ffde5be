"""The table of `benchmarks.classical`, as each system takes it."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd

from benchmarks import classical_spark

__all__ = [
    "BOUNDED",
    "CLUSTERS",
    "COMPONENTS",
    "FEATURES",
    "GAPS",
    "ITERATIONS",
    "SCALED",
    "Rows",
    "rows_for",
]

FEATURES = [f"x{number}" for number in range(40)]
SCALED, BOUNDED, GAPS = FEATURES[:20], FEATURES[20:30], [f"gap{number}" for number in range(10)]
PARTITION_ROWS = 125_000
CLUSTERS, ITERATIONS, COMPONENTS = 8, 20, 10


@dataclass(frozen=True)
class Rows:
    """The table, as each system takes it.

    Attributes
    ----------
    count : int
    lazy : dask DataFrame
        Held by the workers.
    local : pandas DataFrame
    array : dask Array
        The features and the label, held by the workers in chunks of known lengths.
    start : (CLUSTERS, features) array
        Where the centres of k-means start.
    spark : Spark DataFrame
        Held in its memory, with a column for each of ours.
    vectors : Spark DataFrame
        Held in its memory, with the label, and the features as vectors.
    """

    count: int
    lazy: Any
    local: Any
    array: Any
    start: Any
    spark: Any = None
    vectors: Any = None


@contextmanager
def rows_for(count: int, systems: Sequence[str], workers: int) -> Iterator[Rows]:
    """Make the table and bring it where the systems want it."""
    numbers = range(-(-count // PARTITION_ROWS))
    lengths = [min(PARTITION_ROWS, count - number * PARTITION_ROWS) for number in numbers]
    lazy = dd.from_map(part_of, numbers, lengths, meta=part_of(0, 1)).persist()
    distributed.wait(lazy)
    local = None
    if "scikit-learn" in systems:
        # One after the other: all of them at once would need the table twice here.
        local = pd.concat([lazy.partitions[number].compute() for number in numbers])
    array = None
    if "dask-ml" in systems:
        array = lazy[[*FEATURES, "label"]].to_dask_array(lengths=lengths).persist()
        distributed.wait(array)
    start = lazy[FEATURES].head(CLUSTERS).to_numpy(dtype=np.float64)
    if "spark" not in systems:
        yield Rows(count, lazy, local, array, start)
        return
    folder = Path(tempfile.mkdtemp(prefix="classical-"))
    try:
        lazy.to_parquet(folder / "rows")
        with classical_spark.started(folder / "rows", workers, FEATURES) as (frame, vectors):
            yield Rows(count, lazy, local, array, start, frame, vectors)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def part_of(number: int, length: int) -> pd.DataFrame:
    """Return one partition: eight heaps of rows, a label that leans on all features, and gaps."""
    random = np.random.default_rng(number)
    middles = np.random.default_rng(1_000_000).normal(size=(CLUSTERS, len(FEATURES)))
    values = middles[random.integers(0, CLUSTERS, length)] + random.normal(size=(length, 40))
    margin = values @ np.linspace(-0.3, 0.3, len(FEATURES)) + random.logistic(size=length)
    part = pd.DataFrame(values.astype(np.float32), columns=FEATURES)
    gaps = np.where(random.random((length, len(GAPS))) < 0.05, np.nan, values[:, : len(GAPS)])
    part[GAPS] = gaps.astype(np.float32)
    return part.assign(label=(margin > 0).astype(np.int8))
