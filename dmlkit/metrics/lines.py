"""Rows condensed to one line for each distinct score, within a partition; no cluster here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dmlkit.metrics.rows import LabelledScores

__all__ = ["Lines", "Totals", "condense", "limits_of", "merge", "sample", "split", "total"]

#: Scores that each partition tells of, for the limits of the ranges.
SAMPLES = 256


@dataclass(frozen=True)
class Lines:
    """Distinct scores, from the highest to the lowest, with what rows of that score weigh.

    Attributes
    ----------
    score : (n,) float64 array
    positives, negatives : (n,) float64 array, or uint32 where rows of one partition are counted
    loss : (n,) float64 array or None
        Sum of the losses of the positives.
    """

    score: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    loss: np.ndarray | None = None


@dataclass(frozen=True)
class Totals:
    """Sums over lines, and the range of their scores (infinite where there are none)."""

    positives: float
    negatives: float
    loss: float
    lowest: float
    highest: float

    @property
    def rows(self) -> float:
        """The weight of all rows."""
        return self.positives + self.negatives


def merge(pieces: Sequence[Lines]) -> Lines:
    """Put lines together, those of the same score into one."""
    losses = [piece.loss for piece in pieces if piece.loss is not None]
    # Stable, because that is the sort that makes use of pieces sorted already.
    return _distinct(
        np.concatenate([piece.score for piece in pieces]),
        np.concatenate([piece.positives for piece in pieces]).astype(np.float64, copy=False),
        np.concatenate([piece.negatives for piece in pieces]).astype(np.float64, copy=False),
        np.concatenate(losses) if losses else None,
        kind="stable",
    )


def total(lines: Lines) -> Totals:
    """Sum lines up."""
    return Totals(
        float(lines.positives.sum()),
        float(lines.negatives.sum()),
        0.0 if lines.loss is None else float(lines.loss.sum()),
        float(lines.score[-1]) if len(lines.score) else np.inf,
        float(lines.score[0]) if len(lines.score) else -np.inf,
    )


def condense(rows: LabelledScores) -> Lines:
    """Condense the rows of a partition; rows without weights are counted in half the memory."""
    if rows.weight is None:
        positives = rows.label.astype(np.uint32)
        negatives = 1 - positives
    else:
        positives = np.where(rows.label, rows.weight, 0.0)
        negatives = rows.weight - positives
    loss = None if rows.loss is None else np.where(rows.label, rows.loss, 0.0)
    return _distinct(rows.score, positives, negatives, loss, kind="quicksort")


def _distinct(
    score: np.ndarray,
    positives: np.ndarray,
    negatives: np.ndarray,
    loss: np.ndarray | None,
    kind: Literal["quicksort", "stable"],
) -> Lines:
    order = np.argsort(-score, kind=kind)
    score = score[order]
    starts = np.flatnonzero(np.r_[True, score[1:] != score[:-1]][: len(score)])

    def sums(values: np.ndarray) -> np.ndarray:
        values = values[order]
        return values if len(starts) == len(values) else np.add.reduceat(values, starts)

    return Lines(
        score[starts], sums(positives), sums(negatives), None if loss is None else sums(loss)
    )


def sample(lines: Lines) -> tuple[np.ndarray, float]:
    """Return scores that cut the lines into parts of one weight, and that weight."""
    weight = np.cumsum(lines.positives + lines.negatives)
    if not len(weight):
        return lines.score, 0.0
    places = np.searchsorted(weight, weight[-1] * (np.arange(SAMPLES) + 0.5) / SAMPLES)
    return lines.score[places], float(weight[-1] / SAMPLES)


def limits_of(samples: list[tuple[np.ndarray, float]], buckets: int) -> np.ndarray:
    """Return the lowest score of each range but the last, falling."""
    scores = np.concatenate([scores for scores, _ in samples])
    weights = np.concatenate([np.full(len(scores), weight) for scores, weight in samples])
    if not len(scores):
        return np.zeros(buckets - 1)
    order = np.argsort(-scores, kind="stable")
    weight = np.cumsum(weights[order])
    shares = weight[-1] * np.arange(1, buckets) / buckets
    return scores[order][np.minimum(np.searchsorted(weight, shares), len(scores) - 1)]


def split(lines: Lines, limits: np.ndarray) -> list[Lines]:
    """Return the lines of each range, as copies that hold nothing else in memory."""
    ends = np.searchsorted(-lines.score, -limits, side="right")
    slices = [
        slice(start, end) for start, end in zip([0, *ends], [*ends, len(lines.score)], strict=True)
    ]
    return [
        Lines(
            lines.score[part].copy(),
            lines.positives[part].copy(),
            lines.negatives[part].copy(),
            None if lines.loss is None else lines.loss[part].copy(),
        )
        for part in slices
    ]
