"""Scores that sort as whole numbers give the metrics that any order of them gives."""

import numpy as np
import pytest
import sklearn.metrics
import xgboost

from dmlkit.boosting.exact_metrics import ExactMetrics


@pytest.mark.parametrize("kind", ["plain", "ties", "zeros", "margins", "weights"])
def test_metrics_are_scikit_learns_however_rows_are_sorted(kind) -> None:
    random = np.random.default_rng(4)
    label = (random.random(3_000) < 0.2).astype(np.float32)
    score = (0.2 * label + 0.6 * random.random(3_000)).astype(np.float32)
    weight = random.random(3_000).astype(np.float32) + 0.5 if kind == "weights" else None
    if kind == "ties":
        score = score.round(1)
    if kind == "zeros":
        score[::3] = 0
    if kind == "margins":
        score -= np.float32(0.5)
    matrix = xgboost.DMatrix(np.zeros((3_000, 1)), label=label, weight=weight)
    found = dict(ExactMetrics(["auc", "aucpr"])(score, matrix))
    auc = sklearn.metrics.roc_auc_score(label, score, sample_weight=weight)
    precision = sklearn.metrics.average_precision_score(label, score, sample_weight=weight)
    assert found["auc"] == pytest.approx(auc, abs=1e-9)
    assert found["aucpr"] == pytest.approx(precision, abs=1e-9)
