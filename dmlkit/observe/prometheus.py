"""The story as Prometheus metrics, beside Dask's on the scheduler's ``/metrics``."""

from collections.abc import Iterable, Iterator
from typing import Any

from dmlkit.observe import schema

__all__ = ["export"]

_exported: list[Any] = []


def export(plugin: Any) -> None:
    """Have ``/metrics`` tell a plugin's story, where ``prometheus_client`` is installed.

    The registry belongs to the process: with several schedulers in one, the last is told of.
    """
    try:
        from prometheus_client import REGISTRY
    except ImportError:
        return
    if not _exported:
        REGISTRY.register(_Collector())
    _exported[:] = [plugin]


class _Collector:
    def describe(self) -> Iterable[Any]:
        """Say that names are known only when they are asked for."""
        return []

    def collect(self) -> Iterator[Any]:
        """Give the metrics of the story as it stands."""
        yield from families(_exported[0].snapshot())


def families(snapshot: schema.Snapshot) -> Iterator[Any]:
    """Give a snapshot as families of metrics."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    def gauge(name: str, text: str, labels: list[str], values: Iterable[Any]) -> Any:
        family = GaugeMetricFamily(f"dmlkit_{name}", text, labels=labels)
        for of, value in values:
            family.add_metric([str(each) for each in of], float(value))
        return family

    runs = snapshot["workflows"]
    stages = [(run, stage) for run in runs for stage in run["stages"]]
    yield gauge(
        "workflow_running",
        "Whether a run goes on",
        ["workflow", "run"],
        (((run["name"], run["id"]), run["state"] == "running") for run in runs),
    )
    yield gauge(
        "workflow_seconds_left",
        "Seconds that a run is expected to go on, where that is known: at least and at most",
        ["workflow", "run", "bound"],
        (
            ((run["name"], run["id"], bound), seconds)
            for run in runs
            for bound, seconds in (run["left"] or {}).items()
        ),
    )
    yield gauge(
        "stage_seconds",
        "Seconds that a stage of a run took so far",
        ["workflow", "run", "stage", "state"],
        (
            ((run["name"], run["id"], stage["name"], stage["state"]), stage["seconds"])
            for run, stage in stages
        ),
    )
    for which in ("done", "total"):
        yield gauge(
            f"stage_tasks_{which}",
            f"Tasks of a stage: {which}",
            ["workflow", "run", "stage"],
            (
                ((run["name"], run["id"], stage["name"]), stage[f"tasks_{which}"])  # type: ignore[literal-required]
                for run, stage in stages
            ),
        )
    for unit in ("rows", "bytes"):
        yield gauge(
            f"stage_{unit}",
            f"Partitions of a stage that are read or written so far: {unit}",
            ["workflow", "run", "stage", "what"],
            (
                ((run["name"], run["id"], stage["name"], flow["what"]), flow[unit])
                for run, stage in stages
                for flow in stage["flows"]
            ),
        )
    yield gauge(
        "training_round",
        "Boosting rounds done",
        ["training"],
        (((each["id"],), each["round"]) for each in snapshot["trainings"]),
    )
    yield gauge(
        "training_metric",
        "The last value of a metric of a training",
        ["training", "metric"],
        (
            ((each["id"], curve["name"]), curve["last"])
            for each in snapshot["trainings"]
            for curve in each["curves"]
        ),
    )
    yield gauge(
        "training_worker_seconds",
        "Seconds that a worker works in a round of a training",
        ["training", "worker"],
        (
            ((each["id"], effort["worker"]), effort["seconds"])
            for each in snapshot["trainings"]
            for effort in each["efforts"]
        ),
    )
    restarts = CounterMetricFamily(
        "dmlkit_training_restarts", "Failures survived", labels=["training"]
    )
    for each in snapshot["trainings"]:
        restarts.add_metric([each["id"]], len(each["restarts"]))
    yield restarts
    lost = CounterMetricFamily("dmlkit_workers_lost", "Workers lost", labels=["cause"])
    for cause, count in snapshot["loss_counts"].items():
        lost.add_metric([cause], count)
    yield lost
    yield gauge(
        "recomputed_tasks",
        "Results computed again after the losses that are kept",
        [],
        [((), sum(loss["recomputed"] for loss in snapshot["losses"]))],
    )
    states = [worker["state"] for worker in snapshot["workers"]]
    yield gauge(
        "workers",
        "Workers by what they do",
        ["state"],
        (((state,), states.count(state)) for state in sorted(set(states))),
    )
    yield gauge("warnings", "Warnings that are kept", [], [((), len(snapshot["warnings"]))])
