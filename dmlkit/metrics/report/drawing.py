"""The look that all charts share, and what a chart consists of; what they show lies elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter, PlainText
from bokeh.plotting import figure

__all__ = [
    "BLUE",
    "GREY",
    "INK",
    "ORANGE",
    "UNIT",
    "Chart",
    "Key",
    "draw_line",
    "draw_mark",
    "draw_yardstick",
    "plain_figure",
    "tell",
    "write_in_percent",
]

# Blue and orange (vermilion) of Okabe and Ito, a little darker: colour-blind readers tell them
# apart, and so does a printer without colours by their lightness.
BLUE = "#0b62a4"
ORANGE = "#d55e00"
GREY = "#8a8f98"
INK = "#1d2330"
FAINT = "#e6e8ec"
QUIET = "#565d6b"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HEIGHT = 300

#: From 0 to 1 with a little room, so that dots and lines at the edge are whole.
UNIT = (-0.015, 1.015)


class Key(NamedTuple):
    """An entry of a chart's legend, which stands above the chart as text.

    Attributes
    ----------
    text : str
    colour : str
    shape : str
        ``"line"``, ``"dashed"``, ``"bar"`` or ``"dot"``.
    """

    text: str
    colour: str
    shape: str = "line"


@dataclass(frozen=True)
class Chart:
    """A figure with the words around it.

    Attributes
    ----------
    name : str
        Identifies the chart in the page.
    title : str
    reading : str
        A sentence that says how to read it.
    spoken : str
        What it shows, for those who don't see it.
    keys : sequence of Key
    figure : bokeh figure
    """

    name: str
    title: str
    reading: str
    spoken: str
    keys: Sequence[Key]
    figure: Any


def plain_figure(x_label: str, y_label: str, **options: Any) -> Any:
    """Return an empty figure that is as wide as there is room, drawn as SVG: it prints sharply."""
    plot = figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        min_width=0,
        output_backend="svg",
        toolbar_location=None,
        tools="",
        **options,
    )
    # Plain, lest BokehJS takes $$ in a name for TeX and fetches a library for it.
    plot.xaxis.axis_label, plot.yaxis.axis_label = PlainText(x_label), PlainText(y_label)
    plot.min_border = 0
    plot.min_border_right = 14
    plot.min_border_top = 8
    plot.outline_line_color = None
    plot.background_fill_color = plot.border_fill_color = None
    plot.xgrid.grid_line_color = None
    plot.ygrid.grid_line_color = FAINT
    _style_axes(plot)
    return plot


def _style_axes(plot: Any) -> None:
    for axis in plot.axis:
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = QUIET
        axis.axis_label_standoff = 6
        axis.axis_line_color = axis.major_tick_line_color = GREY
        axis.minor_tick_line_color = None
        axis.major_tick_in, axis.major_tick_out = 0, 4
    plot.yaxis.axis_line_color = plot.yaxis.major_tick_line_color = None
    for axis in plot.axis:
        axis.ticker.desired_num_ticks = 5


def write_in_percent(*axes: Any) -> None:
    """Let axes say 20% for 0.2."""
    for axis in axes:
        axis.formatter = NumeralTickFormatter(format="0.[00]%")


def draw_line(
    plot: Any, columns: dict[str, Any], *, colour: str = BLUE, told: Sequence[tuple[str, str]] = ()
) -> None:
    """Draw a line through the columns ``x`` and ``y``; pointing at it tells the columns `told`."""
    source = ColumnDataSource(columns)
    line = plot.line("x", "y", source=source, line_color=colour, line_width=2.2, line_join="round")
    if told:
        tell(plot, line, told, mode="vline")


def draw_yardstick(plot: Any, x: Sequence[float], y: Sequence[float]) -> None:
    """Draw a dashed line to compare with."""
    plot.line(x, y, line_color=GREY, line_dash=[5, 4], line_width=1.4)


def draw_mark(plot: Any, x: float, y: float, colour: str = ORANGE) -> None:
    """Draw a dot that stands out."""
    plot.scatter([x], [y], size=11, fill_color=colour, line_color="white", line_width=2)


def tell(plot: Any, shapes: Any, columns: Sequence[tuple[str, str]], mode: str = "mouse") -> None:
    """Show columns, by name, of the shape that is pointed at."""
    rows = "".join(
        f'<span style="color: {QUIET}">{escape(name)}</span>'
        f'<span style="text-align: right">@{{{column}}}</span>'
        for name, column in columns
    )
    box = (
        '<div style="display: grid; grid-template-columns: auto auto; gap: 2px 12px; '
        f'color: {INK}; font: 13px {escape(FONT)}">{rows}</div>'
    )
    hover = HoverTool(renderers=[shapes], tooltips=box, mode=mode, point_policy="follow_mouse")
    plot.add_tools(hover)
