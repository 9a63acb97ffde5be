"""The charts of training: a metric, round by round."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dmlkit.metrics.report.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Chart,
    Key,
    draw_line,
    draw_mark,
    plain_figure,
)
from dmlkit.metrics.report.wording import decimals

__all__ = ["learning_charts"]

#: XGBoost's metrics that are better when higher; all others are better when lower.
HIGHER_IS_BETTER = ("auc", "aucpr", "pre", "map", "ndcg")

Curves = Mapping[str, Mapping[str, Sequence[float]]]


def learning_charts(curves: Curves) -> list[Chart]:
    """Draw each metric over the rounds of training, a line for each set of rows."""
    metrics = dict.fromkeys(metric for found in curves.values() for metric in found)
    lines = {metric: _lines(curves, metric) for metric in metrics}
    drawn = [(metric, found) for metric, found in lines.items() if found]
    return [_chart(place, metric, found) for place, (metric, found) in enumerate(drawn)]


def _lines(curves: Curves, metric: str) -> dict[str, NDArray[np.float64]]:
    """Return the values of each set that has some; the last set is the one that is watched."""
    found = {name: np.asarray(values.get(metric, ()), float) for name, values in curves.items()}
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def _chart(place: int, metric: str, lines: Mapping[str, NDArray[np.float64]]) -> Chart:
    plot = plain_figure("Round", "")
    plot.yaxis.axis_label = None  # the legend has it
    colours = [*([GREY, INK] * len(lines))[: len(lines) - 1], BLUE]
    keys = []
    for (name, values), colour in zip(lines.items(), colours, strict=True):
        columns = {
            "x": np.arange(1, len(values) + 1),
            "y": values,
            "value": [decimals(value, 4) for value in values],
        }
        draw_line(plot, columns, colour=colour, told=[("Round", "x"), ("Value", "value")])
        keys.append(Key(f"{metric}, {name}", colour))
    watched = list(lines.values())[-1]
    best = _best(metric, watched)
    draw_mark(plot, best + 1, float(watched[best]))
    said = f"{decimals(watched[best], 4)} in round {best + 1:,}"
    return Chart(
        name=f"learning-{place}",
        title="Learning curve",
        reading="Each round adds a tree: where the line is level, more of them no longer help."
        + (" Where lines part, they only learn by heart." if len(lines) > 1 else ""),
        spoken=f"{metric} over {len(watched):,} rounds; best: {said}.",
        keys=[*keys, Key(f"Best: {said}", ORANGE, "dot")],
        figure=plot,
    )


def _best(metric: str, values: NDArray[np.float64]) -> int:
    highest = metric.split("@")[0] in HIGHER_IS_BETTER
    return int(np.nanargmax(values) if highest else np.nanargmin(values))
