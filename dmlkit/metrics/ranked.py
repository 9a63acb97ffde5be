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
from typing import Any, NamedTuple

import numpy as np

from dmlkit.errors import InputError
from dmlkit.graph import bucket_count, exchange, for_all, for_each
from dmlkit.metrics.lines import Lines, Totals, condense, limits_of, merge, sample, split, total
from dmlkit.metrics.rows import Fault, Source, raise_faults

__all__ = [
    "Metric",
    "Ranked",
    "Ranking",
    "combine_shares",
    "compute_metrics",
    "lazy_shares",
    "rank_rows",
]


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
    condensed = for_each(condense, source.rows)
    buckets = bucket_count(len(condensed))
    limits = for_all(limits_of, for_each(sample, condensed), buckets)
    ranges = exchange(for_each(split, condensed, limits), buckets, merge)
    above = for_all(_running_totals, for_each(total, ranges), source.faults())
    totals = for_all(getitem, above, -1)
    places = for_each(getitem, above, list(range(buckets)))
    return Ranking(for_each(Ranked, ranges, places, totals), totals)


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


def _shares(shares: list[Callable[[Ranked], Any]], ranked: Ranked) -> list[Any]:
    return [share(ranked) for share in shares]
