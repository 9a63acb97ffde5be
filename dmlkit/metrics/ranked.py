"""All rows ranked by score over a cluster, once for many metrics; no metric is defined here.

Rows are condensed to lines, one for each distinct score, and the lines go to ranges of scores, so
that a worker holds a range and all ties in it. The totals of the ranges are few: with what lies
above it, each range computes its share of a metric. Only shares come to the client.

This is exact whatever the partitioning; Dask and XGBoost know only averages over partitions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import getitem
from typing import Any, Literal, NamedTuple

import numpy as np

from dmlkit.errors import InputError
from dmlkit.metrics.rows import Fault, LabelledScores, Source, raise_faults
from dmlkit.metrics.tasks import bucket_count, exchange, for_all, for_each

__all__ = [
    "Lines",
    "Metric",
    "Ranked",
    "Ranking",
    "Totals",
    "combine_shares",
    "compute_metrics",
    "lazy_shares",
    "rank_rows",
]

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


@dataclass(frozen=True)
class Ranked:
    """Lines of one range of scores, and where they stand among all.

    Attributes
    ----------
    lines : Lines
    above : Totals
        Of all higher scores.
    totals : Totals
        Of all scores.
    """

    lines: Lines
    above: Totals
    totals: Totals

    @cached_property
    def true_positives(self) -> np.ndarray:
        """Weight of positives with this score or a higher one, for each line."""
        return self.above.positives + np.cumsum(self.lines.positives)

    @cached_property
    def false_positives(self) -> np.ndarray:
        """Weight of negatives with this score or a higher one, for each line."""
        return self.above.negatives + np.cumsum(self.lines.negatives)

    @cached_property
    def flagged(self) -> np.ndarray:
        """Weight of rows with this score or a higher one, for each line."""
        return self.true_positives + self.false_positives

    @cached_property
    def rows(self) -> np.ndarray:
        """Weight of rows with this score, for each line."""
        return self.lines.positives + self.lines.negatives

    def first_to_reach(self, running: np.ndarray, start: float, targets: np.ndarray) -> np.ndarray:
        """Find the lines with which a running sum reaches targets, and the lowest score of all.

        Parameters
        ----------
        running : (n,) array
            The sum with each line.
        start : float
            The sum above this range: targets up to it are others' to reach.
        targets : (m,) array

        Returns
        -------
        (at most m + 1,) int64 array
            Places of lines, rising.
        """
        if not len(running):
            return np.zeros(0, dtype=np.int64)
        inside = targets[(targets > start) & (targets <= running[-1])]
        places = np.searchsorted(running, inside)
        last = [len(running) - 1] if self.lines.score[-1] == self.totals.lowest else []
        return np.unique(np.r_[places, last].astype(np.int64))


class Metric(NamedTuple):
    """A metric as shares of ranges and their combination.

    Attributes
    ----------
    share : callable
        From `Ranked` to anything small, on a worker.
    combine : callable
        From the shares, highest scores first, and `Totals` to the metric, on the client.
    """

    share: Callable[[Ranked], Any]
    combine: Callable[[list[Any], Totals], Any]


class Ranking(NamedTuple):
    """All rows, ranked.

    Attributes
    ----------
    ranges : list of Delayed
        A `Ranked` for each range of scores, highest first.
    totals : Delayed
        Their `Totals`.
    """

    ranges: list[Any]
    totals: Any


def compute_metrics(source: Source, metrics: Sequence[Metric]) -> list[Any]:
    """Compute metrics of the same rows in one pass.

    Raises
    ------
    InputError
        A row has no label or no score, or there is no row.
    """
    ranking = rank_rows(source)
    shares, totals = source.compute(lazy_shares(ranking, metrics), ranking.totals)
    return combine_shares(shares, totals, metrics)


def lazy_shares(ranking: Ranking, metrics: Sequence[Metric]) -> Any:
    """Return the shares of metrics in each range, lazily, for `combine_shares`."""
    share = partial(_shares, [metric.share for metric in metrics])
    return for_all(list, for_each(share, ranking.ranges))


def combine_shares(
    shares: Sequence[Sequence[Any]], totals: Totals, metrics: Sequence[Metric]
) -> list[Any]:
    """Combine the shares of the ranges to metrics."""
    return [
        metric.combine(list(parts), totals)
        for metric, parts in zip(metrics, zip(*shares, strict=True), strict=True)
    ]


def rank_rows(source: Source) -> Ranking:
    """Rank all rows, lazily."""
    condensed = for_each(_condense, source.rows)
    buckets = bucket_count(len(condensed))
    limits = for_all(_limits, for_each(_sample, condensed), buckets)
    ranges = exchange(for_each(_split, condensed, limits), buckets, merge)
    above = for_all(_running_totals, for_each(total, ranges), source.faults())
    totals = for_all(getitem, above, -1)
    return Ranking(for_each(Ranked, ranges, exchange([above], buckets, _only), totals), totals)


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


def _condense(rows: LabelledScores) -> Lines:
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


def _sample(lines: Lines) -> tuple[np.ndarray, float]:
    """Return scores that halve, quarter, ... the weight of the lines, and the weight of each."""
    weight = np.cumsum(lines.positives + lines.negatives)
    if not len(weight):
        return lines.score, 0.0
    places = np.searchsorted(weight, weight[-1] * (np.arange(SAMPLES) + 0.5) / SAMPLES)
    return lines.score[places], float(weight[-1] / SAMPLES)


def _limits(samples: list[tuple[np.ndarray, float]], buckets: int) -> np.ndarray:
    """Return the lowest score of each range but the last, falling."""
    scores = np.concatenate([scores for scores, _ in samples])
    weights = np.concatenate([np.full(len(scores), weight) for scores, weight in samples])
    if not len(scores):
        return np.zeros(buckets - 1)
    order = np.argsort(-scores, kind="stable")
    weight = np.cumsum(weights[order])
    shares = weight[-1] * np.arange(1, buckets) / buckets
    return scores[order][np.minimum(np.searchsorted(weight, shares), len(scores) - 1)]


def _split(lines: Lines, limits: np.ndarray) -> list[Lines]:
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


def _running_totals(totals: list[Totals], faults: list[Fault]) -> list[Totals]:
    """Return what lies above each range, and the totals of all."""
    raise_faults(faults)
    above = [Totals(0.0, 0.0, 0.0, np.inf, -np.inf)]
    for each in totals:
        last = above[-1]
        above.append(
            Totals(
                last.positives + each.positives,
                last.negatives + each.negatives,
                last.loss + each.loss,
                min(last.lowest, each.lowest),
                max(last.highest, each.highest),
            )
        )
    if above[-1].rows == 0:
        raise InputError("There is no row to judge. Look at the filters before it.")
    return above


def _only(pieces: list[Totals]) -> Totals:
    return pieces[0]


def _shares(shares: list[Callable[[Ranked], Any]], ranked: Ranked) -> list[Any]:
    return [share(ranked) for share in shares]
