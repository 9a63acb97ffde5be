"""Metrics over a cluster: exact on any partitioning, no column gathered on the client."""

from dmlkit.metrics.alarms import AlarmCosts, AlarmEvaluation, evaluate_alarms
from dmlkit.metrics.calibration import Calibrator
from dmlkit.metrics.cards import card_precision_at_k
from dmlkit.metrics.classes import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
)
from dmlkit.metrics.curves import precision_recall_curve, roc_curve
from dmlkit.metrics.evaluation import evaluate_binary
from dmlkit.metrics.gain import best_threshold
from dmlkit.metrics.groups import evaluate_groups
from dmlkit.metrics.probability import (
    brier_score_loss,
    calibration_bins,
    expected_calibration_error,
    log_loss,
)
from dmlkit.metrics.ranking import (
    average_precision_score,
    lift,
    precision_at_k,
    roc_auc_score,
)
from dmlkit.metrics.regression import evaluate_regression
from dmlkit.metrics.regression_scores import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)
from dmlkit.metrics.results import (
    BinaryEvaluation,
    CalibrationBins,
    Costs,
    Curve,
    GainCurve,
    ScoreHistogram,
)
from dmlkit.metrics.threshold import precision_score, recall_score, threshold_at_capacity

__all__ = [
    "AlarmCosts",
    "AlarmEvaluation",
    "BinaryEvaluation",
    "CalibrationBins",
    "Calibrator",
    "Costs",
    "Curve",
    "GainCurve",
    "ScoreHistogram",
    "accuracy_score",
    "average_precision_score",
    "balanced_accuracy_score",
    "best_threshold",
    "brier_score_loss",
    "calibration_bins",
    "card_precision_at_k",
    "confusion_matrix",
    "evaluate_alarms",
    "evaluate_binary",
    "evaluate_groups",
    "evaluate_regression",
    "expected_calibration_error",
    "f1_score",
    "lift",
    "log_loss",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "precision_at_k",
    "precision_recall_curve",
    "precision_score",
    "r2_score",
    "recall_score",
    "roc_auc_score",
    "roc_curve",
    "root_mean_squared_error",
    "threshold_at_capacity",
]
