"""Who does how much of a training, and whom the others wait for."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from dmlkit.observe import schema

__all__ = ["ShardEffort", "efforts_by_worker", "held_up_by"]

#: A worker that works so many times as long in a round as the others holds them up, where that is
#: so many seconds at least.
HELD_UP, HELD_UP_SECONDS = 1.5, 0.05


@dataclass(frozen=True)
class ShardEffort:
    """What the process of a shard has worked so far, in seconds, and for how many rounds."""

    worker: str
    rows: int
    rounds: int
    worked: float


def efforts_by_worker(shards: Iterable[ShardEffort]) -> list[schema.Effort]:
    """Return the efforts of workers, the slowest first.

    Processes of one worker run side by side: its seconds are those of the one that takes longest.

    Examples
    --------
    >>> shards = [ShardEffort("a", 100, 10, 1.0), ShardEffort("b", 300, 10, 4.0)]
    >>> [(each["worker"], each["share"], each["seconds"]) for each in efforts_by_worker(shards)]
    [('b', 0.75, 0.4), ('a', 0.25, 0.1)]
    """
    by_worker: dict[str, list[ShardEffort]] = defaultdict(list)
    for shard in shards:
        by_worker[shard.worker].append(shard)
    rows = {worker: sum(shard.rows for shard in of) for worker, of in by_worker.items()}
    total = sum(rows.values())
    efforts: list[schema.Effort] = [
        {
            "worker": worker,
            "shards": len(of),
            "rows": rows[worker],
            "share": round(rows[worker] / total, 4) if total else 0.0,
            "seconds": round(max(shard.worked / max(shard.rounds, 1) for shard in of), 4),
        }
        for worker, of in by_worker.items()
    ]
    return sorted(efforts, key=lambda each: -each["seconds"])


def held_up_by(efforts: list[schema.Effort]) -> tuple[schema.Effort, float] | None:
    """Return the worker that the others wait for, and how many times as long it works as they do.

    None where it makes no difference that a person would care about.
    """
    if len(efforts) < 2:
        return None
    slowest, others = efforts[0], median(each["seconds"] for each in efforts[1:])
    if slowest["seconds"] - others < HELD_UP_SECONDS or slowest["seconds"] < HELD_UP * others:
        return None
    return slowest, slowest["seconds"] / max(others, 1e-3)
