"""Gradient boosting on Dask: estimators, what their features are worth, and bundles on disk."""

from dmlkit.boosting.bundle import Bundle, load_bundle, save_bundle
from dmlkit.boosting.classifier import XGBClassifier
from dmlkit.boosting.importance import feature_importance

__all__ = ["Bundle", "XGBClassifier", "feature_importance", "load_bundle", "save_bundle"]
