"""Scores turned into probabilities that can be taken at their word: isotonic and Platt scaling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import dask
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.graph import add_up, for_each
from dmlkit.metrics.lines import Totals
from dmlkit.metrics.ranked import Metric, Ranked, compute_metrics
from dmlkit.metrics.rows import LabelledScores, Source, raise_faults, scored_rows

__all__ = ["Calibrator"]

METHODS = ("isotonic", "sigmoid")

#: Logits of 0 and 1 would be infinite.
NEAR = 1e-9

#: Newton's steps end when both parameters move by less.
SMALL_STEP = 1e-10
MOST_STEPS = 100


class Pools(NamedTuple):
    """Neighbouring scores that share a rate, from low to high."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    positives: NDArray[np.float64]
    rows: NDArray[np.float64]


@dataclass
class Calibrator:
    """A rising map from scores to probabilities, learnt on rows that the model did not train on.

    Parameters
    ----------
    method : {"isotonic", "sigmoid"}
        Any rising map (which needs some thousand rows), or Platt's two parameters on the logits of
        scores that are probabilities.

    Attributes
    ----------
    thresholds_ : list of (float, float)
        Score and probability at the corners of the isotonic map.
    slope_, intercept_ : float
        Of the sigmoid.

    Notes
    -----
    Isotonic: equal to `sklearn.isotonic.IsotonicRegression` within 1e-9; pools of each range of
    scores are pooled again together, which is the same as pooling all rows at once, so that only
    pools come to the client. Sigmoid: the solution of `sklearn.calibration`'s on logits within
    1e-6, by Newton's method over the partitions.

    References
    ----------
    Zadrozny, Elkan: *Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates*. KDD 2002. Platt: *Probabilistic Outputs for Support Vector Machines*. 1999.

    Examples
    --------
    >>> calibrator = Calibrator().fit([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9])
    >>> calibrator.predict(np.array([0.0, 0.25, 0.9])).tolist()
    [0.0, 0.5, 1.0]
    """

    method: str = "isotonic"

    def fit(self, y_true: Any, y_score: Any) -> "Calibrator":
        """Learn from labels and scores.

        Parameters
        ----------
        y_true : (n,) dask Series or Array, or anything like a NumPy array
            0 or 1.
        y_score : (n,) like y_true

        Raises
        ------
        InputError
            A label or score is missing, or rows are of one class only.
        """
        if self.method not in METHODS:
            raise ConfigurationError(
                f"method is {self.method!r}; it must be one of {', '.join(map(repr, METHODS))}."
            )
        source = scored_rows(y_true, y_score)
        if self.method == "isotonic":
            pools: Pools = compute_metrics(source, [Metric(_pools_of_range, _pools_of_all)])[0]
            self.thresholds_ = _corners(pools)
        else:
            self.slope_, self.intercept_ = _fit_sigmoid(source)
        return self

    def predict(self, score: Any) -> Any:
        """Return the probability for each score.

        Parameters
        ----------
        score : array, or dask or pandas Series
            What is lazy stays so.
        """
        if isinstance(score, pd.Series):
            return pd.Series(self._map(score.to_numpy()), index=score.index, name=score.name)
        if hasattr(score, "map_partitions"):
            return score.map_partitions(self.predict, meta=(score.name, "float64"))
        return self._map(np.asarray(score))

    def to_dict(self) -> dict[str, Any]:
        """Return method and what was learned as JSON-able values."""
        kept = ("thresholds_", "slope_", "intercept_")
        learned = {name: getattr(self, name) for name in kept if hasattr(self, name)}
        return {"method": self.method, "learned": learned}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Calibrator":
        """Make it from what `to_dict` returned."""
        made = cls(document["method"])
        for name, value in document["learned"].items():
            setattr(made, name, value)
        return made

    def _map(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        score = score.astype(np.float64)
        if hasattr(self, "thresholds_"):
            corners = np.array(self.thresholds_)
            return np.interp(score, corners[:, 0], corners[:, 1])
        if hasattr(self, "slope_"):
            return _sigmoid(self.slope_ * _logits(score) + self.intercept_)
        raise NotFittedError("This Calibrator is not fitted yet: call fit first.")


def _pool(pools: Pools) -> Pools:
    """Pool neighbours until rates rise (pool adjacent violators)."""
    low: list[float] = []
    high: list[float] = []
    positives: list[float] = []
    rows: list[float] = []
    for first, last, some, count in zip(*(each.tolist() for each in pools), strict=True):
        low.append(first)
        high.append(last)
        positives.append(some)
        rows.append(count)
        while len(rows) > 1 and positives[-2] * rows[-1] >= positives[-1] * rows[-2]:
            low.pop()
            high[-2:] = high[-1:]
            positives[-2:] = [positives[-2] + positives[-1]]
            rows[-2:] = [rows[-2] + rows[-1]]
    return Pools(*(np.array(each, dtype=np.float64) for each in (low, high, positives, rows)))


def _pools_of_range(ranked: Ranked) -> Pools:
    lines = ranked.lines  # from high to low
    score = lines.score[::-1].astype(np.float64)
    positives = lines.positives[::-1].astype(np.float64)
    rows = positives + lines.negatives[::-1]
    return _pool(Pools(score, score, positives, rows))


def _pools_of_all(ranges: list[Pools], totals: Totals) -> Pools:
    if 0 in (totals.positives, totals.negatives):
        raise InputError("Calibration needs rows of both classes. Take more rows.")
    return _pool(Pools(*(np.concatenate(each) for each in zip(*ranges[::-1], strict=True))))


def _corners(pools: Pools) -> list[tuple[float, float]]:
    rates = (pools.positives / pools.rows).tolist()
    ends = zip(pools.low.tolist(), pools.high.tolist(), rates, strict=True)
    return [
        corner
        for low, high, rate in ends
        for corner in ([(low, rate)] if low == high else [(low, rate), (high, rate)])
    ]


class _Newton(NamedTuple):
    """Gradient and Hessian of the loss by slope and intercept."""

    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]


