"""Tables of what an object is, as notebooks show it in place of its text."""

import html
from collections.abc import Iterable, Sequence

__all__ = ["html_table"]


def html_table(
    lines: Iterable[Sequence[str]], *, caption: str = "", headers: Sequence[str] = ()
) -> str:
    """Return lines of text as an HTML table; what is in them stays text.

    Parameters
    ----------
    lines : iterable of sequences of str
        Without `headers`, the first of each line is a heading.
    caption : str
    headers : sequence of str

    Examples
    --------
    >>> "&lt;10" in html_table([["rows", "<10"]])
    True
    """
    above = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    head = "<tr>" + "".join(map(_heading, headers)) + "</tr>" if headers else ""
    body = "".join(
        "<tr>" + "".join(map(_value, line)) + "</tr>"
        if headers
        else f"<tr>{_heading(line[0])}" + "".join(map(_value, line[1:])) + "</tr>"
        for line in lines
    )
    return f"<table>{above}{head}{body}</table>"


def _heading(text: str) -> str:
    return f'<th style="text-align: left">{html.escape(text)}</th>'


def _value(text: str) -> str:
    return f'<td style="text-align: left">{html.escape(text)}</td>'
