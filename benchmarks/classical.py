"""Preprocessing, logistic regression, k-means, PCA: dmlkit beside scikit-learn, dask-ml, Spark.

``python -m benchmarks.classical [--rows 1000000] [--repeat 3] [--tasks ...] [--json FILE]``

All systems get rows that are in memory, as each likes them best, and the same parameters: k-means
starts from the same centres. What preprocessing makes is added up, which looks at it once: Dask's
mean is a sum and a count, and holds all of it until both are done. Systems take turns, so that a
ratio is of runs next to each other. scikit-learn has all cores in one process, Spark's JVM as
threads, the others as workers of one thread. Spark's k-means cannot be told where to start: its
centres are not the others'.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import Any

import dask
import numpy as np
import sklearn.cluster
import sklearn.compose
import sklearn.decomposition
import sklearn.impute
import sklearn.linear_model
import sklearn.preprocessing
from rich.console import Console
from rich.table import Table

from benchmarks import classical_spark
from benchmarks.classical_rows import (
    BOUNDED,
    CLUSTERS,
    COMPONENTS,
    FEATURES,
    GAPS,
    ITERATIONS,
    SCALED,
    Rows,
    rows_for,
)
from benchmarks.measure import PeakMemory, versions_of, write_results
from dmlkit import connect
from dmlkit.clustering import KMeans
from dmlkit.decomposition import PCA
from dmlkit.linear_model import LogisticRegression
from dmlkit.preprocessing import ColumnTransformer, MinMaxScaler, SimpleImputer, StandardScaler

#: Of the largest figure of a result, what may lie between systems that agree.
SAME = 1e-3


def main(arguments: Sequence[str] | None = None) -> None:
    """Do each task with each system in turn, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    systems = [name for name in options.only if find_spec(SYSTEMS[name])]
    for name in set(options.only) - set(systems):
        print(f"{name} is not installed, and left out: pip install 'dmlkit[bench]'")
    results = []
    with (
        connect(workers=options.workers, threads=1),
        rows_for(options.rows, systems, options.workers) as rows,
    ):
        for task in options.tasks:
            runs: dict[str, list[Run]] = {system: [] for system in systems}
            for _ in range(options.repeat):
                for system in systems:
                    runs[system].append(one_run(TASKS[task][system], rows))
            results += collect(task, runs, options.rows)
    Console().print(as_table(results))
    if options.json:
        write_results(options.json, results)


def preprocess(rows: Rows) -> Any:
    """Scale, bound and fill columns with dmlkit: one pass to learn."""
    steps = [
        ("scale", StandardScaler(), SCALED),
        ("bound", MinMaxScaler(), BOUNDED),
        ("fill", SimpleImputer(), GAPS),
    ]
    made = ColumnTransformer(steps).fit_transform(rows.lazy)
    return made.sum().compute().to_numpy(np.float64) / rows.count


def preprocess_sklearn(rows: Rows) -> Any:
    """Do the same with scikit-learn."""
    steps = [
        ("scale", sklearn.preprocessing.StandardScaler(), SCALED),
        ("bound", sklearn.preprocessing.MinMaxScaler(), BOUNDED),
        ("fill", sklearn.impute.SimpleImputer(), GAPS),
    ]
    made = sklearn.compose.ColumnTransformer(steps).fit_transform(rows.local)
    return made.mean(axis=0, dtype=np.float64)


def preprocess_dask_ml(rows: Rows) -> Any:
    """Do the same with dask-ml, step by step: its ColumnTransformer fails on frames."""
    from dask_ml.impute import SimpleImputer
    from dask_ml.preprocessing import MinMaxScaler, StandardScaler

    steps = [(StandardScaler(), SCALED), (MinMaxScaler(), BOUNDED), (SimpleImputer(), GAPS)]
    made = [step.fit_transform(rows.lazy[columns]).sum() for step, columns in steps]
    sums = [each.to_numpy(np.float64) for each in dask.compute(*made)]
    return np.concatenate(sums) / rows.count


def classify(rows: Rows) -> Any:
    """Fit a logistic regression with dmlkit."""
    return LogisticRegression().fit(rows.lazy[FEATURES], rows.lazy["label"]).coef_[0]


def classify_sklearn(rows: Rows) -> Any:
    """Fit it with scikit-learn."""
    model = sklearn.linear_model.LogisticRegression(max_iter=1_000)
    return model.fit(rows.local[FEATURES], rows.local["label"]).coef_[0]


def classify_dask_ml(rows: Rows) -> Any:
    """Fit it with dask-ml."""
    from dask_ml.linear_model import LogisticRegression

    model = LogisticRegression(solver="lbfgs", max_iter=1_000)
    return model.fit(rows.array[:, :-1], rows.array[:, -1]).coef_


def cluster(rows: Rows) -> Any:
    """Move centres with dmlkit."""
    model = KMeans(CLUSTERS, init=rows.start, max_iter=ITERATIONS, tol=0)
    return model.fit(rows.lazy[FEATURES]).cluster_centers_