def _fit_sigmoid(source: Source) -> tuple[float, float]:
    rows = list(dask.persist(*source.rows, scheduler=source.scheduler))
    counts, faults = source.compute(add_up(for_each(_classes, rows), _total), source.faults())
    raise_faults(faults)
    positives, negatives = counts.tolist()
    if 0 in (positives, negatives):
        raise InputError("Calibration needs rows of both classes. Take more rows.")
    # Platt's targets: as if one more row of either class had been seen.
    targets = (1 / (negatives + 2), (positives + 1) / (positives + 2))
    parameters = np.array([1.0, 0.0])
    for _ in range(MOST_STEPS):
        parts = for_each(_newton, rows, tuple(parameters.tolist()), targets)
        found = source.compute(add_up(parts, _add_newton))[0]
        step = np.linalg.solve(found.hessian, found.gradient)
        # Far from the solution the loss is flat: a step must not leave it behind.
        parameters = parameters - step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < SMALL_STEP:
            break
    slope, intercept = parameters.tolist()
    return slope, intercept


def _classes(rows: LabelledScores) -> NDArray[np.int64]:
    return np.array([rows.label.sum(), (~rows.label).sum()])


def _total(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return reduce(np.add, counts)


def _newton(
    rows: LabelledScores, parameters: tuple[float, float], targets: tuple[float, float]
) -> _Newton:
    design = np.stack([_logits(rows.score), np.ones(len(rows.score))])
    chance = _sigmoid(np.asarray(parameters) @ design)
    gradient = design @ (chance - np.where(rows.label, targets[1], targets[0]))
    return _Newton(gradient, (design * (chance * (1 - chance) + 1e-12)) @ design.T)


def _add_newton(parts: Sequence[_Newton]) -> _Newton:
    return _Newton(*(reduce(np.add, each) for each in zip(*parts, strict=True)))


def _logits(score: NDArray[np.float64]) -> NDArray[np.float64]:
    outside = (score < 0) | (score > 1)
    if outside.any():
        raise InputError(
            f"{int(outside.sum()):,} scores are no probabilities, such as {score[outside][0]:g}. "
            "Use method='isotonic', which takes any scores."
        )
    clipped = np.clip(score, NEAR, 1 - NEAR)
    return np.log(clipped) - np.log1p(-clipped)


def _sigmoid(margin: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-margin))
