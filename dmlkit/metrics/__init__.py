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
from dmlkit.metrics.cluster_agreement import (
    adjusted_rand_score,
    completeness_score,
    homogeneity_score,
    normalized_mutual_info_score,
    v_measure_score,
)
from dmlkit.metrics.cluster_shape import (
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from dmlkit.metrics.curves import precision_recall_curve, roc_curve
from dmlkit.metrics.deviances import (
    d2_tweedie_score,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_tweedie_deviance,
)
from dmlkit.metrics.evaluation import evaluate_binary
from dmlkit.metrics.gain import best_threshold
from dmlkit.metrics.groups import evaluate_groups
from dmlkit.metrics.medians import (
    d2_absolute_error_score,
    d2_pinball_score,
    mean_pinball_loss,
    median_absolute_error,
)
from dmlkit.metrics.probability import (
    brier_score_loss,
    log_loss,
)
from dmlkit.metrics.queries import (
    dcg_score,
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg_score,
)
from dmlkit.metrics.ranking import (
    average_precision_score,
    lift,
    precision_at_k,
    roc_auc_score,
)
from dmlkit.metrics.regression import evaluate_regression
from dmlkit.metrics.regression_scores import (
    explained_variance_score,
    max_error,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_log_error,
    r2_score,
    root_mean_squared_error,
    root_mean_squared_log_error,
)
from dmlkit.metrics.reliability import calibration_bins, expected_calibration_error
from dmlkit.metrics.results import (
    BinaryEvaluation,
    CalibrationBins,
    Costs,
    Curve,
    GainCurve,
    ScoreHistogram,
)
from dmlkit.metrics.scorers import check_scoring, get_scorer, get_scorer_names
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
    "adjusted_rand_score",
    "average_precision_score",
    "balanced_accuracy_score",
    "best_threshold",
    "brier_score_loss",
    "calibration_bins",
    "calinski_harabasz_score",
    "card_precision_at_k",
    "check_scoring",
    "completeness_score",
    "confusion_matrix",
    "d2_absolute_error_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "davies_bouldin_score",
    "dcg_score",
    "evaluate_alarms",
    "evaluate_binary",
    "evaluate_groups",
    "evaluate_regression",
    "expected_calibration_error",
    "explained_variance_score",
    "f1_score",
    "get_scorer",
    "get_scorer_names",
    "homogeneity_score",
    "lift",
    "log_loss",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_average_precision",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_reciprocal_rank",
    "mean_squared_error",
    "mean_squared_log_error",
    "mean_tweedie_deviance",
    "median_absolute_error",
    "ndcg_score",
    "normalized_mutual_info_score",
    "precision_at_k",
    "precision_recall_curve",
    "precision_score",
    "r2_score",
    "recall_score",
    "roc_auc_score",
    "roc_curve",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
    "silhouette_score",
    "threshold_at_capacity",
    "v_measure_score",
]
