"""Splits that keep the future out of the training rows."""

from dmlkit.model_selection.temporal import (
    TimeSplit,
    TrainValidationTest,
    count_periods,
    drop_known_entities,
)

__all__ = ["TimeSplit", "TrainValidationTest", "count_periods", "drop_known_entities"]
