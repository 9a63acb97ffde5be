"""Moving pieces of partitions between workers, and adding up over partitions, as plain tasks."""

from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any

import dask
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import List, Task, TaskRef

__all__ = ["add_up", "bucket_count", "exchange"]


def bucket_count(partitions: int, most: int = 128) -> int:
    """Return into how many buckets the rows of so many partitions go.

    Half as many, so that a bucket is not much larger than a partition; and no more than `most`:
    each partition and bucket is a task, and a scheduler takes about a millisecond for each.
    """
    return min(-(-partitions // 2), most)


def exchange(splits: Sequence[Any], buckets: int, gather: Callable[[list[Any]], Any]) -> list[Any]:
    """Bring the pieces of each bucket together.

    Parameters
    ----------
    splits : sequence of Delayed
        Each a list of `buckets` pieces.
    buckets : int
    gather : callable
        Takes the pieces of one bucket, one per split.

    Returns
    -------
    list of Delayed
        What `gather` returned, for each bucket.
    """
    name = f"gather-{dask.base.tokenize([split.key for split in splits], gather, buckets)}"
    tasks: dict[Any, Task] = {}
    for bucket in range(buckets):
        pieces = []
        for number, split in enumerate(splits):
            key = (f"piece-{name}", number, bucket)
            tasks[key] = Task(key, getitem, TaskRef(split.key), bucket)
            pieces.append(TaskRef(key))
        tasks[(name, bucket)] = Task((name, bucket), gather, List(*pieces))
    # One layer for all: a layer per piece would make the graph's own bookkeeping the work.
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=splits)
    return [Delayed((name, bucket), graph, layer=name) for bucket in range(buckets)]


def add_up(parts: Sequence[Any], add: Callable[[list[Any]], Any], fan_in: int = 16) -> Any:
    """Add results up in a tree, so that no task holds more than `fan_in` of them.

    Parameters
    ----------
    parts : sequence of Delayed
    add : callable
        Takes a list of results and returns one of the same kind.

    Returns
    -------
    Delayed
    """
    add_some = dask.delayed(add, pure=True)
    parts = list(parts)
    while len(parts) > 1:
        parts = [add_some(parts[start : start + fan_in]) for start in range(0, len(parts), fan_in)]
    return parts[0]
