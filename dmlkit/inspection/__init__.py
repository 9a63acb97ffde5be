"""What a fitted model makes of its features: any model with ``predict`` or ``predict_proba``."""

from dmlkit.inspection.dependence import partial_dependence
from dmlkit.inspection.permutation import permutation_importance

__all__ = ["partial_dependence", "permutation_importance"]
