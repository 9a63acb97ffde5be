"""The report's figures and tables as text, with the lengths of the bars in them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pandas as pd
from dask.utils import format_bytes

from dmlkit.metrics.report.inputs import Period, StageTime
from dmlkit.metrics.report.wording import (
    Wording,
    count,
    days,
    decimals,
    duration,
    percent,
    wording_of,
)
from dmlkit.metrics.results import BinaryEvaluation

__all__ = [
    "FeatureRow",
    "MetricRow",
    "PeriodRow",
    "StageRow",
    "beside_rows",
    "feature_rows",
    "headline_rows",
    "metric_rows",
    "period_rows",
    "stage_rows",
]

#: Metrics that decide, the first ones first; an asterisk stands for a number.
DECISIVE = ("card_precision_at_", "average_precision", "roc_auc", "recall", "precision_at_")
HEADLINES = 4
#: Metrics by which models are set side by side.
COMPARED = ("roc_auc", "average_precision", "expected_calibration_error", "brier", "recall")
FEATURES = 12


class MetricRow(NamedTuple):
    """A metric beside its interval and its published value; positions are in percent."""

    name: str
    meaning: str
    value: str
    interval: str
    reference: str
    comparison: str
    low: float | None = None
    high: float | None = None
    place: float | None = None
    published: float | None = None


class PeriodRow(NamedTuple):
    """A period as a line of a table, with a bar that starts and ends at a percentage."""

    name: str
    dates: str
    days: str
    rows: str
    positives: str
    rate: str
    start: float
    width: float
    colour: str


class StageRow(NamedTuple):
    """A stage as a line of a table, with a bar."""

    name: str
    seconds: str
    rows: str
    bytes: str
    state: str
    start: float
    width: float


class FeatureRow(NamedTuple):
    """A feature as a line of a table, with two bars."""

    name: str
    gain: str
    gain_width: float
    shap: str
    shap_width: float


def headline_rows(
    evaluation: BinaryEvaluation, reference: dict[str, float], positives: str
) -> list[MetricRow]:
    """Return the few metrics that decide."""
    names = [name for start in DECISIVE for name in evaluation.metrics if name.startswith(start)]
    kept = {name: evaluation.metrics[name] for name in names[:HEADLINES]}
    return metric_rows(kept, evaluation.intervals, reference, positives)


def beside_rows(
    evaluation: BinaryEvaluation, others: Mapping[str, Mapping[str, float]], positives: str
) -> list[tuple[str, list[str]]]:
    """Return a line for each metric that decides: its name, and its value for each model.

    Examples
    --------
    >>> from dmlkit.metrics import evaluate_binary
    >>> frame = pd.DataFrame({"ill": [0, 1, 0, 1], "score": [0.1, 0.9, 0.4, 0.3]})
    >>> judged = evaluate_binary(frame, label="ill", score="score")
    >>> beside_rows(judged, {"other": {"roc_auc": 0.5}}, "ill")[0]
    ('ROC AUC', ['0.750', '0.500'])
    """
    rows = []
    for name in COMPARED if others else ():
        wording = wording_of(name, positives)
        write = percent if wording.scale == "share" else decimals
        values = [evaluation.metrics, *others.values()]
        rows.append((wording.name, [write(each.get(name)) for each in values]))
    return rows


def metric_rows(
    metrics: dict[str, float],
    intervals: dict[str, tuple[float, float]],
    reference: dict[str, float],
    positives: str,
) -> list[MetricRow]:
    """Return a line for each metric.

    Examples
    --------
    >>> rows = metric_rows({"recall": 0.5}, {"recall": (0.4, 0.6)}, {"recall": 0.45}, "frauds")
    >>> rows[0].value, rows[0].interval, rows[0].comparison
    ('50.0%', '40.0% to 60.0%', 'within our interval')
    """
    return [
        _metric_row(wording_of(name, positives), value, intervals.get(name), reference.get(name))
        for name, value in metrics.items()
    ]


def _metric_row(
    wording: Wording,
    value: float,
    interval: tuple[float, float] | None,
    published: float | None,
) -> MetricRow:
    write = percent if wording.scale == "share" else decimals
    drawable = wording.scale != "open" and _within_one(value, *(interval or ()))
    low, high = interval or (None, None)
    return MetricRow(
        name=wording.name,
        meaning=wording.meaning,
        value=write(value),
        interval=f"{write(low)} to {write(high)}" if interval else "",
        reference=write(published) if published is not None else "",
        comparison=_compare(value, interval, published),
        low=_position(low) if drawable else None,
        high=_position(high) if drawable else None,
        place=_position(value) if drawable else None,
        published=_position(published) if drawable and _within_one(published) else None,
    )


def _within_one(*values: float | None) -> bool:
    return all(value is not None and 0 <= value <= 1 for value in values)


def _position(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _compare(value: float, interval: tuple[float, float] | None, published: float | None) -> str:
    if published is None or not math.isfinite(value):
        return ""
    if interval is None:
        return f"ours {'+' if value >= published else '−'}{decimals(abs(value - published))}"  # noqa: RUF001
    low, high = interval
    if low <= published <= high:
        return "within our interval"
    return "below our interval" if published < low else "above our interval"


def period_rows(periods: Sequence[Period]) -> list[PeriodRow]:
    """Return a line for each period; the bars together are the time from first to last."""
    if not periods:
        return []
    first = min(period.start for period in periods)
    whole = (max(period.end for period in periods) - first).total_seconds() or 1.0
    colours = _colours(periods)
    return [
        _period_row(period, first, whole, colour)
        for period, colour in zip(periods, colours, strict=True)
    ]


def _colours(periods: Sequence[Period]) -> list[str]:
    """Return what each period is for: the last one with rows judges, the first one learns."""
    with_rows = [place for place, period in enumerate(periods) if period.rows]
    roles = dict.fromkeys(with_rows, "watches")
    if with_rows:
        roles |= {with_rows[0]: "learns", with_rows[-1]: "judges"}
    return [roles.get(place, "waits") for place in range(len(periods))]


def _period_row(period: Period, first: datetime, whole: float, colour: str) -> PeriodRow:
    length = period.end - period.start
    waits = period.rows == 0
    return PeriodRow(
        name=period.name,
        dates=days(period.start, period.end),
        days=f"{length.total_seconds() / 86400:.3g}",
        rows="" if waits else count(period.rows),
        positives="" if waits else count(period.positives),
        rate="" if waits else percent(period.positives / period.rows),
        start=_percentage((period.start - first).total_seconds(), whole),
        width=_percentage(length.total_seconds(), whole),
        colour=colour,
    )


def stage_rows(stages: Sequence[StageTime]) -> list[StageRow]:
    """Return a line for each stage; each bar starts where the one before ends."""
    whole = sum(stage.seconds for stage in stages) or 1.0
    before = 0.0
    rows = []
    for stage in stages:
        rows.append(
            StageRow(
                name=stage.name,
                seconds=duration(stage.seconds),
                rows="" if stage.rows is None else count(stage.rows),
                bytes="" if stage.bytes is None else format_bytes(stage.bytes),
                state=stage.state,
                start=_percentage(before, whole),
                width=_percentage(stage.seconds, whole),
            )
        )
        before += stage.seconds
    return rows


def feature_rows(importance: pd.DataFrame | None) -> list[FeatureRow]:
    """Return a line for each feature that is among the first by gain or by SHAP."""
    if importance is None or importance.empty:
        return []
    table = importance if "feature" in importance else importance.reset_index(names="feature")
    ranks = table[["gain", "shap"]].rank(ascending=False, method="first")
    kept = table[(ranks <= FEATURES).any(axis=1)].sort_values("shap", ascending=False)
    most = {name: float(kept[name].max()) or 1.0 for name in ("gain", "shap")}
    return [
        FeatureRow(
            name=str(feature),
            gain=percent(gain),
            gain_width=_percentage(gain, most["gain"]),
            shap=decimals(shap),
            shap_width=_percentage(shap, most["shap"]),
        )
        for feature, gain, shap in _values(kept)
    ]


def _values(table: pd.DataFrame) -> Iterable[tuple[str, float, float]]:
    return zip(table["feature"], table["gain"], table["shap"], strict=True)


def _percentage(part: float, whole: float) -> float:
    """Return a length for a bar; what is missing has none."""
    share = 100 * part / whole
    return round(share, 2) if math.isfinite(share) else 0.0
