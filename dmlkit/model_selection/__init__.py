"""Splits that keep the future, and other rows of the same group, out of the training rows."""

from dmlkit.model_selection.assigned import check_cv
from dmlkit.model_selection.crossing import cross_val_predict, cross_val_score, cross_validate
from dmlkit.model_selection.folds import KFold, StratifiedKFold
from dmlkit.model_selection.grouped import GroupKFold, GroupSplit, count_parts, group_places
from dmlkit.model_selection.held_out import train_test_split
from dmlkit.model_selection.rolling import TimeSeriesSplit
from dmlkit.model_selection.stratified_groups import StratifiedGroupKFold
from dmlkit.model_selection.temporal import (
    TimeSplit,
    TrainValidationTest,
    count_periods,
    drop_known_entities,
)

__all__ = [
    "GroupKFold",
    "GroupSplit",
    "KFold",
    "StratifiedGroupKFold",
    "StratifiedKFold",
    "TimeSeriesSplit",
    "TimeSplit",
    "TrainValidationTest",
    "check_cv",
    "count_parts",
    "count_periods",
    "cross_val_predict",
    "cross_val_score",
    "cross_validate",
    "drop_known_entities",
    "group_places",
    "train_test_split",
]
