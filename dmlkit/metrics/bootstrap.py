"""Bootstrap intervals of metrics by whole entities or days, without moving rows for each replicate.

Each partition counts its rows by block, class and score bin; the counts are added up, and the
client draws blocks. Log loss, Brier score, precision, recall and the calibration error are exact
for what was drawn (the last leans high: what is drawn is noisier than what it is drawn from). ROC
AUC and average precision take the rows of a bin as tied. A bin holds at most 1/256 of the
positives and of the negatives (but for a single score that has more), so that the AUC is within
1/256. How far off the bins are for the rows as they are is known, and replicates are shifted by
it: what remained on 40,000 rows with 705 positives was below 1e-4 for AUC and 1e-3 for average
precision, whose intervals were 0.015 and 0.06 wide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError
from dmlkit.graph import add_up, for_all, for_each
from dmlkit.metrics.curves import by_class
from dmlkit.metrics.keys import day_numbers, entity_hashes
from dmlkit.metrics.probability import log_losses
from dmlkit.metrics.ranked import Ranked, Ranking
from dmlkit.metrics.rows import LabelledScores, Source

__all__ = ["BlockCounts", "Blocks", "bootstrap_intervals", "lazy_counts", "mean_interval"]

#: Bins hold at most one part in this many of a class.
STEPS = 256

#: Bins of equal width that calibration is looked at in.
TENTHS = 10

#: Entities or days are put into so many groups at most, each of which is drawn as a whole.
MOST_BLOCKS = 200

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """What is drawn as a whole: entities, else days, else single rows.

    Parameters
    ----------
    entity, time : str, optional
        Columns. Of both, the entity is taken: there are more of them than days.
    """

    entity: str | None = None
    time: str | None = None

    @property
    def count(self) -> int:
        """The number of groups."""
        return MOST_BLOCKS if self.entity or self.time else 1

    def of(self, part: pd.DataFrame, rows: LabelledScores) -> NDArray[np.int64]:
        """Return the group of each good row of a partition."""
        part = part if rows.kept is None else part[rows.kept]
        if self.entity:
            hashes = entity_hashes(part[self.entity])
            return (hashes % np.uint64(MOST_BLOCKS)).astype(np.int64)
        if self.time:
            return day_numbers(part[self.time]) % MOST_BLOCKS
        return np.zeros(len(part), dtype=np.int64)

    def describe(self, replicates: int) -> str:
        """Say in a sentence how intervals come about."""
        if replicates == 0:
            return "No intervals were computed (replicates = 0)."
        drawn = "single rows"
        if self.entity or self.time:
            drawn = f"all rows of a {self.entity or 'day'} together (at most {MOST_BLOCKS} groups)"
        return f"95% percentile intervals of {replicates:,} bootstrap replicates that draw {drawn}."


@dataclass(frozen=True)
class BlockCounts:
    """Rows by block, class and score bin.

    Attributes
    ----------
    cuts : (bins,) float64 array
        The lowest score of each bin, falling; the threshold is one of them.
    sums : (blocks, 2, 4, bins) float64 array
        For negatives and positives: rows, and the sums of log loss, squared error and score.
    """

    cuts: Array
    sums: Array


def lazy_counts(
    source: Source, ranking: Ranking, blocks: Blocks, threshold: float, steps: int = STEPS
) -> Any:
    """Count rows by block, class and score bin, lazily.

    Returns
    -------
    Delayed of BlockCounts
    """
    cuts = for_all(_cuts, for_each(partial(_cut, steps), ranking.ranges), threshold)
    count = partial(_count, blocks, source.epsilon)
    counts = for_each(count, source.parts, source.rows, cuts)
    return for_all(BlockCounts, cuts, add_up(counts, _add))


def bootstrap_intervals(
    counts: BlockCounts,
    exact: Mapping[str, float],
    threshold: float,
    *,
    replicates: int = 200,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return 95% percentile intervals of metrics.

    Parameters
    ----------
    counts : BlockCounts
    exact : mapping
        The exact metrics; replicates are shifted by what the bins make them differ.
    threshold : float
        For precision and recall.
    replicates, seed : int

    Returns
    -------
    dict
        ``roc_auc``, ``average_precision``, ``log_loss``, ``brier``, ``precision``, ``recall``,
        ``expected_calibration_error``.
    """
    if replicates < 0:
        raise ConfigurationError(f"replicates is {replicates}; it must be 0 or more.")
    if replicates == 0:
        return {}
    sums, drawn_sums = counts.sums, _draw(counts.sums, replicates, np.random.default_rng(seed))
    point = metrics_of(sums.sum(axis=0, keepdims=True), counts.cuts, threshold)
    drawn = metrics_of(drawn_sums, counts.cuts, threshold)
    shifted = {name: values + (exact[name] - point[name][0]) for name, values in drawn.items()}
    return {
        name: _percentiles(np.maximum(values, 0) if name == "log_loss" else np.clip(values, 0, 1))
        for name, values in shifted.items()
    }


