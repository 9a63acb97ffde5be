"""Forests on frames of any size."""

from dmlkit.ensemble.isolation_forest import IsolationForest
from dmlkit.ensemble.random_forest import RandomForestClassifier, RandomForestRegressor

__all__ = ["IsolationForest", "RandomForestClassifier", "RandomForestRegressor"]
