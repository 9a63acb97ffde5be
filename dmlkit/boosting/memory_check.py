"""Whether a training goes into memory: its plan, held against the workers that there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from distributed import Client

from dmlkit.boosting.memory import MemoryPlan, TableSize, plan_memory
from dmlkit.boosting.planning import Trainable
from dmlkit.boosting.seats import team_size
from dmlkit.boosting.shards import shard_count
from dmlkit.boosting.training_data import TrainingData
from dmlkit.cluster.sizes import WorkerSizes, sizes_of
from dmlkit.errors import ConfigurationError

__all__ = [
    "check_external_memory",
    "is_too_large",
    "may_use_files",
    "plan_on_cluster",
    "plan_on_workers",
]

#: How trees are grown where bins may be kept in files.
BY_BINS = (None, "auto", "hist")


def plan_on_cluster(
    tables: Sequence[TableSize],
    parameters: Mapping[str, Any],
    client: Client,
    outputs: int = 1,
) -> MemoryPlan:
    """Return the plan of a training on the workers of a client.

    Parameters
    ----------
    tables : sequence of TableSize
        The training table first.
    parameters : mapping
        Of the estimator.
    client : distributed.Client
    outputs : int
        Trees of a round.
    """
    return plan_on_workers(tables, parameters, sizes_of(client), outputs)


def plan_on_workers(
    tables: Sequence[TableSize],
    parameters: Mapping[str, Any],
    there: WorkerSizes,
    outputs: int = 1,
) -> MemoryPlan:
    """Return the plan of a training on such workers.

    Parameters
    ----------
    tables : sequence of TableSize
        The training table first.
    parameters : mapping
        Of the estimator.
    there : WorkerSizes
    outputs : int
        Trees of a round.
    """
    rows = [table.rows for table in tables]
    alone = parameters.get("device") == "cuda"  # a process for each GPU
    most = there.workers // (1 if alone else team_size(there.together, there.threads))
    processes = max(1, min(parameters.get("shards") or shard_count(rows, most), there.workers))
    return plan_memory(
        tables[0],
        tables[1:],
        parameters,
        processes=processes,
        team=1 if alone else max(1, min(there.together, there.workers // processes)),
        limit=there.limit,
        room=there.room,
        threads=there.threads,
        outputs=outputs,
    )


def is_too_large(
    tables: Sequence[TrainingData],
    parameters: Mapping[str, Any],
    task: Trainable,
    client: Client,
) -> bool:
    """Tell whether tables must be kept in files, where that is left to us."""
    if not may_use_files(parameters):
        return False
    several = {id(table): table for table in tables}.values()  # one may be evaluated, too
    sizes = [
        TableSize(table.summary.rows, len(table.features), len(table.parts)) for table in several
    ]
    outputs = int(task.parameters.get("num_class", 1))
    return not plan_on_cluster(sizes, parameters, client, outputs).fits


def may_use_files(parameters: Mapping[str, Any]) -> bool:
    """Tell whether it is left to us to keep rows and bins in files, and can be done."""
    by_bins = parameters.get("tree_method") in BY_BINS
    return parameters["external_memory"] == "auto" and by_bins


def check_external_memory(parameters: Mapping[str, Any]) -> None:
    """Raise unless `external_memory` is one of its values, and can be had."""
    asked = parameters.get("external_memory", "auto")
    if asked not in (True, False, "auto"):
        raise ConfigurationError(f"external_memory is {asked!r}; it must be True, False or 'auto'.")
    if asked is True and (method := parameters.get("tree_method")) not in BY_BINS:
        raise ConfigurationError(
            f"external_memory needs trees that are grown by bins, but tree_method is {method!r}. "
            "Leave tree_method out."
        )