def cluster_sklearn(rows: Rows) -> Any:
    """Move them with scikit-learn."""
    model = sklearn.cluster.KMeans(
        CLUSTERS, init=rows.start.astype(np.float32), n_init=1, max_iter=ITERATIONS, tol=0
    )
    return model.fit(rows.local[FEATURES]).cluster_centers_


def cluster_dask_ml(rows: Rows) -> Any:
    """Move them with dask-ml."""
    from dask_ml.cluster import KMeans

    model = KMeans(CLUSTERS, init=rows.start.astype(np.float32), max_iter=ITERATIONS, tol=0)
    return model.fit(rows.array[:, :-1]).cluster_centers_


def decompose(rows: Rows) -> Any:
    """Find principal components with dmlkit."""
    return PCA(COMPONENTS).fit(rows.lazy[FEATURES]).explained_variance_ratio_


def decompose_sklearn(rows: Rows) -> Any:
    """Find them with scikit-learn."""
    return sklearn.decomposition.PCA(COMPONENTS).fit(rows.local[FEATURES]).explained_variance_ratio_


def decompose_dask_ml(rows: Rows) -> Any:
    """Find them with dask-ml."""
    from dask_ml.decomposition import PCA

    return PCA(COMPONENTS, svd_solver="full").fit(rows.array[:, :-1]).explained_variance_ratio_


#: What each system is called as a module.
SYSTEMS = {
    "dmlkit": "dmlkit",
    "scikit-learn": "sklearn",
    "dask-ml": "dask_ml",
    "spark": "pyspark",
}


#: Packages whose versions count for one system only.
PACKAGES = {"dask-ml": ["dask-ml"], "spark": ["pyspark"]}


def _by_system(*jobs: Callable[[Rows], Any]) -> dict[str, Callable[[Rows], Any]]:
    return dict(zip(SYSTEMS, jobs, strict=True))


TASKS = {
    "preprocessing": _by_system(
        preprocess, preprocess_sklearn, preprocess_dask_ml, classical_spark.preprocess
    ),
    "logistic": _by_system(classify, classify_sklearn, classify_dask_ml, classical_spark.classify),
    "kmeans": _by_system(cluster, cluster_sklearn, cluster_dask_ml, classical_spark.cluster),
    "pca": _by_system(decompose, decompose_sklearn, decompose_dask_ml, classical_spark.decompose),
}


@dataclass(frozen=True)
class Run:
    """One run: seconds, the most memory of all processes, and the result or why there is none."""

    seconds: float
    bytes: int
    result: Any
    failed: str | None = None


def one_run(job: Callable[[Rows], Any], rows: Rows) -> Run:
    """Do a task once; what another system cannot do is noted."""
    with PeakMemory() as memory:
        began = time.perf_counter()
        try:
            result, failed = np.asarray(job(rows), dtype=np.float64), None
        except Exception as error:
            result, failed = None, f"{type(error).__name__}: {error}".split("\n", 1)[0]
        seconds = time.perf_counter() - began
    return Run(seconds, memory.bytes, result, failed)


def collect(task: str, runs: dict[str, list[Run]], rows: int) -> list[dict[str, Any]]:
    """Return a result for each system; ratios are of the first system's seconds to its own."""
    first = next(iter(runs.values()))
    return [
        {
            "task": task,
            "system": system,
            "rows": rows,
            "seconds": None if of[0].failed else round(median(run.seconds for run in of), 2),
            "seconds_all": [round(run.seconds, 2) for run in of],
            "ratio": None
            if of[0].failed
            else round(median(a.seconds / b.seconds for a, b in zip(first, of, strict=True)), 3),
            "peak_rss_bytes": int(max(run.bytes for run in of)),
            "agrees": None if of[0].failed else all(_agree(first[0], run) for run in of),
            "failed": of[0].failed,
            "versions": versions_of(
                ["dask", "distributed", "scikit-learn", *PACKAGES.get(system, [])]
            ),
        }
        for system, of in runs.items()
    ]


def _agree(one: Run, other: Run) -> bool:
    if one.result is None or other.result is None or one.result.shape != other.result.shape:
        return False
    return bool(np.abs(one.result - other.result).max() <= SAME * np.abs(one.result).max())


def as_table(results: Sequence[dict[str, Any]]) -> Table:
    """Return the results as people read them."""
    table = Table(title=f"{results[0]['rows']:,} rows, {len(FEATURES)} features")
    names = ("task", "system", "seconds", "dmlkit's share", "peak memory", "agrees", "all runs")
    for name in names:
        table.add_column(name, justify="left" if name in ("task", "system") else "right")
    for result in results:
        failed = result["failed"] is not None
        table.add_row(
            result["task"],
            result["system"],
            "-" if failed else f"{result['seconds']:.2f}",
            "-" if failed else f"{result['ratio']:.2f}",
            f"{result['peak_rss_bytes'] / 2**30:.2f} GiB",
            result["failed"] or ("yes" if result["agrees"] else "no"),
            " ".join(f"{seconds:.1f}" for seconds in result["seconds_all"]),
        )
    return table


if __name__ == "__main__":
    main()
