"""What checking pays: the chart of the gain by budget, and its table."""

from typing import NamedTuple

import numpy as np
from bokeh.models import NumeralTickFormatter, Range1d

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
)
from dmlkit.metrics.report.wording import count, money, percent
from dmlkit.metrics.results import Costs, GainCurve

__all__ = ["Budget", "budgets", "costs_in_words", "gain_chart"]

#: Shares of the rows that the table tells of, beside the best budget.
SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class Budget(NamedTuple):
    """A line of the table: what checking so many rows catches and gains."""

    checked: str
    share: str
    caught: str
    gain: str
    best: bool


def gain_chart(curve: GainCurve, positives: str) -> Chart:
    """Draw the gain over the rows checked, around where it is highest."""
    plot = plain_figure("Rows checked, highest scores first", "Gain against checking none")
    plot.x_range, plot.y_range = _ranges(curve)
    plot.xaxis.formatter = plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    plot.xaxis.ticker.desired_num_ticks = 4
    draw_yardstick(plot, [0, float(curve.checked[-1])], [0, 0])
    columns = {
        "x": curve.checked,
        "y": curve.gain,
        "rows": [count(rows) for rows in curve.checked],
        "caught": [count(rows) for rows in curve.caught],
        "gain": [money(gain) for gain in curve.gain],
    }
    told = [("Checked", "rows"), (f"{positives.capitalize()} caught", "caught"), ("Gain", "gain")]
    draw_line(plot, columns, told=told)
    best = int(np.argmax(curve.gain))
    draw_mark(plot, float(curve.checked[best]), float(curve.gain[best]))
    gain, rows = money(curve.gain[best]), count(curve.checked[best])
    return Chart(
        name="gain",
        title="Gain by budget",
        reading="Every check costs money and saves what the row would have lost: the top of the "
        "curve is the budget that pays most.",
        spoken=f"The gain is highest, {gain}, when {rows} rows are checked.",
        keys=[
            Key("Gain", BLUE),
            Key(f"Highest: {gain} at {rows} rows", ORANGE, "dot"),
            Key("Checking none", GREY, "dashed"),
        ],
        figure=plot,
    )


def budgets(curve: GainCurve) -> list[Budget]:
    """Return the best budget and some others, from small to large; each is a point of the curve.

    Examples
    --------
    >>> checked = np.array([0.0, 1, 2, 1000])
    >>> curve = GainCurve(checked, np.array([0.0, 1, 2, 5]), np.array([0.0, 40, 80, -9000]))
    >>> [(budget.checked, budget.gain, budget.best) for budget in budgets(curve)]
    [('1', '40.00', False), ('2', '80.00', True), ('1,000', '−9,000', False)]
    """
    rows, best = float(curve.checked[-1]), int(np.argmax(curve.gain))
    wanted = np.searchsorted(curve.checked, [share * rows for share in SHARES])
    places = sorted({best, *np.minimum(wanted, len(curve.checked) - 1).tolist()})
    return [
        Budget(
            checked=count(curve.checked[place]),
            share=percent(curve.checked[place] / rows if rows else 0),
            caught=count(curve.caught[place]),
            gain=money(curve.gain[place]),
            best=place == best,
        )
        for place in places
    ]


def costs_in_words(costs: Costs | None, positives: str) -> str:
    """Say what a check costs and what a miss does.

    Examples
    --------
    >>> costs_in_words(Costs(check=10, missed="amount"), "frauds")
    'A check costs 10.00. Each of the frauds that is missed costs its amount.'
    """
    if costs is None:
        return ""
    missed = f"its {costs.missed}" if isinstance(costs.missed, str) else money(costs.missed)
    return (
        f"A check costs {money(costs.check)}. Each of the {positives} that is missed costs "
        f"{missed}."
    )


def _ranges(curve: GainCurve) -> tuple[Range1d, Range1d]:
    """Return the part to show: from no row to three times the best budget."""
    best = int(np.argmax(curve.gain))
    highest, budget = float(curve.gain[best]), float(curve.checked[best])
    if budget == 0 or highest <= 0:  # checking never pays
        low = float(curve.gain.min()) or -1.0
        return Range1d(0, float(curve.checked[-1])), Range1d(1.05 * low, -0.1 * low)
    last = min(3.0 * budget, float(curve.checked[-1]))
    low = max(float(curve.gain[curve.checked <= last].min()), -0.5 * highest)
    return Range1d(0, last), Range1d(low - 0.05 * highest, 1.12 * highest)
