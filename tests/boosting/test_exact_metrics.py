"""Early stopping's metrics: exact, and beyond many rows within the stated bound."""

import numpy as np
import pytest
import xgboost
from sklearn.metrics import average_precision_score, roc_auc_score

from dmlkit.boosting import exact_metrics
from dmlkit.boosting.exact_metrics import ExactMetrics


def rows(weighted: bool) -> tuple[np.ndarray, xgboost.DMatrix]:
    random = np.random.default_rng(1)
    label = random.random(3000) < 0.1
    score = np.clip(random.normal(0.2 + 0.2 * label, 0.15), 0, 1).astype(np.float32)
    weight = random.random(3000) if weighted else None
    return score, xgboost.DMatrix(np.zeros((3000, 1)), label=label, weight=weight)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_figures_are_those_of_scikit_learn(weighted: bool) -> None:
    score, matrix = rows(weighted)
    weight = matrix.get_weight() if weighted else None
    found = dict(ExactMetrics(["auc", "aucpr"])(score, matrix))
    label = matrix.get_label()
    assert found["auc"] == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    expected = average_precision_score(label, score, sample_weight=weight)
    assert found["aucpr"] == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows_are_binned_within_the_bound(
    weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, matrix = rows(weighted)
    exact = dict(ExactMetrics(["auc", "aucpr"])(score, matrix))
    monkeypatch.setattr(exact_metrics, "MOST_ROWS", 0)
    binned = dict(ExactMetrics(["auc", "aucpr"])(score, matrix))
    bins = score.view(np.uint32) >> exact_metrics.DROPPED_BITS
    weight = matrix.get_weight() if weighted else np.ones(len(score))
    positive = matrix.get_label() > 0
    tied = np.bincount(bins[positive], weight[positive], minlength=exact_metrics.BINS) * (
        np.bincount(bins[~positive], weight[~positive], minlength=exact_metrics.BINS)
    )
    pairs = weight[positive].sum() * weight[~positive].sum()
    assert abs(binned["auc"] - exact["auc"]) <= tied.sum() / pairs / 2
    assert binned["aucpr"] == pytest.approx(exact["aucpr"], abs=2e-3)
