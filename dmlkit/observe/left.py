"""How long a stage and a workflow still take, with a range: from tasks, rounds and earlier runs.

Tasks of a stage differ, so its speed so far is no promise: what is left is counted in seconds of
computing, by how long tasks of the same name took. Stages that have not begun are known from
earlier runs only (see `earlier`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dmlkit.observe.earlier import expected_seconds
from dmlkit.observe.schema import Range

if TYPE_CHECKING:
    from dmlkit.observe.runs import RunRecord, StageProgress

__all__ = ["stage_left", "workflow_left"]

#: How much lower and higher it may be, as factors, of what is computed from tasks.
TASK_SPREAD = (0.7, 1.5)

#: Likewise for what earlier runs took.
RUN_SPREAD = (0.75, 1.3)

#: Likewise where they ran elsewhere: on the machine of whoever wrote the workflow.
ELSEWHERE_SPREAD = (0.5, 1.6)

#: What a stage that took longer than expected still takes, as a share of what it took so far.
OVERDUE = 0.2

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


def workflow_left(
    run: RunRecord, now: float, training: Range | None = None
) -> tuple[Range | None, float | None]:
    """Return what is left of a running workflow, and the share that is done.

    Both are None where no earlier run tells how long its stages take.

    Parameters
    ----------
    run : RunRecord
    now : float
    training : Range, optional
        What is left of the training that goes on in its current stage.
    """
    expected = expected_seconds(run)
    if not expected:
        return None, None
    current = run.current
    seconds = sum(expected[stage.name] for stage in run.stages if stage.state == "waiting")
    standstill = 0.0
    if current is not None and current.started is not None:
        seconds += _rest(current, expected[current.name], now, training)
        standstill = max(0.0, current.quiet(now) - STANDSTILL) if current.state == "stalled" else 0
    gone = now - run.started
    own = any(not each.elsewhere for each in run.earlier)
    left = _range(seconds, RUN_SPREAD if own else ELSEWHERE_SPREAD, standstill)
    return left, gone / (gone + seconds) if gone + seconds > 0 else None


def _rest(stage: StageProgress, whole: float, now: float, training: Range | None) -> float:
    """Return the seconds that are left of a running stage that is expected to take `whole`."""
    spent = now - (stage.started or now)
    rest = max(whole - spent, OVERDUE * spent)
    if stage.hosts_training:
        return rest if training is None else _rest_of_training(rest, training, spent > whole)
    told = stage_left(stage, now)
    if told is None:
        return rest
    # The first tasks of a stage say little of the last ones, which are of other kinds.
    weight = (stage.done / stage.total) ** 4
    return rest * (1 - weight) + weight * (told["low"] + told["high"]) / 2


def _rest_of_training(rest: float, training: Range, overdue: bool) -> float:
    """Return what is left of a stage that trains, by what its training tells.

    It does not end before the earliest stop of the training; what follows that is known from
    earlier runs. Where these say nothing more, it may as well stop late as early.
    """
    middle = (training["low"] + training["high"]) / 2
    return max(middle if overdue else rest, training["low"])


def _range(seconds: float, spread: tuple[float, float], standstill: float) -> Range:
    return {
        "low": round(seconds * spread[0], 1),
        "high": round(seconds * spread[1] + standstill, 1),
    }
