"""The tasks of `benchmarks.classical` with Spark MLlib in local mode."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["classify", "cluster", "decompose", "preprocess", "started"]

SETTINGS = {
    "spark.driver.memory": "8g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@contextmanager
def started(folder: Path, cores: int, features: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    """Start the JVM and bring a table into its memory: as columns, and as vectors with a label."""
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{cores}]").appName("classical")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        frame = session.read.parquet(str(folder)).cache()
        frame.count()
        assembler = VectorAssembler(inputCols=list(features), outputCol="features")
        vectors = assembler.transform(frame).select("features", "label").cache()
        vectors.count()
        yield frame, vectors
    finally:
        session.stop()


def preprocess(rows: Any) -> Any:
    """Scale, bound and fill columns."""
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, MinMaxScaler, StandardScaler, VectorAssembler
    from pyspark.ml.stat import Summarizer

    from benchmarks.classical_rows import BOUNDED, GAPS, SCALED

    filled = [f"filled_{name}" for name in GAPS]
    steps = [
        VectorAssembler(inputCols=SCALED, outputCol="to_scale"),
        StandardScaler(inputCol="to_scale", outputCol="scaled", withMean=True),
        VectorAssembler(inputCols=BOUNDED, outputCol="to_bound"),
        MinMaxScaler(inputCol="to_bound", outputCol="bounded"),
        Imputer(inputCols=GAPS, outputCols=filled),
        VectorAssembler(inputCols=["scaled", "bounded", *filled], outputCol="made"),
    ]
    made = Pipeline(stages=steps).fit(rows.spark).transform(rows.spark)
    return made.select(Summarizer.mean(made["made"])).first()[0].toArray()


def classify(rows: Any) -> Any:
    """Fit a logistic regression; its penalty is told for each row."""
    from pyspark.ml.classification import LogisticRegression

    model = LogisticRegression(
        regParam=1 / rows.count, standardization=False, maxIter=1_000, tol=1e-6
    )
    return model.fit(rows.vectors).coefficients.toArray()


def cluster(rows: Any) -> Any:
    """Move as many centres as often, from where Spark puts them."""
    from pyspark.ml.clustering import KMeans

    from benchmarks.classical_rows import CLUSTERS, ITERATIONS

    model = KMeans(k=CLUSTERS, initMode="random", maxIter=ITERATIONS, tol=0.0, seed=0)
    return np.array(model.fit(rows.vectors).clusterCenters())


def decompose(rows: Any) -> Any:
    """Find principal components."""
    from pyspark.ml.feature import PCA

    from benchmarks.classical_rows import COMPONENTS

    model = PCA(k=COMPONENTS, inputCol="features", outputCol="projected")
    return model.fit(rows.vectors).explainedVariance.toArray()
