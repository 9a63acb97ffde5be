"""What a notebook shows of transformers that are put together: each step, and where it stands."""

from collections.abc import Iterator
from typing import Any

from dmlkit.html_estimators import caption_of, described
from dmlkit.html_tables import html_table

__all__ = ["html_of_steps"]

#: Columns of a step that are named.
MOST_COLUMNS = 6

HEADERS = ("step", "transformer", "columns")


def html_of_steps(transformer: Any) -> str:
    """Return the steps of a pipeline or column transformer as HTML, and what each pass learnt.

    Examples
    --------
    >>> from dmlkit.preprocessing import Pipeline, SimpleImputer
    >>> shown = html_of_steps(Pipeline([("fill", SimpleImputer(strategy="median"))]))
    >>> "SimpleImputer(strategy=&#x27;median&#x27;)" in shown
    True
    """
    lines = list(_lines(transformer, ""))
    passes = [
        (f"pass {number}", told)
        for number, told in enumerate(getattr(transformer, "passes_", ()), start=1)
    ]
    learnt = html_table(passes, headers=("learnt in", "")) if passes else ""
    return html_table(lines, caption=caption_of(transformer), headers=HEADERS) + learnt


def _lines(transformer: Any, above: str) -> Iterator[tuple[str, str, str]]:
    for name, step, columns in _steps(transformer):
        place = f"{above}{name}"
        if _steps(step):
            yield place, type(step).__name__, columns
            yield from _lines(step, f"{place} / ")
        else:
            yield place, step if isinstance(step, str) else described(step), columns
    if getattr(transformer, "remainder", "drop") == "passthrough":
        yield f"{above}others", "passthrough", _named(getattr(transformer, "remainder_", ()))


def _steps(transformer: Any) -> list[tuple[str, Any, str]]:
    if hasattr(transformer, "transformers"):
        return [(name, step, _named(own)) for name, step, own in transformer.transformers]
    return [(name, step, "") for name, step in getattr(transformer, "steps", ())]


def _named(columns: Any) -> str:
    names = [str(name) for name in columns]
    more = len(names) - MOST_COLUMNS
    return ", ".join(names[:MOST_COLUMNS]) + (f" and {more:,} more" if more > 0 else "")
