"""How long a stage and a workflow still take, with a range: from tasks, and from an earlier run.

Tasks of a stage differ, so its speed so far is no promise: what is left is counted in seconds of
computing, by how long tasks of the same name took. Stages that have not begun are known from an
earlier run only, corrected by how this one compares with it so far.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dmlkit.observe.schema import Range

if TYPE_CHECKING:
    from dmlkit.observe.runs import RunRecord, StageProgress

__all__ = ["stage_left", "workflow_left"]

#: How much lower and higher it may be, as factors, of what is computed from tasks.
TASK_SPREAD = (0.7, 1.5)

#: Likewise for what an earlier run took.
RUN_SPREAD = (0.8, 1.3)

#: Share of the earlier run that counts as run at its pace already.
TRUST = 0.4

#: What a stage that took longer than before still takes, as a share of what it took so far.
OVERDUE = 0.15

#: A stage that stands still for longer than this takes longer by as much.
STANDSTILL = 5.0


def stage_left(stage: StageProgress, now: float) -> Range | None:
    """Return what is left of a running stage, as its tasks tell; None where they don't."""
    # What trains is one task for all rounds: the training tells how long it takes.
    if not stage.running or stage.hosts_training or not stage.work_left or stage.total == 0:
        return None
    seconds = stage.work_left
    if (speed := stage.tasks_per_second) and stage.done:
        by_count = (stage.total - stage.done) / speed
        seconds = math.sqrt(max(seconds, 0.1) * max(by_count, 0.1))
    return _range(seconds, TASK_SPREAD, max(0.0, stage.quiet(now) - STANDSTILL))


def workflow_left(run: RunRecord, now: float) -> tuple[Range | None, float | None]:
    """Return what is left of a running workflow, and the share that is done.

    Both are None where no earlier run tells how long its stages take.
    """
    expected = run.expected
    to_come = [stage for stage in run.stages if stage.state in ("waiting", "running", "stalled")]
    if any(stage.name not in expected for stage in to_come):
        return None, None
    pace = _pace(run)
    seconds = sum(expected[stage.name] * pace for stage in to_come if stage.state == "waiting")
    standstill = 0.0
    current = run.current
    if current is not None and current.started is not None:
        spent, whole = now - current.started, expected[current.name] * pace
        rest = max(whole - spent, 0.0)
        told = None if current.hosts_training else stage_left(current, now)
        if told is not None:
            by_tasks = (told["low"] + told["high"]) / 2
            weight = current.done / current.total
            rest = rest * (1 - weight) + by_tasks * weight
        rest = max(rest, OVERDUE * spent) if spent > whole else rest
        seconds += rest
        standstill = max(0.0, current.quiet(now) - STANDSTILL) if current.state == "stalled" else 0
    gone = now - run.started
    left = _range(seconds, RUN_SPREAD, standstill)
    return left, gone / (gone + seconds) if gone + seconds > 0 else None


def _pace(run: RunRecord) -> float:
    """Return how many times as long as in the earlier run the finished stages took.

    Stages count by their length, and the earlier run itself counts for a part, so that a stage
    of a few moments says little, and one that was slow since it lost a worker not all.
    """
    over = [stage for stage in run.stages if stage.state == "done" and stage.name in run.expected]
    before = sum(run.expected[stage.name] for stage in over)
    taken = sum(stage.seconds for stage in over)
    total = sum(run.expected.values())
    trust = TRUST * total
    return (taken + trust) / (before + trust) if before + trust > 0 else 1.0


def _range(seconds: float, spread: tuple[float, float], standstill: float) -> Range:
    return {
        "low": round(seconds * spread[0], 1),
        "high": round(seconds * spread[1] + standstill, 1),
    }
