"""The page of the report on forecasts, in the look of all reports, written whole or not at all."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata

import pandas as pd
from bokeh.embed import components
from bokeh.resources import Resources
from markupsafe import Markup

from dmlkit.forecasting.metrics import ForecastEvaluation
from dmlkit.forecasting.report.charts import (
    coverage_chart,
    error_chart,
    histogram_chart,
    series_chart,
)
from dmlkit.metrics.report.drawing import Chart
from dmlkit.metrics.report.inputs import BadRows, StageTime
from dmlkit.metrics.report.page import template, write_page
from dmlkit.metrics.report.tables import stage_rows
from dmlkit.metrics.report.wording import duration

__all__ = ["DrawnSeries", "ForecastReport", "write_forecast_report"]

#: Each metric: its name, what it means, and how it is written.
METRICS = {
    "owa": ("OWA", "sMAPE and MASE over those of Naive2: below 1 is better than it", "{:.3f}"),
    "mase": ("MASE", "error in units of the seasonal naive one in the past", "{:.3f}"),
    "smape": ("sMAPE", "symmetric percentage error: 0 to 200", "{:.2f}"),
    "wape": ("WAPE", "absolute errors as a share of all values", "{:.1%}"),
    "rmsse": ("RMSSE", "squared error in units of the naive one in the past", "{:.3f}"),
    "wrmsse": ("WRMSSE", "the same, series weighted by their values", "{:.3f}"),
    "bias": ("Bias", "above 0: forecasts are too high", "{:+.1%}"),
    "weighted_quantile_loss": ("Quantile loss", "of the model's quantiles, weighted", "{:.3f}"),
}
#: Of each column, the groups that are shown.
MOST_GROUPS = 8
HEADLINES = ("owa", "mase", "smape")


@dataclass(frozen=True)
class DrawnSeries:
    """A series that the report shows.

    Attributes
    ----------
    name : str
        ``"best"``, ``"median"``, ``"worst"``.
    series : str
    mase : float
    past : pd.DataFrame
        ``ds``, ``y``.
    forecasts : pd.DataFrame
        ``ds``, ``y``, ``yhat`` and bounds.
    """

    name: str
    series: str
    mase: float
    past: pd.DataFrame
    forecasts: pd.DataFrame


@dataclass(frozen=True)
class ForecastReport:
    """All that the report tells.

    Attributes
    ----------
    title, subtitle : str
    evaluation : ForecastEvaluation
    levels : sequence of float
        Of the intervals, in percent.
    drawn : sequence of DrawnSeries
    facts : sequence of (str, str)
    costs : sequence of (str, float, float, float)
        Ways of ordering: units left over, units missed, and what both cost.
    stages : sequence of StageTime
    bad_rows : sequence of BadRows
    warnings : sequence of str
    reference : mapping of str to float
        Published values.
    """

    title: str
    subtitle: str
    evaluation: ForecastEvaluation
    levels: Sequence[float]
    drawn: Sequence[DrawnSeries] = ()
    facts: Sequence[tuple[str, str]] = ()
    costs: Sequence[tuple[str, float, float, float]] = ()
    stages: Sequence[StageTime] = ()
    bad_rows: Sequence[BadRows] = ()
    warnings: Sequence[str] = ()
    reference: Mapping[str, float] = field(default_factory=dict)


def write_forecast_report(path: str | os.PathLike[str], inputs: ForecastReport) -> None:
    """Write a report as one HTML file that needs nothing else.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    write_page(path, render_forecast_report(inputs))


def render_forecast_report(inputs: ForecastReport) -> str:
    """Return the report as HTML."""
    charts = {chart.name: chart for chart in _charts(inputs)}
    script, places = components({name: chart.figure for name, chart in charts.items()})
    library = Resources(mode="inline", components=["bokeh"], log_level="error")
    return template("forecasts.html", __package__).render(
        inputs=inputs,
        charts=charts,
        places={name: Markup(place) for name, place in places.items()},
        script=Markup(script),
        library=Markup("\n".join(library.js_raw)),
        version=metadata.version("dmlkit"),
        headlines=_headlines(inputs),
        metrics=list(_metric_rows(inputs)),
        costs=[(name, *(f"{number:,.0f}" for number in row)) for name, *row in inputs.costs],
        stages=stage_rows(inputs.stages),
        total=duration(sum(stage.seconds for stage in inputs.stages)),
        lost=_lost(inputs.evaluation),
        groups=list(_group_rows(inputs.evaluation.by_group)),
    )


def _charts(inputs: ForecastReport) -> Iterator[Chart]:
    found, level = inputs.evaluation, (list(inputs.levels) or [80.0])[0]
    for each in inputs.drawn:
        yield series_chart(each.name, each.series, each.mase, each.past, each.forecasts, level)
    yield error_chart(found.by_step)
    if inputs.levels:
        yield coverage_chart(found.by_step, inputs.levels)
    yield histogram_chart(found.by_series)


def _headlines(inputs: ForecastReport) -> list[dict[str, str]]:
    metrics = inputs.evaluation.metrics
    rows = []
    for key in HEADLINES:
        name, meaning, form = METRICS[key]
        published = inputs.reference.get(key)
        rows.append(
            {
                "name": name,
                "meaning": meaning,
                "value": form.format(metrics[key]),
                "published": "" if published is None else form.format(published),
            }
        )
    for level in inputs.levels:
        share = metrics[f"coverage_{level:g}"]
        meaning = f"of the values lay inside of the {level:g}% intervals"
        rows.append(
            {"name": "Coverage", "meaning": meaning, "value": f"{share:.1%}", "published": ""}
        )
    return rows[:4]


def _metric_rows(inputs: ForecastReport) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield name and meaning of each metric, ours, that of seasonal naive, and that of Naive2."""
    metrics = inputs.evaluation.metrics
    for key, (name, meaning, form) in METRICS.items():
        values = [metrics.get(f"{key}{suffix}") for suffix in ("", ".seasonal_naive", ".naive2")]
        if values[0] is not None:
            told = ["" if value is None else form.format(value) for value in values]
            yield name, meaning, told[0], told[1], told[2]


def _group_rows(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield column, group and errors of the groups with the largest values of each column."""
    for _, rows in table.groupby("column", sort=False):
        for row in rows.head(MOST_GROUPS).itertuples():
            errors = f"{row.mase:.3f}", f"{row.mase_seasonal_naive:.3f}", f"{row.wape:.1%}"
            yield f"{row.column}: {row.group}", f"{row.series:,}", *errors, f"{row.bias:+.1%}"


def _lost(evaluation: ForecastEvaluation) -> str:
    """Say where the model loses to the seasonal naive forecast."""
    table = evaluation.by_series
    worse = table[table["mase"] > table["mase_seasonal_naive"]]
    if not len(worse):
        return "The model is at least as good as seasonal naive on every series."
    apart = (worse["mase"] - worse["mase_seasonal_naive"]).sort_values(ascending=False)
    names = ", ".join(str(table.loc[row, "unique_id"]) for row in apart.index[:5])
    return (
        f"Seasonal naive is better on {len(worse):,} of {len(table):,} series "
        f"({len(worse) / len(table):.0%}), most on {names}."
    )
