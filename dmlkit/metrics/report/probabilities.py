"""The charts of scores as probabilities: their histogram, and their calibration."""

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, NumeralTickFormatter, Range1d, Whisker

from dmlkit.metrics.report.drawing import (
    BLUE,
    GREY,
    ORANGE,
    UNIT,
    Chart,
    Key,
    draw_yardstick,
    plain_figure,
    tell,
    write_in_percent,
)
from dmlkit.metrics.report.wording import count, decimals, percent
from dmlkit.metrics.results import BinaryEvaluation, CalibrationBins, ScoreHistogram

__all__ = ["calibration_chart", "histogram_chart"]


def histogram_chart(evaluation: BinaryEvaluation, positives: str) -> Chart:
    """Draw how many rows of each class have which score, on a logarithmic scale."""
    histogram = evaluation.histogram
    low, high = _count_range(histogram)
    plot = plain_figure("Score", "Rows, logarithmic", y_axis_type="log", y_range=(low, high))
    plot.x_range = Range1d(float(histogram.edges[0]), float(histogram.edges[-1]))
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    source = ColumnDataSource(_histogram_columns(histogram, low, high))
    for rows, colour, opacity in (("negatives", BLUE, 0.45), ("positives", ORANGE, 0.6)):
        plot.quad(
            left="left", right="right", bottom=low, top=rows, source=source,
            fill_color=colour, fill_alpha=opacity, line_color=colour, line_width=0.8,
        )  # fmt: skip
    whole = plot.quad(
        left="left", right="right", bottom=low, top="highest", source=source,
        fill_alpha=0, line_alpha=0,
    )  # fmt: skip
    told = [("Score", "range"), ("Others", "others"), (positives.capitalize(), "found")]
    tell(plot, whole, told, mode="vline")
    others = evaluation.rows - evaluation.positives
    return Chart(
        name="histogram",
        title="Scores",
        reading=f"A score that separates well has {positives} at the right and others at the left; "
        "each step up the scale is ten times as many rows.",
        spoken=f"Histogram of the scores of {count(evaluation.positives)} {positives} and "
        f"{count(others)} others.",
        keys=[Key("Others", BLUE, "bar"), Key(positives.capitalize(), ORANGE, "bar")],
        figure=plot,
    )


def calibration_chart(evaluation: BinaryEvaluation, positives: str) -> Chart:
    """Draw the share of positives over the mean score, bin by bin, with intervals."""
    bins = evaluation.calibration
    limit = _limit(bins)
    shown = tuple(limit * end for end in UNIT)
    plot = plain_figure(
        "Mean score of a bin", f"Share of {positives}", x_range=shown, y_range=shown
    )
    write_in_percent(plot.yaxis)
    draw_yardstick(plot, [0, limit], [0, limit])
    source = ColumnDataSource(_calibration_columns(bins))
    plot.add_layout(_whisker(source))
    dots = plot.scatter("x", "y", source=source, size=9, fill_color=BLUE, line_color="white")
    tell(plot, dots, [("Mean score", "score"), ("Observed", "observed"), ("Rows", "rows")])
    error = evaluation.metrics.get("expected_calibration_error")
    return Chart(
        name="calibration",
        title="Calibration",
        reading="Points on the dashed line can be taken at their word: of rows that score 0.3, "
        f"three in ten are {positives}. Above it scores are too low, below it too high.",
        spoken=f"Calibration in {len(bins.rows)} bins, mean distance to the diagonal "
        f"{decimals(error)}.",
        keys=[
            Key("Observed, with 95% interval", BLUE, "dot"),
            Key("Perfectly calibrated", GREY, "dashed"),
        ],
        figure=plot,
    )


def _count_range(histogram: ScoreHistogram) -> tuple[float, float]:
    """Return limits of a logarithmic axis: half of the least count, twice the largest."""
    counts = np.concatenate([histogram.negatives, histogram.positives])
    there = counts[counts > 0]
    return (float(there.min()) / 2, float(there.max()) * 2) if len(there) else (0.5, 2.0)


def _histogram_columns(histogram: ScoreHistogram, low: float, high: float) -> dict[str, Any]:
    left, right = histogram.edges[:-1], histogram.edges[1:]
    return {
        "left": left,
        "right": right,
        # A logarithmic axis has no zero: a bar without rows has no height.
        "negatives": np.maximum(histogram.negatives, low),
        "positives": np.maximum(histogram.positives, low),
        "highest": np.full(len(left), high),
        "range": [f"{start:.3g} to {end:.3g}" for start, end in zip(left, right, strict=True)],
        "others": [count(rows) for rows in histogram.negatives],
        "found": [count(rows) for rows in histogram.positives],
    }


def _limit(bins: CalibrationBins) -> float:
    """Return how far both axes go: to 1, or less far where all scores and rates are low."""
    largest = max([0.0, *bins.mean_score, *bins.observed_rate])
    return 1.0 if largest > 0.5 else max(1.3 * largest, 1e-6)


def _calibration_columns(bins: CalibrationBins) -> dict[str, Any]:
    observed = [
        f"{percent(rate)} ({percent(low)} to {percent(high)})"
        for rate, low, high in zip(bins.observed_rate, bins.low, bins.high, strict=True)
    ]
    return {
        "x": bins.mean_score,
        "y": bins.observed_rate,
        "low": bins.low,
        "high": bins.high,
        "score": [decimals(score) for score in bins.mean_score],
        "observed": observed,
        "rows": [count(rows) for rows in bins.rows],
    }


def _whisker(source: ColumnDataSource) -> Whisker:
    whisker = Whisker(base="x", lower="low", upper="high", source=source, line_color=BLUE)
    for head in (whisker.upper_head, whisker.lower_head):
        head.size, head.line_color = 6, BLUE
    return whisker
