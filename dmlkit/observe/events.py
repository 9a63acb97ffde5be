"""The records of what a job does; showing them is the business of `console` and others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Event",
    "Listener",
    "Notice",
    "Outlook",
    "StageEvent",
    "TrainingRestart",
    "TrainingRound",
    "WorkerLost",
    "WorkflowEvent",
]

StageState = Literal["started", "running", "done", "resumed", "failed"]


@dataclass(frozen=True)
class WorkflowEvent:
    """A run of a workflow starts or ends.

    At its start, `stages` names all that are to come, and `earlier` tells what they took in earlier
    runs (see `dmlkit.observe.earlier`), the newest last; `size` is the bytes of its input where
    they are known, and `planned` the rows of stages. `error` is told where it failed.
    """

    workflow: str
    state: Literal["started", "done", "failed", "stopped"]
    stages: tuple[str, ...] = ()
    data: str | None = None
    out: str = ""
    earlier: tuple[Mapping[str, Any], ...] = ()
    size: int | None = None
    planned: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class StageEvent:
    """A stage of a workflow starts, goes on, or ends.

    `tasks_done` and `tasks_total` count what the scheduler knows of while the stage runs;
    `rows` and `bytes` are known at its end.
    """

    workflow: str
    stage: str
    number: int
    of: int
    state: StageState
    seconds: float = 0.0
    tasks_done: int = 0
    tasks_total: int = 0
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class TrainingRound:
    """A boosting round is done; `metrics` maps names such as ``"validation-auc"`` to values."""

    round: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingRestart:
    """A training goes on from a checkpoint after a failure, told in a sentence by `reason`.

    `round` is the last that was done before it, `resumed_round` that of the checkpoint;
    `seconds_lost` is known once `round` is reached again, and the event comes again then.
    """

    worker: str
    reason: str
    round: int
    resumed_round: int
    seconds_lost: float | None = None


@dataclass(frozen=True)
class WorkerLost:
    """A worker went without having been asked to, with `recomputed_tasks` results.

    `cause` says why, in words, where that is known.
    """

    time: float
    worker: str
    recomputed_tasks: int
    cause: str = ""


@dataclass(frozen=True)
class Outlook:
    """How far the running stage is with its rows, and how long the whole job still takes.

    `what` is done with `rows` of about `rows_total` rows so far. `low` and `high` are the seconds
    that are left; None where earlier runs do not tell.
    """

    what: str = ""
    rows: int | None = None
    rows_total: int | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Notice:
    """Something a person should know, in a sentence."""

    text: str


Event = WorkflowEvent | StageEvent | TrainingRound | TrainingRestart | WorkerLost | Notice | Outlook
Listener = Callable[[Event], None]
