"""The charts of remaining lives: predicted against true, and what alarms cost."""

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource

from dmlkit.metrics.alarms import AlarmEvaluation
from dmlkit.metrics.report.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Chart,
    Key,
    draw_line,
    draw_mark,
    draw_yardstick,
    plain_figure,
    tell,
)
from dmlkit.metrics.report.wording import decimals, percent

__all__ = ["alarm_chart", "life_chart"]

#: More dots than this say nothing more.
MOST_DOTS = 2_000


def life_chart(points: pd.DataFrame, cap: float) -> Chart:
    """Draw the predicted over the true remaining life.

    Parameters
    ----------
    points : pandas.DataFrame
        With the columns ``remaining`` and ``prediction``; evenly thinned out for drawing.
    cap : float
        Up to which lives are told apart.
    """
    shown = points.sort_values(["remaining", "prediction"])
    shown = shown.iloc[:: max(1, -(-len(shown) // MOST_DOTS))]
    longest = float(max(points["remaining"].max(), cap))
    plot = plain_figure("True life left, in cycles", "Predicted")
    draw_yardstick(plot, [0, cap, longest], [0, cap, cap])
    source = ColumnDataSource(
        {
            "x": shown["remaining"].to_numpy(),
            "y": shown["prediction"].to_numpy(),
            "true": [decimals(each, 1) for each in shown["remaining"]],
            "told": [decimals(each, 1) for each in shown["prediction"]],
        }
    )
    dots = plot.scatter("x", "y", source=source, size=6, fill_color=BLUE, fill_alpha=0.5,
                        line_color=None)  # fmt: skip
    tell(plot, dots, [("True", "true"), ("Predicted", "told")])
    error = float(np.sqrt(((shown["prediction"] - shown["remaining"].clip(upper=cap)) ** 2).mean()))
    return Chart(
        name="life",
        title="Life left",
        reading=f"Dots on the dashed line are right. Above {cap:g} cycles lives are not told "
        "apart; what counts are the dots at the left.",
        spoken=f"Predicted over true remaining life; off by {decimals(error)} cycles.",
        keys=[Key("A reading", BLUE, "dot"), Key("Right", GREY, "dashed")],
        figure=plot,
    )


def alarm_chart(alarms: AlarmEvaluation, threshold: float) -> Chart:
    """Draw what a machine costs over the threshold from which on alarm is raised."""
    plot = plain_figure("Risk from which on alarm is raised", "Cost of a machine")
    columns = {
        "x": alarms.thresholds,
        "y": alarms.cost,
        "risk": [decimals(each, 2) for each in alarms.thresholds],
        "cost": [decimals(each) for each in alarms.cost],
        "failed": [percent(each) for each in alarms.failed],
        "left": [decimals(each, 1) for each in alarms.thrown_away],
    }
    told = [("Risk", "risk"), ("Cost", "cost"), ("Fail", "failed"), ("Life thrown away", "left")]
    draw_line(plot, columns, told=told)
    place = alarms.at(threshold)
    draw_mark(plot, float(alarms.thresholds[place]), float(alarms.cost[place]))
    cost = decimals(alarms.cost[place])
    return Chart(
        name="alarms",
        title="Cost of alarms",
        reading="An early alarm throws life away, a late one lets the machine fail. The threshold "
        "was chosen on other machines.",
        spoken=f"At the threshold {decimals(threshold, 2)} a machine costs {cost}.",
        keys=[Key("Cost of a machine", BLUE), Key(f"Chosen: {cost}", ORANGE, "dot")],
        figure=plot,
    )
