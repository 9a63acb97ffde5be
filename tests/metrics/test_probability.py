"""Log loss, Brier score and calibration equal scikit-learn's on any partitioning."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import (
    brier_score_loss,
    calibration_bins,
    expected_calibration_error,
    log_loss,
)
from dmlkit.metrics.intervals import wilson_interval


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ours", [log_loss, brier_score_loss])
def test_the_loss_is_scikit_learns_whatever_the_partitioning(scores, lay_out, ours, weighted):
    frame = lay_out(scores)
    expected = getattr(reference, ours.__name__)(
        scores["label"], scores["score"], sample_weight=scores["weight"] if weighted else None
    )
    found = ours(
        frame["label"], frame["score"], sample_weight=frame["weight"] if weighted else None
    )
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_certain_and_wrong_is_clipped_as_scikit_learn_does(dtype):
    label, score = [1, 0, 1], np.array([0.0, 1.0, 0.5], dtype=dtype)
    assert log_loss(label, score) == pytest.approx(reference.log_loss(label, score), rel=1e-6)


def test_one_class_has_a_loss_too():
    assert brier_score_loss([0, 0], [0.5, 0.1]) == pytest.approx(0.13)


@pytest.mark.parametrize("metric", [log_loss, brier_score_loss, expected_calibration_error])
def test_margins_are_no_probabilities(lay_out, metric):
    frame = lay_out(pd.DataFrame({"label": [0, 1] * 50, "score": [-2.5] * 3 + [0.5] * 97}))
    with pytest.raises(
        InputError, match=r"3 of 100 rows have a score outside 0 and 1, such as -2\.5"
    ):
        metric(frame["label"], frame["score"])


def test_calibration_bins_are_scikit_learns(scores, lay_out):
    frame = lay_out(scores)
    rate, mean = calibration_curve(scores["label"], scores["score"], n_bins=10)
    found = calibration_bins(frame["label"], frame["score"], bins=10)
    np.testing.assert_allclose(found.observed_rate, rate, atol=1e-12)
    np.testing.assert_allclose(found.mean_score, mean, atol=1e-12)
    assert found.rows.sum() == len(scores)
    assert (found.low <= found.observed_rate).all()
    assert (found.observed_rate <= found.high).all()


def test_intervals_of_weighted_bins_are_those_of_as_many_rows_as_tell_as_much(scores, lay_out):
    frame = lay_out(scores)
    plain = calibration_bins(frame["label"], frame["score"])
    tenths = calibration_bins(
        frame["label"], frame["score"], sample_weight=frame["label"] * 0 + 0.1
    )
    np.testing.assert_allclose([tenths.low, tenths.high], [plain.low, plain.high], atol=1e-12)
    found = calibration_bins(frame["label"], frame["score"], sample_weight=frame["weight"])
    by_bin = scores[scores["weight"] > 0].groupby(
        np.searchsorted(np.linspace(0, 1, 11)[1:-1], scores["score"][scores["weight"] > 0])
    )["weight"]
    rows = by_bin.sum() ** 2 / (by_bin.agg(lambda weight: (weight**2).sum()))
    low, high = wilson_interval(found.observed_rate * rows.to_numpy(), rows.to_numpy())
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=1e-12)
    assert (found.low <= found.observed_rate).all()


def test_expected_calibration_error_is_the_mean_distance_over_rows(scores, lay_out):
    frame = lay_out(scores)
    bin_of = np.searchsorted(np.linspace(0, 1, 11)[1:-1], scores["score"])
    distance = (scores["label"] - scores["score"]).groupby(bin_of).sum().abs().sum()
    found = expected_calibration_error(frame["label"], frame["score"])
    assert found == pytest.approx(distance / len(scores), abs=1e-12)


def test_no_bins_are_refused():
    with pytest.raises(ConfigurationError, match="bins is 0"):
        calibration_bins([0, 1], [0.1, 0.9], bins=0)
