"""Graphs over partitions, one layer for each step; what the tasks compute is not known here.

With `dask.delayed` each task is a layer of its own, and the bookkeeping of some thousand layers
takes longer than the work.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import ceil, sqrt
from operator import getitem
from typing import Any
from uuid import uuid4

from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import List, Task, TaskRef
from dask.utils import funcname

__all__ = [
    "add_up",
    "bucket_count",
    "exchange",
    "exchange_in_stages",
    "for_all",
    "for_each",
    "for_each_in_turn",
    "partitions_of",
]

#: Each piece is a task, and a scheduler takes about a millisecond for each: where there would be
#: more of them, pieces go through a second pair of hands instead.
MOST_PIECES = 8_192


def partitions_of(collection: Any) -> list[Any]:
    """Return the partitions of a dask frame or series, each of them apart.

    Dask reads several small files as one partition where few of their columns are asked for, and so
    cuts a label otherwise than the features of the same table. What stands side by side is taken
    from here: as many partitions come back as the collection has.

    Parameters
    ----------
    collection : dask DataFrame or Series

    Returns
    -------
    list of Delayed
    """
    parts = list(collection.to_delayed())
    if len(parts) != collection.npartitions:
        parts = list(collection.simplify().to_delayed(optimize_graph=False))
    return parts


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
    name = f"{_name_of(function)}-{uuid4().hex}"
    tasks = {}
    for number in range(count):
        own = [each[number] if isinstance(each, list) else each for each in arguments]
        tasks[(name, number)] = Task((name, number), function, *map(_reference, own))
    return _layer(name, tasks, list(tasks), arguments)


def for_each_in_turn(function: Callable[..., Any], parts: list[Any], *arguments: Any) -> list[Any]:
    """Call a function for each partition with what it returned for the one before it.

    Parameters
    ----------
    function : callable
        Takes a part, the result for the part before (None for the first), and `arguments`.
    parts : list of Delayed
    *arguments
        The same for all.

    Returns
    -------
    list of Delayed
    """
    name = f"{_name_of(function)}-{uuid4().hex}"
    tasks: dict[Any, Task] = {}
    before: Any = None
    for number, part in enumerate(parts):
        key = (name, number)
        tasks[key] = Task(key, function, TaskRef(part.key), before, *map(_reference, arguments))
        before = TaskRef(key)
    return _layer(name, tasks, list(tasks), [parts, *arguments])


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
    name = f"{_name_of(function)}-{uuid4().hex}"
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

    All pieces are taken out of all splits before any are brought together. Dask moves results to
    disk whole: a split that waits there for its last bucket would be read once for each of them.

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
    name = f"{_name_of(gather)}-{uuid4().hex}"
    tasks: dict[Any, Task] = {}
    apart: list[Any] = []
    for number, split in enumerate(splits):
        pieces: list[Any] = [(f"piece-{name}", number, bucket) for bucket in range(buckets)]
        for bucket, key in enumerate(pieces):
            tasks[key] = Task(key, getitem, TaskRef(split.key), bucket)
        apart.append((f"taken-apart-{name}", number))
        tasks[apart[-1]] = Task(apart[-1], _nothing, *map(TaskRef, pieces))
    all_apart = f"all-taken-apart-{name}"
    tasks[all_apart] = Task(all_apart, _nothing, *map(TaskRef, apart))
    for bucket in range(buckets):
        near = [TaskRef((f"piece-{name}", number, bucket)) for number in range(len(splits))]
        key = (name, bucket)
        tasks[key] = Task(key, _after, TaskRef(all_apart), gather, List(*near))
    return _layer(name, tasks, [(name, bucket) for bucket in range(buckets)], [splits])


def exchange_in_stages(
    parts: list[Any],
    buckets: int,
    cut: Callable[..., list[Any]],
    join: Callable[[list[Any]], Any],
    *arguments: Any,
    most_pieces: int = MOST_PIECES,
) -> list[Any]:
    """Bring the rows of each bucket together, in two steps where one would have too many pieces.

    In the first of two steps, a group of partitions exchanges rows by neighbouring buckets; in the
    second, what was joined there is cut to the buckets. With n partitions and n buckets there are
    about 2 n^1.5 pieces then and not n^2.

    Parameters
    ----------
    parts : list of Delayed
    buckets : int
    cut : callable
        Takes a part, the numbers of the buckets at which pieces begin and, last, at which the
        last one ends, and `arguments`. Returns a list of pieces, each a part again.
    join : callable
        Takes a list of pieces and returns a part.
    *arguments
        Given to `cut`.
    most_pieces : int
        More pieces than this are not made in one step.

    Returns
    -------
    list of Delayed
        One part for each bucket.
    """
    if len(parts) * buckets <= most_pieces:
        splits = for_each(cut, parts, range(buckets + 1), *arguments)
        return exchange(splits, buckets, join)
    width = ceil(sqrt(buckets))
    edges = [*range(0, buckets, width), buckets]
    groups = [parts[start : start + width] for start in range(0, len(parts), width)]
    halfway = [
        exchange(for_each(cut, group, tuple(edges), *arguments), len(edges) - 1, join)
        for group in groups
    ]
    joined: list[Any] = []
    for place, (start, stop) in enumerate(pairwise(edges)):
        near = [each[place] for each in halfway]
        splits = for_each(cut, near, range(start, stop + 1), *arguments)
        joined += exchange(splits, stop - start, join)
    return joined


def _name_of(function: Callable[..., Any]) -> str:
    """Return what the tasks of a function are called: of an object that is called, its class.

    Its representation may be long, and is another one each time: a scheduler that learns by these
    names how long tasks take would learn nothing.
    """
    named = isinstance(function, partial) or hasattr(function, "__name__")
    return str(funcname(function if named else type(function)))


def _nothing(*_: Any) -> None:
    """Wait for what is given."""


def _after(_: None, function: Callable[[Any], Any], argument: Any) -> Any:
    return function(argument)


def _reference(argument: Any) -> Any:
    if isinstance(argument, Delayed):
        return TaskRef(argument.key)
    if isinstance(argument, list):
        return List(*map(_reference, argument))
    return argument


def _layer(name: str, tasks: Any, keys: list[Any], arguments: Sequence[Any]) -> list[Any]:
    """Put tasks into a graph on top of the graphs of their arguments."""
    flat = [each for argument in arguments for each in _listed(argument)]
    # Results of one layer share a graph: one of them stands for all. Graphs are held until then: a
    # value that is delayed by itself makes a new one each time, and two could come to one address.
    given = [(each, each.dask) for each in flat if isinstance(each, Delayed)]
    below = {id(below): each for each, below in given}
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=list(below.values()))
    return [Delayed(key, graph, layer=name) for key in keys]


def _listed(argument: Any) -> list[Any]:
    if not isinstance(argument, list):
        return [argument]
    return [each for nested in argument for each in _listed(nested)]
