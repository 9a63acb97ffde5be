"""Splits that keep the future out of the training rows."""

from dmlkit.model_selection.temporal import TimeSplit, TrainValidationTest, drop_known_entities

__all__ = ["TimeSplit", "TrainValidationTest", "drop_known_entities"]
