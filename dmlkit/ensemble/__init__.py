"""Forests on frames of any size."""

from dmlkit.ensemble.isolation_forest import IsolationForest

__all__ = ["IsolationForest"]
