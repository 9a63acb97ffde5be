"""The charts of how well a score ranks: ROC, and precision over recall."""

import math
from typing import Any

import numpy as np

from dmlkit.metrics.report.drawing import (
    BLUE,
    GREY,
    ORANGE,
    UNIT,
    Chart,
    Key,
    draw_line,
    draw_mark,
    draw_yardstick,
    plain_figure,
    write_in_percent,
)
from dmlkit.metrics.report.wording import decimals, percent
from dmlkit.metrics.results import BinaryEvaluation, Curve

__all__ = ["precision_recall_chart", "roc_chart"]


def roc_chart(evaluation: BinaryEvaluation, positives: str) -> Chart:
    """Draw the share of positives found over the share of others flagged by mistake."""
    plot = _unit_square("Others flagged by mistake", f"{positives.capitalize()} found")
    draw_yardstick(plot, [0, 1], [0, 1])
    columns = _columns(evaluation.roc, mistaken=evaluation.roc.x, found=evaluation.roc.y)
    told = [("Score from", "score"), ("Found", "found"), ("By mistake", "mistaken")]
    draw_line(plot, columns, told=told)
    keys = [Key("Model", BLUE), Key("By chance", GREY, "dashed")]
    spoken = f"ROC curve, area {decimals(evaluation.metrics.get('roc_auc'))}."
    mistaken, found = _false_positive_rate(evaluation), evaluation.metrics.get("recall", np.nan)
    if math.isfinite(mistaken) and math.isfinite(found):
        draw_mark(plot, mistaken, found)
        keys.append(_threshold_key(evaluation))
        spoken += f" At the threshold {percent(found)} found, {percent(mistaken)} by mistake."
    return Chart(
        name="roc",
        title="ROC curve",
        reading=f"The nearer to the upper left corner the better: more {positives} found for fewer "
        "other rows flagged by mistake.",
        spoken=spoken,
        keys=keys,
        figure=plot,
    )


def precision_recall_chart(evaluation: BinaryEvaluation, positives: str) -> Chart:
    """Draw precision over recall, with the share of positives as what chance gives."""
    plot = _unit_square(f"Recall: {positives} found", "Precision: flags that are right")
    curve, base = evaluation.precision_recall, evaluation.positives / max(evaluation.rows, 1)
    draw_yardstick(plot, [0, 1], [base, base])
    told = [("Score from", "score"), ("Recall", "recall"), ("Precision", "precision")]
    draw_line(plot, _columns(curve, recall=curve.x, precision=curve.y), told=told)
    keys = [Key("Model", BLUE), Key(f"By chance: {percent(base)}", GREY, "dashed")]
    spoken = f"Average precision {decimals(evaluation.metrics.get('average_precision'))}."
    recall, precision = (evaluation.metrics.get(name, np.nan) for name in ("recall", "precision"))
    if math.isfinite(recall) and math.isfinite(precision) and recall > 0:
        draw_mark(plot, recall, precision)
        keys.append(_threshold_key(evaluation))
        spoken += f" At the threshold, precision {percent(precision)} at recall {percent(recall)}."
    return Chart(
        name="precision-recall",
        title="Precision and recall",
        reading=f"From left to right more {positives} are found; the height is the share of flags "
        "that are right.",
        spoken=spoken,
        keys=keys,
        figure=plot,
    )


def _unit_square(x_label: str, y_label: str) -> Any:
    plot = plain_figure(x_label, y_label, x_range=UNIT, y_range=UNIT)
    write_in_percent(plot.xaxis, plot.yaxis)
    return plot


def _columns(curve: Curve, **shares: np.ndarray) -> dict[str, Any]:
    scores = ["no row" if np.isinf(score) else decimals(score, 4) for score in curve.threshold]
    written = {name: [percent(share) for share in values] for name, values in shares.items()}
    return {"x": curve.x, "y": curve.y, "score": scores} | written


def _threshold_key(evaluation: BinaryEvaluation) -> Key:
    return Key(f"At the threshold {decimals(evaluation.threshold)}", ORANGE, "dot")


def _false_positive_rate(evaluation: BinaryEvaluation) -> float:
    """Return the share of negatives flagged, as precision and recall imply it."""
    precision, recall = (evaluation.metrics.get(name, np.nan) for name in ("precision", "recall"))
    negatives = evaluation.rows - evaluation.positives
    if not (math.isfinite(precision) and math.isfinite(recall) and precision > 0 and negatives):
        return math.nan
    return recall * evaluation.positives * (1 / precision - 1) / negatives
