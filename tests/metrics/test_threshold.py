"""Precision and recall at a threshold equal scikit-learn's on any partitioning."""

import pytest
from sklearn import metrics as reference

from dmlkit.errors import InputError
from dmlkit.metrics import precision_score, recall_score


@pytest.mark.parametrize("ours", [precision_score, recall_score])
def test_a_row_at_the_threshold_is_flagged(scores, lay_out, ours):
    frame, threshold = lay_out(scores), 0.25
    flagged = scores["score"] >= threshold
    assert (scores["score"] == threshold).any()
    expected = getattr(reference, ours.__name__)(scores["label"], flagged)
    found = ours(frame["label"], frame["score"], threshold=threshold)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ours", [precision_score, recall_score])
def test_weights_count_as_scikit_learns(scores, lay_out, ours):
    frame = lay_out(scores)
    expected = getattr(reference, ours.__name__)(
        scores["label"], scores["score"] >= 0.3, sample_weight=scores["weight"]
    )
    found = ours(frame["label"], frame["score"], threshold=0.3, sample_weight=frame["weight"])
    assert found == pytest.approx(expected, abs=1e-12)


def test_predictions_are_taken_for_scores():
    assert precision_score([0, 1, 1], [1, 1, 0]) == 0.5


def test_precision_of_no_flagged_row_is_zero():
    assert precision_score([0, 1], [0.1, 0.2], threshold=0.9) == 0.0


def test_recall_needs_a_positive():
    with pytest.raises(InputError, match="None of the 2 rows"):
        recall_score([0, 0], [0.1, 0.2])
