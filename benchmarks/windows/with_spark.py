"""The job with Spark in local mode: window functions over ranges of microseconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.windows.job import INPUT, JOBS, WORKERS, Windows

__all__ = ["started"]

SETTINGS = {
    "spark.driver.memory": "8g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.hadoop.parquet.compression.codec.zstd.level": "1",
}


@contextmanager
def started() -> Iterator[Callable[[Path, Path], dict[str, float]]]:
    """Start the JVM; yield what does the job. There are no steps to tell apart."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{WORKERS}]").appName("windows")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    try:
        yield partial(_run, session)
    finally:
        session.stop()


def _run(session: Any, source: Path, target: Path) -> dict[str, float]:
    from pyspark.sql import functions

    # Partitions of about the size of the input's files, instead of 200 of any size.
    files = len(list(source.glob("*.parquet")))
    session.conf.set("spark.sql.shuffle.partitions", max(WORKERS, files))
    rows = session.read.parquet(str(source))
    instant = functions.unix_micros(functions.col("ts").cast("timestamp"))
    rows = rows.withColumn("instant", instant)
    features = [
        feature
        for windows in JOBS
        for name, length in windows.lengths.items()
        for feature in _features(functions, windows, name, length)
    ]
    rows.select(*INPUT, *features).write.parquet(str(target))
    return {}


def _features(functions: Any, windows: Windows, name: str, length: int) -> list[Any]:
    from pyspark.sql import Window

    # Both ends of a range are in it: a microsecond less leaves out what is as old as the window
    # is long. All rows of an instant are in it or none.
    window = Window.partitionBy(windows.entity).orderBy("instant")
    window = window.rangeBetween(1 - windows.delay - length, -windows.delay)
    value = functions.col(windows.value)
    found = {
        "count": functions.count(value).over(window).cast("int"),
        "sum": functions.sum(value).over(window).cast("float"),
        "mean": functions.avg(value).over(window).cast("float"),
        "max": functions.max(value).over(window).cast("float"),
        "std": functions.stddev_samp(value).over(window).cast("float"),
    }
    return [found[each].alias(windows.name(each, name)) for each in windows.aggregates]
