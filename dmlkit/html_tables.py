"""Tables of what an object is, as notebooks show it in place of its text.

No script and no style sheet: they read the same in a saved notebook, and on light and dark pages.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Bar", "Curve", "html_table"]

#: Reads well on light and on dark pages.
COLOUR = "#4f97cf"

#: The length of a full bar in em, the size of a curve in pixels.
BAR, CURVE = 9.0, (240, 44)

#: More points than pixels are not seen.
MOST_POINTS = 240


@dataclass(frozen=True)
class Bar:
    """A share of a whole, as a cell of a table."""

    share: float

    def __str__(self) -> str:
        length = BAR * min(max(self.share, 0.0), 1.0)
        style = f"width: {length:.2f}em; height: 0.7em; background-color: {COLOUR}"
        return f'<div style="{style}"></div>'


@dataclass(frozen=True)
class Curve:
    """Numbers in order, drawn from left to right, as a cell of a table.

    Attributes
    ----------
    values : sequence of float
    label : str
        What it tells, for those who do not see it.

    Examples
    --------
    >>> str(Curve([0.5, 0.75, 1.0], "auc")).count(",")
    3
    """

    values: Sequence[float]
    label: str = ""

    def __str__(self) -> str:
        width, height = CURVE
        step = -(-len(self.values) // MOST_POINTS)
        seen = self.values[::step] if step else []
        low, high = min(seen, default=0.0), max(seen, default=0.0)
        points = " ".join(
            f"{2 + (width - 4) * number / max(len(seen) - 1, 1):.1f},"
            f"{height - 3 - (height - 6) * (value - low) / (high - low or 1):.1f}"
            for number, value in enumerate(seen)
        )
        return (
            f'<svg width="{width}" height="{height}" role="img" '
            f'aria-label="{html.escape(self.label)}"><polyline points="{points}" fill="none" '
            f'stroke="{COLOUR}" stroke-width="2"/></svg>'
        )


def html_table(
    lines: Iterable[Sequence[str | Bar | Curve]],
    *,
    caption: str = "",
    headers: Sequence[str] = (),
) -> str:
    """Return lines of text as an HTML table; what is in them stays text.

    Parameters
    ----------
    lines : iterable of sequences of str, Bar or Curve
        Without `headers`, the first of each line is a heading.
    caption : str
    headers : sequence of str

    Examples
    --------
    >>> "&lt;10" in html_table([["rows", "<10"]])
    True
    """
    style = "text-align: left; white-space: nowrap"
    above = f'<caption style="{style}">{html.escape(caption)}</caption>' if caption else ""
    head = "<tr>" + "".join(map(_heading, headers)) + "</tr>" if headers else ""
    body = "".join(
        "<tr>" + "".join(map(_value, line)) + "</tr>"
        if headers
        else f"<tr>{_heading(str(line[0]))}" + "".join(map(_value, line[1:])) + "</tr>"
        for line in lines
    )
    return f"<table>{above}{head}{body}</table>"


def _heading(text: str) -> str:
    return f'<th style="text-align: left">{html.escape(text)}</th>'


def _value(cell: str | Bar | Curve) -> str:
    shown = html.escape(cell) if isinstance(cell, str) else str(cell)
    return f'<td style="text-align: left">{shown}</td>'
