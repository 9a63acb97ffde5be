"""Money: what checking the rows with the highest scores gains, and where it gains most."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError
from dmlkit.metrics.curves import by_rank, evenly
from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.results import Costs, GainCurve
from dmlkit.metrics.rows import source_of

__all__ = ["best_cut", "best_threshold", "gain_curve", "loss_column"]

#: Gains this near to each other are the same: sums of cents differ by rounding.
SAME = 1e-6


class _Peak(NamedTuple):
    gain: float
    score: float


def best_threshold(frame: Any, *, label: str, score: str, costs: Costs) -> float:
    """Find the score from which on checking rows gains most, over all distinct scores.

    Checking a row costs `costs.check`, and avoids the loss if it is a positive.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    label, score : str
        Columns with 0 or 1, and with the score.
    costs : Costs

    Returns
    -------
    float
        Rows with this score or a higher one are worth checking. Of thresholds that gain the same
        it is the highest; just above the highest score where checking gains nothing.

    Raises
    ------
    InputError
        A label, score or loss is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame(
    ...     {
    ...         "fraud": [1, 0, 1, 0],
    ...         "score": [0.9, 0.8, 0.7, 0.1],
    ...         "amount": [100.0, 20.0, 50.0, 10.0],
    ...     }
    ... )
    >>> best_threshold(frame, label="fraud", score="score", costs=Costs(check=10))
    0.7
    """
    source = source_of(frame, label, score, loss=loss_column(costs))
    return float(compute_metrics(source, [best_cut(costs)])[0])


def loss_column(costs: Costs | None) -> str | None:
    """Return the column with the loss by a missed positive, if it is a column."""
    return costs.missed if costs is not None and isinstance(costs.missed, str) else None


def best_cut(costs: Costs) -> Metric:
    """Return the threshold that gains most as a `Metric`."""
    return Metric(partial(_peak, _sound(costs)), _highest_peak)


def gain_curve(costs: Costs, points: int = 500) -> Metric:
    """Return the gain by rows checked, thinned for drawing, as a `Metric`."""
    return Metric(partial(_gain_points, _sound(costs), points // 2), _whole_curve)


def _sound(costs: Costs) -> Costs:
    sums = {"check": costs.check, "missed": costs.missed}
    for name, value in sums.items():
        if not isinstance(value, str) and not 0 <= value < np.inf:
            raise ConfigurationError(f"Costs({name}={value!r}) must be a sum of 0 or more.")
    return costs


def _gains(costs: Costs, ranked: Ranked) -> NDArray[np.float64]:
    """Return the gain of checking all rows down to each line."""
    if ranked.lines.loss is not None:
        avoided = ranked.above.loss + np.cumsum(ranked.lines.loss)
    else:
        avoided = float(costs.missed) * ranked.true_positives
    gains: NDArray[np.float64] = avoided - costs.check * ranked.flagged
    return gains


def _highest(gains: NDArray[np.float64]) -> int:
    """Return the place of the highest gain; the first of those that are the same."""
    return int(np.argmax(gains >= gains.max() - SAME))


def _peak(costs: Costs, ranked: Ranked) -> _Peak:
    gains = _gains(costs, ranked)
    if not len(gains):
        return _Peak(-np.inf, np.inf)
    place = _highest(gains)
    return _Peak(float(gains[place]), float(ranked.lines.score[place]))


def _highest_peak(peaks: list[_Peak], totals: Totals) -> float:
    best = peaks[_highest(np.array([peak.gain for peak in peaks]))]
    return best.score if best.gain > SAME else float(np.nextafter(totals.highest, np.inf))


def _gain_points(costs: Costs, steps: int, ranked: Ranked) -> NDArray[np.float64]:
    """Return points by rank, evenly and on a logarithmic scale, and the peak of the range."""
    gains = _gains(costs, ranked)
    drawn = np.union1d(evenly(ranked, steps), by_rank(ranked, steps))
    peak = [_highest(gains)] if len(gains) else []
    places = np.union1d(drawn, np.array(peak, dtype=np.int64))
    running = (ranked.flagged, ranked.true_positives, gains)
    return np.array([*(values[places] for values in running), np.isin(places, drawn)])


def _whole_curve(points: list[NDArray[np.float64]], _: Totals) -> GainCurve:
    """Put points together; of the ranges' peaks only the highest stays."""
    start = np.array([[0.0], [0.0], [0.0], [1.0]])
    checked, caught, gain, drawn = np.concatenate([start, *points], axis=1)
    wanted = drawn > 0
    wanted[_highest(gain)] = True
    return GainCurve(checked[wanted], caught[wanted], gain[wanted])
