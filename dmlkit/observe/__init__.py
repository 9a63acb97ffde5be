"""What is going on: stages, training rounds and lost workers, told as events."""

from dmlkit.observe.events import (
    Event,
    Listener,
    Notice,
    StageEvent,
    TrainingRestart,
    TrainingRound,
    WorkerLost,
)

__all__ = [
    "Event",
    "Listener",
    "Notice",
    "StageEvent",
    "TrainingRestart",
    "TrainingRound",
    "WorkerLost",
]
