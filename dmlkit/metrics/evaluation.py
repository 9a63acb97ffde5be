"""A whole evaluation of scores in one pass over the rows: figures, intervals, curves and bins."""

from typing import Any

from dmlkit.errors import ConfigurationError
from dmlkit.metrics.bootstrap import Blocks, bootstrap_intervals, lazy_counts, mean_interval
from dmlkit.metrics.cards import lazy_candidates, precision_by_day
from dmlkit.metrics.curves import precision_recall, receiver_operating_characteristic
from dmlkit.metrics.gain import gain_curve, loss_column
from dmlkit.metrics.probability import (
    binned_calibration,
    brier,
    calibration_error,
    histogram,
    logarithmic_loss,
)
from dmlkit.metrics.ranked import Metric, combine_shares, lazy_shares, rank_rows
from dmlkit.metrics.ranking import (
    average_precision,
    lift_at,
    precision_at,
    roc_auc,
)
from dmlkit.metrics.results import (
    BinaryEvaluation,
    CalibrationBins,
    Costs,
    Curve,
    GainCurve,
    ScoreHistogram,
)
from dmlkit.metrics.rows import Source, source_of
from dmlkit.metrics.threshold import precision_above, recall_above

__all__ = [
    "BinaryEvaluation",
    "CalibrationBins",
    "Costs",
    "Curve",
    "GainCurve",
    "ScoreHistogram",
    "evaluate_binary",
]


def evaluate_binary(
    frame: Any,
    *,
    label: str,
    score: str,
    time: str | None = None,
    entity: str | None = None,
    threshold: float = 0.5,
    k: int = 100,
    costs: Costs | None = None,
    replicates: int = 200,
    seed: int = 0,
) -> BinaryEvaluation:
    """Judge probabilities of a binary label: figures, intervals, curves, calibration and gain.

    Rows are read once and stay on the workers; what is said of `roc_auc_score` holds for all.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    label, score : str
        Columns with 0 or 1, and with the probability of 1.
    time, entity : str, optional
        Columns with the time and with what is checked, such as a card. With both, card precision
        at `k` a day is computed. The bootstrap draws all rows of an entity together, or of a day
        where there is no entity, or single rows.
    threshold : float
        The score from which on a row is flagged, for precision and recall.
    k : int
        Rows, and cards a day, for precision at `k`.
    costs : Costs, optional
        For the gain by rows checked.
    replicates : int
        Of the bootstrap; 0 for no intervals.
    seed : int
        Of the bootstrap.

    Returns
    -------
    BinaryEvaluation
        Its metrics: ``roc_auc``, ``average_precision``, ``log_loss``, ``brier``, ``precision``,
        ``recall``, ``precision_at_{k}``, ``lift_at_1_percent``, ``lift_at_5_percent``,
        ``expected_calibration_error`` and, with time and entity, ``card_precision_at_{k}``.

    Raises
    ------
    MissingColumnError, InputError
        A column is missing; a row has no label, score, time or entity; the rows are of one class;
        a score is no probability.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"fraud": [0, 1, 0, 1], "score": [0.1, 0.9, 0.4, 0.3]})
    >>> evaluation = evaluate_binary(frame, label="fraud", score="score")
    >>> evaluation.metrics["roc_auc"], evaluation.metrics["recall"]
    (0.75, 0.5)
    """
    if replicates < 0:
        raise ConfigurationError(f"replicates is {replicates}; it must be 0 or more.")
    others = [name for name in (time, entity) if name is not None]
    source = source_of(frame, label, score, loss=loss_column(costs), others=others)
    figures, drawings = _figures(source, threshold, k), _drawings(costs)
    metrics = figures | drawings
    ranking, blocks = rank_rows(source), Blocks(entity=entity, time=time)
    shares, totals, counts, candidates = source.compute(
        lazy_shares(ranking, list(metrics.values())),
        ranking.totals,
        lazy_counts(source, ranking, blocks, threshold) if replicates else None,
        lazy_candidates(source, time, entity, k) if time and entity else None,
    )
    found = dict(zip(metrics, combine_shares(shares, totals, list(metrics.values())), strict=True))
    values = {name: float(found.pop(name)) for name in figures}
    draw = {"replicates": replicates, "seed": seed}
    intervals = bootstrap_intervals(counts, values, threshold, **draw) if replicates else {}
    method = blocks.describe(replicates)
    if candidates is not None:
        days = precision_by_day(candidates, k).to_numpy()
        values[f"card_precision_at_{k}"] = float(days.mean())
        if replicates:
            intervals[f"card_precision_at_{k}"] = mean_interval(days, **draw)
            method += " Card precision draws its days."
    return BinaryEvaluation(
        rows=round(totals.rows),
        positives=round(totals.positives),
        threshold=float(threshold),
        metrics=values,
        intervals=intervals,
        interval_method=method,
        **{"gain": None, **found},
    )


def _figures(source: Source, threshold: float, k: int) -> dict[str, Metric]:
    return {
        "roc_auc": roc_auc(),
        "average_precision": average_precision(),
        "log_loss": logarithmic_loss(source.epsilon),
        "brier": brier(),
        "precision": precision_above(threshold),
        "recall": recall_above(threshold),
        f"precision_at_{k}": precision_at(k),
        "lift_at_1_percent": lift_at(0.01),
        "lift_at_5_percent": lift_at(0.05),
        "expected_calibration_error": calibration_error(),
    }


def _drawings(costs: Costs | None) -> dict[str, Metric]:
    drawings = {
        "roc": receiver_operating_characteristic(),
        "precision_recall": precision_recall(),
        "histogram": histogram(),
        "calibration": binned_calibration(),
    }
    return drawings if costs is None else drawings | {"gain": gain_curve(costs)}
