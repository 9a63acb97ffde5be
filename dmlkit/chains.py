"""Chains of tasks made one task each: what only the next step needs goes through no scheduler."""

from typing import Any
from uuid import uuid4

from dask.core import reverse_dict
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.optimization import cull
from dask.task_spec import Alias, GraphNode, Task

__all__ = ["chained"]


def chained(results: list[Any]) -> list[Any]:
    """Make one task of each chain of tasks of which each takes the result of the one before.

    Every task costs some milliseconds on its way over the scheduler, and its result may be moved or
    spilled before the next one takes it. Dask does this for expressions of frames; not for graphs
    of delayed values, nor for frames that were made of them.

    Parameters
    ----------
    results : list of Delayed

    Returns
    -------
    list of Delayed
        With the same keys and values. A chain has the key of its last task.

    Examples
    --------
    >>> from dmlkit.graph import for_each
    >>> squares = for_each(abs, for_each(pow, for_each(abs, [1, -2]), 2))
    >>> len(squares[0].dask), len(chained(squares)[0].dask), chained(squares)[1].compute()
    (6, 2, 4)
    """
    # Most results share one graph.
    graphs = {id(each.dask): each.dask for each in results}.values()
    keys = {each.key for each in results}
    tasks, needs = cull({key: task for graph in graphs for key, task in graph.items()}, keys)
    needed_by = reverse_dict(needs)
    before: dict[Any, Any] = {}
    for key, task in tasks.items():
        given = next(iter(needs[key]), None)
        alone = len(needs[key]) == 1 and len(needed_by[given]) == 1 and given not in keys
        if alone and _may_be_joined(task) and _may_be_joined(tasks.get(given)):
            before[key] = given
    inner = set(before.values())
    joined = {key: _joined(key, tasks, before) for key in tasks if key not in inner}
    name = f"chained-{uuid4().hex}"
    graph = HighLevelGraph.from_collections(name, joined)
    return [Delayed(each.key, graph, layer=name) for each in results]


def _may_be_joined(task: Any) -> bool:
    """Tell whether this is a task that need not stand alone, as those of Dask's P2P shuffle do."""
    return isinstance(task, GraphNode) and not task.block_fusion


def _joined(last: Any, tasks: dict[Any, Any], before: dict[Any, Any]) -> Any:
    """Return the chain that ends with a task as one task."""
    keys = [last]
    while keys[-1] in before:
        keys.append(before[keys[-1]])
    if len(keys) == 1:
        return tasks[last]
    return Task.fuse(*(_known_by(key, tasks[key]) for key in keys), key=last)


def _known_by(key: Any, task: Any) -> Any:
    """Return a task that is called as the graph calls it, which Dask's aliases need not be."""
    return Alias(key, task.target) if isinstance(task, Alias) else task
