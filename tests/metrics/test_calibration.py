"""Calibrators learn what scikit-learn's do, on any partitions."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import Calibrator, expected_calibration_error

POINTS = np.linspace(0.001, 0.999, 333)


def test_isotonic_is_that_of_scikit_learn(scores, lay_out) -> None:
    frame = lay_out(scores)
    found = Calibrator().fit(frame["label"], frame["score"])
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores["score"], scores["label"])
    np.testing.assert_allclose(found.predict(POINTS), theirs.predict(POINTS), atol=1e-9)


def test_sigmoid_is_that_of_scikit_learn_on_logits(scores, lay_out) -> None:
    scores = scores.assign(score=scores["score"].clip(0.005, 0.995))
    frame = lay_out(scores)
    found = Calibrator("sigmoid").fit(frame["label"], frame["score"])
    theirs = _SigmoidCalibration().fit(logit(scores["score"]), scores["label"])
    np.testing.assert_allclose(found.predict(POINTS), theirs.predict(logit(POINTS)), atol=1e-6)


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
def test_probabilities_are_right_afterwards(method, scores) -> None:
    half = len(scores) // 2
    learnt = Calibrator(method).fit(scores["label"][:half], scores["score"][:half])
    rest = scores[half:]
    after = expected_calibration_error(rest["label"], learnt.predict(rest["score"]))
    assert after < 0.3 * expected_calibration_error(rest["label"], rest["score"])


@pytest.mark.parametrize("method", ["isotonic", "sigmoid"])
def test_it_is_kept_as_json_and_stays_lazy(method, scores, lay_out) -> None:
    learnt = Calibrator(method).fit(scores["label"], scores["score"])
    again = Calibrator.from_dict(json.loads(json.dumps(learnt.to_dict())))
    lazy = again.predict(lay_out(scores)["score"])
    expected = learnt.predict(scores["score"])
    pd.testing.assert_series_equal(lazy.compute().sort_index(), expected)


def test_one_class_cannot_be_calibrated() -> None:
    for method in ("isotonic", "sigmoid"):
        with pytest.raises(InputError, match="both classes"):
            Calibrator(method).fit([1, 1], [0.3, 0.4])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'platt'"):
        Calibrator("platt").fit([0, 1], [0.3, 0.4])
