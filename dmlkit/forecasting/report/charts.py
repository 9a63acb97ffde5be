"""The charts of the report on forecasts: series, error by step, coverage, errors of all series."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, NumeralTickFormatter

from dmlkit.forecasting.intervals import bound_names
from dmlkit.metrics.report.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Chart,
    Key,
    draw_line,
    draw_yardstick,
    plain_figure,
    write_in_percent,
)

__all__ = ["coverage_chart", "error_chart", "histogram_chart", "series_chart"]


def series_chart(
    name: str, series: str, mase: float, past: pd.DataFrame, found: pd.DataFrame, level: float
) -> Chart:
    """Draw a series' past, what came, and what was forecast with its interval."""
    is_time = pd.api.types.is_datetime64_any_dtype(past["ds"].dtype)
    plot = plain_figure("", "", x_axis_type="datetime" if is_time else "linear")
    plot.xaxis.axis_label = plot.yaxis.axis_label = None
    low, high = bound_names(level)
    if low in found:
        band = ColumnDataSource({"x": found["ds"], "low": found[low], "high": found[high]})
        plot.varea("x", "low", "high", source=band, fill_color=BLUE, fill_alpha=0.18)
    whole = pd.concat([past, found[["ds", "y"]]])
    draw_line(plot, {"x": whole["ds"], "y": whole["y"]}, colour=GREY)
    told = [("Forecast", "told"), ("Value", "came")]
    columns = {
        "x": found["ds"],
        "y": found["yhat"],
        "told": [f"{each:,.2f}" for each in found["yhat"]],
        "came": [f"{each:,.2f}" for each in found["y"]],
    }
    draw_line(plot, columns, colour=BLUE, told=told)
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    keys = [Key("what came", GREY), Key("forecast", BLUE)]
    keys += [Key(f"{level:g}% interval", BLUE, "bar")] if low in found else []
    return Chart(
        name=f"series-{name}",
        title=f"The {name} series: {series}",
        reading=f"MASE {mase:.3f}: the mean error in units of the seasonal naive one in the past.",
        spoken=f"Series {series}: past, values and forecasts of the judged period.",
        keys=keys,
        figure=plot,
    )


def error_chart(by_step: pd.DataFrame) -> Chart:
    """Draw the error of each step ahead beside those of the baselines."""
    plot = plain_figure("Steps ahead", "MASE")
    lines = (
        ("mase_naive2", "Naive2", INK),
        ("mase_seasonal_naive", "seasonal naive", GREY),
        ("mase", "forecast", BLUE),
    )
    for column, _, colour in lines:
        values = [f"{value:.3f}" for value in by_step[column]]
        columns = {"x": by_step["step"], "y": by_step[column], "value": values}
        draw_line(plot, columns, colour=colour, told=[("Step", "x"), ("MASE", "value")])
    return Chart(
        name="error",
        title="Error by steps ahead",
        reading="Lower is better; the farther ahead, the harder.",
        spoken="Mean absolute scaled error by steps ahead, of the forecast and two baselines.",
        keys=[Key(name, colour) for _, name, colour in reversed(lines)],
        figure=plot,
    )


def coverage_chart(by_step: pd.DataFrame, levels: Sequence[float]) -> Chart:
    """Draw how many values lay inside of the intervals, for each step ahead."""
    plot = plain_figure("Steps ahead", "Values inside")
    colours = [BLUE, ORANGE, INK, GREY]
    keys = []
    for level, colour in zip(levels, colours, strict=False):
        share = by_step[f"coverage_{level:g}"]
        columns = {"x": by_step["step"], "y": share, "value": [f"{each:.1%}" for each in share]}
        draw_line(plot, columns, colour=colour, told=[("Step", "x"), ("Inside", "value")])
        ends = [float(by_step["step"].min()), float(by_step["step"].max())]
        draw_yardstick(plot, ends, [level / 100, level / 100])
        keys += [Key(f"{level:g}% interval", colour)]
    plot.y_range.start, plot.y_range.end = 0, 1.02
    write_in_percent(plot.yaxis)
    return Chart(
        name="coverage",
        title="How often intervals hold",
        reading="The line should lie on the dashed one: the share that was asked for.",
        spoken="Share of values inside of the intervals by steps ahead.",
        keys=[*keys, Key("asked for", GREY, "dashed")],
        figure=plot,
    )


def histogram_chart(by_series: pd.DataFrame) -> Chart:
    """Draw how many series have an error of about so much."""
    values: Any = by_series["mase"].dropna().to_numpy()
    most = float(np.quantile(values, 0.99)) if len(values) else 1.0
    counts, edges = np.histogram(np.minimum(values, most), bins=30, range=(0, max(most, 1.0)))
    plot = plain_figure("MASE", "Series")
    plot.quad(
        left=edges[:-1],
        right=edges[1:],
        bottom=0,
        top=counts,
        fill_color=BLUE,
        fill_alpha=0.75,
        line_color="white",
    )
    draw_yardstick(plot, [1, 1], [0, float(counts.max(initial=1))])
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    return Chart(
        name="errors",
        title="Errors of all series",
        reading="Right of the dashed line, the error is larger than the seasonal naive one was "
        "in the past. The last bar has all beyond it.",
        spoken="Histogram of the mean absolute scaled errors of the series.",
        keys=[Key("series", BLUE, "bar"), Key("as seasonal naive in the past", GREY, "dashed")],
        figure=plot,
    )
