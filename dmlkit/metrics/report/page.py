"""The page: charts and tables put into the template, and written whole or not at all."""

import contextlib
import math
import os
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from bokeh.embed import components
from bokeh.resources import Resources
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dmlkit.errors import OutputError
from dmlkit.metrics.report.budget import budgets, costs_in_words, gain_chart
from dmlkit.metrics.report.drawing import Chart
from dmlkit.metrics.report.groups import group_rows
from dmlkit.metrics.report.inputs import ReportInputs
from dmlkit.metrics.report.interactions import interaction_charts, interaction_rows
from dmlkit.metrics.report.learning import learning_charts
from dmlkit.metrics.report.probabilities import calibration_chart, histogram_chart
from dmlkit.metrics.report.ranking import precision_recall_chart, roc_chart
from dmlkit.metrics.report.tables import (
    beside_rows,
    feature_rows,
    headline_rows,
    metric_rows,
    period_rows,
    stage_rows,
)
from dmlkit.metrics.report.wording import decimals, duration

__all__ = ["render_report", "template", "write_page", "write_report"]


def write_report(path: str | os.PathLike[str], inputs: ReportInputs) -> None:
    """Write a report as one HTML file that needs nothing else: no network, no other file.

    The file is written beside `path` and then renamed: whoever reads `path` sees the old report
    or the new one.

    Parameters
    ----------
    path : path
    inputs : ReportInputs

    Raises
    ------
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from dmlkit.metrics import evaluate_binary
    >>> frame = pd.DataFrame({"label": [0, 1, 0, 1], "score": [0.1, 0.9, 0.4, 0.3]})
    >>> evaluation = evaluate_binary(frame, label="label", score="score")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(f"{folder}/report.html", ReportInputs("Mine", "Four rows", evaluation))
    ...     Path(folder, "report.html").read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    write_page(path, render_report(inputs))


def write_page(path: str | os.PathLike[str], page: str) -> None:
    """Write a page so that a reader sees the old one or the new one.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    path = Path(path)
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with staged.open("x", encoding="utf-8") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except OSError as error:
        raise OutputError(f"Cannot write the report {str(path)!r}: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)


def render_report(inputs: ReportInputs) -> str:
    """Return the report as HTML."""
    charts = {chart.name: chart for chart in _charts(inputs)}
    script, places = components({name: chart.figure for name, chart in charts.items()})
    # Of BokehJS the core only: no widgets, no tables, no TeX.
    library = Resources(mode="inline", components=["bokeh"], log_level="error")
    return template("page.html").render(
        inputs=inputs,
        charts=charts,
        places={name: Markup(place) for name, place in places.items()},
        script=Markup(script),
        library=Markup("\n".join(library.js_raw)),
        learning=[name for name in charts if name.startswith("learning")],
        together=[name for name in charts if name.startswith("interaction")],
        version=metadata.version("dmlkit"),
        **_words(inputs),
    )


def template(name: str, package: str = __package__) -> Any:
    """Return a template of a package, which may build on those of this one."""
    packages = dict.fromkeys([package, __package__])
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each) for each in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _charts(inputs: ReportInputs) -> Iterator[Chart]:
    evaluation, positives = inputs.evaluation, inputs.positives
    for draw in (roc_chart, precision_recall_chart, histogram_chart, calibration_chart):
        yield draw(evaluation, positives)
    if evaluation.gain is not None:
        yield gain_chart(evaluation.gain, positives)
    yield from learning_charts(inputs.learning_curve)
    yield from interaction_charts(inputs.interaction_points)
    for charts in inputs.charts.values():
        yield from charts


def _words(inputs: ReportInputs) -> dict[str, Any]:
    evaluation, positives = inputs.evaluation, inputs.positives
    reference = dict(inputs.reference)
    missing = {name: math.nan for name in reference if name not in evaluation.metrics}
    return {
        "headlines": headline_rows(evaluation, reference, positives),
        "metrics": metric_rows(
            evaluation.metrics | missing, evaluation.intervals, reference, positives
        ),
        "published": bool(reference),
        "periods": period_rows(inputs.periods),
        "budgets": budgets(evaluation.gain) if evaluation.gain is not None else [],
        "costs": costs_in_words(inputs.costs, positives),
        "beside": beside_rows(evaluation, inputs.beside, positives),
        "groups": group_rows(inputs.groups),
        "features": feature_rows(inputs.importance),
        "pairs": interaction_rows(inputs.interactions),
        "feature_total": 0 if inputs.importance is None else len(inputs.importance),
        "stages": stage_rows(inputs.stages),
        "total": duration(sum(stage.seconds for stage in inputs.stages)),
        "threshold": decimals(evaluation.threshold),
        "positives_title": positives.capitalize(),
    }