def mean_interval(values: Array, *, replicates: int = 200, seed: int = 0) -> tuple[float, float]:
    """Return the 95% percentile interval of a mean, drawing from the values themselves."""
    draws = np.random.default_rng(seed).integers(len(values), size=(replicates, len(values)))
    return _percentiles(np.asarray(values)[draws].mean(axis=1))


def metrics_of(sums: Array, cuts: Array, threshold: float) -> dict[str, Array]:
    """Compute metrics of each replicate; a bin's rows tie.

    Parameters
    ----------
    sums : (replicates, 2, 4, bins) array
        As in `BlockCounts`.
    cuts : (bins,) array
        As in `BlockCounts`.
    threshold : float
        From which on rows are flagged.
    """
    flagged = cuts >= threshold
    negatives, positives = sums[:, 0, 0], sums[:, 1, 0]
    below, above = np.cumsum(negatives, axis=1), np.cumsum(positives, axis=1)
    rows = below[:, -1] + above[:, -1]
    caught = positives[:, flagged].sum(axis=1)
    checked = caught + negatives[:, flagged].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(above / (above + below))
        return {
            "roc_auc": (negatives * (above - positives / 2)).sum(axis=1)
            / (above[:, -1] * below[:, -1]),
            "average_precision": (positives * precision).sum(axis=1) / above[:, -1],
            "log_loss": sums[:, :, 1].sum(axis=(1, 2)) / rows,
            "brier": sums[:, :, 2].sum(axis=(1, 2)) / rows,
            "precision": np.nan_to_num(caught / checked),
            "recall": caught / above[:, -1],
            "expected_calibration_error": _calibration_errors(sums, cuts) / rows,
        }


def _calibration_errors(sums: Array, cuts: Array) -> Array:
    """Return the distance of scores to positives in each tenth, added up, for each replicate."""
    tenth = np.clip((cuts * TENTHS).astype(np.int64), 0, TENTHS - 1)
    apart = sums[:, 1, 0] - sums[:, :, 3].sum(axis=1)
    in_tenths = apart @ (tenth[:, None] == np.arange(TENTHS))
    errors: Array = np.abs(in_tenths).sum(axis=1)
    return errors


def _draw(sums: Array, replicates: int, random: np.random.Generator) -> Array:
    """Draw as many blocks as there are; with one block only, draw its rows."""
    sums = sums[sums[:, :, 0].sum(axis=(1, 2)) > 0]
    if len(sums) == 1:
        return _draw_rows(sums[0], replicates, random)
    times = random.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=replicates)
    return np.tensordot(times.astype(np.float64), sums, axes=1)


def _draw_rows(sums: Array, replicates: int, random: np.random.Generator) -> Array:
    """Draw rows; one of a bin and class counts with the mean losses of its like."""
    rows = sums[:, 0].ravel()
    times = random.multinomial(int(rows.sum()), rows / rows.sum(), size=replicates)
    shares = np.divide(times, rows, out=np.zeros(times.shape), where=rows > 0)
    drawn: Array = shares.reshape(replicates, 2, 1, -1) * sums
    return drawn


def _percentiles(values: Array) -> tuple[float, float]:
    """Replicates that drew one class only have no AUC and are left out."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _cut(steps: int, ranked: Ranked) -> Array:
    """Return the scores with which a bin is full."""
    cuts: Array = ranked.lines.score[by_class(ranked, steps)]
    return cuts


def _cuts(cuts: list[Array], threshold: float) -> Array:
    return np.unique(np.concatenate([*cuts, [threshold], np.arange(TENTHS) / TENTHS]))[::-1]


def _count(
    blocks: Blocks, epsilon: float, part: pd.DataFrame, rows: LabelledScores, cuts: Array
) -> Array:
    bin_of = np.searchsorted(-cuts, -rows.score, side="left")
    cell = (blocks.of(part, rows) * 2 + rows.label) * len(cuts) + bin_of
    if_positive, if_negative = log_losses(rows.score, epsilon)
    loss = np.where(rows.label, if_positive, if_negative)
    square = (rows.label - rows.score) ** 2
    size = blocks.count * 2 * len(cuts)
    weights = (None, loss, square, rows.score)
    sums = [np.bincount(cell, each, minlength=size) for each in weights]
    shape = (blocks.count, 2, len(cuts))
    return np.stack([each.reshape(shape) for each in sums], axis=2).astype(np.float64)


def _add(counts: list[Array]) -> Array:
    return reduce(np.add, counts)
