"""Curves are thinned, but exact at the points that they keep."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from dmlkit.metrics import precision_recall_curve, roc_curve


@pytest.mark.parametrize("weighted", [False, True])
def test_points_of_the_roc_curve_are_exact(scores, lay_out, weighted):
    frame = lay_out(scores)
    weights = scores["weight"] if weighted else np.ones(len(scores))
    curve = roc_curve(
        frame["label"], frame["score"], sample_weight=frame["weight"] if weighted else None
    )
    label, score = scores["label"].to_numpy(), scores["score"].to_numpy()
    for false_rate, true_rate, threshold in zip(curve.x, curve.y, curve.threshold, strict=True):
        flagged = score >= threshold
        assert true_rate == pytest.approx(
            weights[flagged & (label == 1)].sum() / weights[label == 1].sum(), abs=1e-12
        )
        assert false_rate == pytest.approx(
            weights[flagged & (label == 0)].sum() / weights[label == 0].sum(), abs=1e-12
        )
    assert (curve.x[0], curve.y[0], curve.threshold[0]) == (0, 0, np.inf)
    assert (curve.x[-1], curve.y[-1]) == pytest.approx((1, 1), abs=1e-12)


def test_a_thinned_curve_has_few_points_and_nearly_the_area():
    random = np.random.default_rng(3)
    score = random.random(50_000)
    label = random.random(50_000) < score
    frame = dd.from_pandas(pd.DataFrame({"label": label, "score": score}), npartitions=3)
    curve = roc_curve(frame["label"], frame["score"], points=100)
    assert 50 < len(curve.x) <= 102
    assert np.max(np.diff(curve.x) + np.diff(curve.y)) <= 4 / 100
    area = np.trapezoid(curve.y, curve.x)
    assert area == pytest.approx(reference.roc_auc_score(label, score), abs=1e-3)


def test_points_of_the_precision_recall_curve_are_exact(scores, lay_out):
    frame = lay_out(scores)
    curve = precision_recall_curve(frame["label"], frame["score"])
    label, score = scores["label"].to_numpy(), scores["score"].to_numpy()
    for recall, precision, threshold in zip(
        curve.x[1:], curve.y[1:], curve.threshold[1:], strict=True
    ):
        flagged = score >= threshold
        assert recall == pytest.approx(label[flagged].sum() / label.sum(), abs=1e-12)
        assert precision == pytest.approx(label[flagged].mean(), abs=1e-12)
    assert (curve.x[0], curve.y[0], curve.x[-1]) == (0, 1, 1)
    assert len(curve.x) <= 502
