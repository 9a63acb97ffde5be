"""The threshold that gains most is found over all distinct scores."""

import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError
from dmlkit.metrics import Costs, best_threshold, evaluate_binary


def gains(frame: pd.DataFrame, costs: Costs) -> dict[float, float]:
    """Return the gain of each threshold, the plain way."""
    loss = frame["amount"] if costs.missed == "amount" else costs.missed
    worth = loss * frame["label"] - costs.check
    return {score: worth[frame["score"] >= score].sum() for score in frame["score"].unique()}


@pytest.mark.parametrize("costs", [Costs(5.0, "amount"), Costs(2.5, 40.0)])
def test_the_threshold_is_that_of_trying_every_score(scores, lay_out, costs):
    by_score = gains(scores, costs)
    found = best_threshold(lay_out(scores), label="label", score="score", costs=costs)
    assert found == max(by_score, key=lambda score: by_score[score])


def test_of_equal_gains_fewer_checks_are_made(lay_out):
    # The second positive pays exactly for itself and the negative before it.
    frame = lay_out(pd.DataFrame({"label": [1, 0, 1, 0], "score": [0.9, 0.8, 0.7, 0.1]}))
    assert best_threshold(frame, label="label", score="score", costs=Costs(5, 10.0)) == 0.9


def test_checking_nothing_is_best_where_checks_cost_more_than_they_save(scores, lay_out):
    found = best_threshold(lay_out(scores), label="label", score="score", costs=Costs(500, 1.0))
    assert found == np.nextafter(scores["score"].max(), np.inf)


def test_the_gain_curve_is_exact_and_has_the_peak(scores, lay_out):
    costs = Costs(5.0, "amount")
    curve = evaluate_binary(
        lay_out(scores), label="label", score="score", costs=costs, replicates=0
    ).gain
    assert curve is not None
    ranked = scores.sort_values("score", ascending=False)
    by_rank = (ranked["amount"] * ranked["label"] - costs.check).cumsum().to_numpy()
    rows = curve.checked[1:].astype(int)
    np.testing.assert_allclose(curve.gain[1:], by_rank[rows - 1], atol=1e-6)
    np.testing.assert_array_equal(curve.caught[1:], ranked["label"].cumsum().to_numpy()[rows - 1])
    assert curve.gain.max() == pytest.approx(max(gains(scores, costs).values()))
    assert (curve.checked[0], curve.gain[0], curve.checked[-1]) == (0, 0, len(scores))


@pytest.mark.parametrize("costs", [Costs(-1.0, "amount"), Costs(5.0, -2.0), Costs(np.nan, 2.0)])
def test_costs_below_zero_are_refused(scores, costs):
    with pytest.raises(ConfigurationError, match="must be a sum of 0 or more"):
        best_threshold(scores, label="label", score="score", costs=costs)
