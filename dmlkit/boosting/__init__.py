"""Gradient boosting on Dask: estimators, what their features are worth, and bundles on disk."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmlkit.boosting.bundle import Bundle, load_bundle, save_bundle
    from dmlkit.boosting.classifier import XGBClassifier
    from dmlkit.boosting.importance import feature_importance
    from dmlkit.boosting.interactions import FeatureInteractions, feature_interactions
    from dmlkit.boosting.ranker import XGBRanker
    from dmlkit.boosting.regressor import XGBRegressor

__all__ = [
    "Bundle",
    "FeatureInteractions",
    "XGBClassifier",
    "XGBRanker",
    "XGBRegressor",
    "feature_importance",
    "feature_interactions",
    "load_bundle",
    "save_bundle",
]

#: Where the public names live. A process that trains needs none of them, nor Dask.
HOMES = {
    "Bundle": "bundle",
    "FeatureInteractions": "interactions",
    "XGBClassifier": "classifier",
    "XGBRanker": "ranker",
    "XGBRegressor": "regressor",
    "feature_importance": "importance",
    "feature_interactions": "interactions",
    "load_bundle": "bundle",
    "save_bundle": "bundle",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'dmlkit.boosting' has no attribute {name!r}")
    return getattr(importlib.import_module(f"dmlkit.boosting.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
