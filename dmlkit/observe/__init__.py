"""What is going on: stages, training rounds and lost workers, told as events and as a story."""

from dmlkit.observe.asking import install, take_snapshot
from dmlkit.observe.events import (
    Event,
    Listener,
    Notice,
    Outlook,
    StageEvent,
    TrainingRestart,
    TrainingRound,
    WorkerLost,
    WorkflowEvent,
)
from dmlkit.observe.plugin import dask_setup

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
    "dask_setup",
    "install",
    "take_snapshot",
]
