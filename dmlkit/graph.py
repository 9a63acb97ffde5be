"""Graphs over partitions, one layer for each step; what the tasks compute is not known here.

With `dask.delayed` each task is a layer of its own, and the bookkeeping of some thousand layers
takes longer than the work.
"""

from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any
from uuid import uuid4

from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import List, Task, TaskRef
from dask.utils import funcname

__all__ = ["add_up", "bucket_count", "exchange", "for_all", "for_each"]


def for_each(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Call a function for each partition.

    Parameters
    ----------
    function : callable
    *arguments
        A list has a value for each partition, most often a Delayed; any other is for all of them.

    Returns
    -------
    list of Delayed
    """
    count = len(next(argument for argument in arguments if isinstance(argument, list)))
    name = f"{funcname(function)}-{uuid4().hex}"
    tasks = {}
    for number in range(count):
        own = [each[number] if isinstance(each, list) else each for each in arguments]
        tasks[(name, number)] = Task((name, number), function, *map(_reference, own))
    return _layer(name, tasks, list(tasks), arguments)


def for_all(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function once.

    Parameters
    ----------
    function : callable
    *arguments
        A list of Delayed becomes a list of their results.

    Returns
    -------
    Delayed
    """
    name = f"{funcname(function)}-{uuid4().hex}"
    return _layer(
        name, {name: Task(name, function, *map(_reference, arguments))}, [name], arguments
    )[0]


def add_up(parts: list[Any], add: Callable[..., Any], *arguments: Any, fan_in: int = 16) -> Any:
    """Add results up in a tree, so that no task holds more than `fan_in` of them.

    Parameters
    ----------
    parts : list of Delayed
    add : callable
        Takes a list of results, and `arguments`; returns one result of the same kind.

    Returns
    -------
    Delayed
    """
    while len(parts) > 1:
        groups = [parts[start : start + fan_in] for start in range(0, len(parts), fan_in)]
        parts = [for_all(add, group, *arguments) for group in groups]
    return parts[0]


def bucket_count(partitions: int, most: int = 128) -> int:
    """Return into how many buckets the rows of so many partitions go.

    Half as many, so that a bucket is not much larger than a partition; and no more than `most`:
    each partition and bucket is a task, and a scheduler takes about a millisecond for each.
    """
    return min(-(-partitions // 2), most)


def exchange(splits: list[Any], buckets: int, gather: Callable[[list[Any]], Any]) -> list[Any]:
    """Bring the pieces of each bucket together.

    Parameters
    ----------
    splits : list of Delayed
        Each a list of `buckets` pieces.
    buckets : int
    gather : callable
        Takes the pieces of one bucket, one per split.

    Returns
    -------
    list of Delayed
        What `gather` returned, for each bucket.
    """
    name = f"{funcname(gather)}-{uuid4().hex}"
    tasks: dict[Any, Task] = {}
    for bucket in range(buckets):
        pieces = [(f"piece-{name}", number, bucket) for number in range(len(splits))]
        for key, split in zip(pieces, splits, strict=True):
            tasks[key] = Task(key, getitem, TaskRef(split.key), bucket)
        tasks[(name, bucket)] = Task((name, bucket), gather, List(*map(TaskRef, pieces)))
    return _layer(name, tasks, [(name, bucket) for bucket in range(buckets)], [splits])


def _reference(argument: Any) -> Any:
    if isinstance(argument, Delayed):
        return TaskRef(argument.key)
    if isinstance(argument, list):
        return List(*map(_reference, argument))
    return argument


def _layer(name: str, tasks: Any, keys: list[Any], arguments: Sequence[Any]) -> list[Any]:
    """Put tasks into a graph on top of the graphs of their arguments."""
    flat = [each for argument in arguments for each in _listed(argument)]
    # Results of one layer share a graph: one of them stands for all.
    below = {id(each.dask): each for each in flat if isinstance(each, Delayed)}
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=list(below.values()))
    return [Delayed(key, graph, layer=name) for key in keys]


def _listed(argument: Any) -> list[Any]:
    return argument if isinstance(argument, list) else [argument]
