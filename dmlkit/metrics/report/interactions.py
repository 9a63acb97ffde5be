"""Features that act together: the first pairs as a table, and their rows drawn."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource
from numpy.typing import NDArray

from dmlkit.metrics.report.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Chart,
    Key,
    draw_yardstick,
    plain_figure,
    tell,
)
from dmlkit.metrics.report.wording import decimals

__all__ = ["PairRow", "interaction_charts", "interaction_rows"]

#: Pairs in the table, and those of them that are drawn.
PAIRS, CHARTS = 10, 2

#: More dots than this say nothing more.
MOST_DOTS = 1_000

#: Levels of fewer rows have no colour of their own.
LEAST_SHARE = 0.01


class PairRow(NamedTuple):
    """A pair of features as a line of a table, with a bar."""

    feature: str
    other: str
    shap: str
    width: float


def interaction_rows(pairs: pd.DataFrame | None) -> list[PairRow]:
    """Return a line for each of the first pairs.

    Parameters
    ----------
    pairs : pandas.DataFrame or None
        With the columns ``feature``, ``other`` and ``shap``, the largest first.
    """
    if pairs is None or pairs.empty:
        return []
    most = float(pairs["shap"].max()) or 1.0
    return [
        PairRow(str(feature), str(other), decimals(shap), round(100 * shap / most, 2))
        for feature, other, shap in pairs.head(PAIRS)[["feature", "other", "shap"]].to_numpy()
    ]


def interaction_charts(points: pd.DataFrame | None) -> Iterator[Chart]:
    """Draw what the first pairs do over the value of one of them, coloured by the other's.

    Parameters
    ----------
    points : pandas.DataFrame or None
        With the columns ``feature``, ``other``, ``value``, ``other_value`` and ``shap``.
    """
    if points is None:
        return
    drawn = 0
    for (feature, other), rows in points.groupby(["feature", "other"], sort=False):
        x, by = _numbers(rows["value"]), _numbers(rows["other_value"])
        if x is None:  # a number goes along the axis; of two texts nothing is drawn
            feature, other, x, by = other, feature, by, x
        if x is None or drawn == CHARTS:
            continue
        values = rows["other_value"] if other == rows["other"].iloc[0] else rows["value"]
        y = rows["shap"].to_numpy(np.float64)
        name = str(other)
        colours, keys = _by_level(values, name, y) if by is None else _by_number(by, name)
        told = {"other": [_told(each) for each in values], "colour": colours}
        yield _chart(drawn, str(feature), name, {"x": x, "y": y, **told}, keys)
        drawn += 1


def _chart(place: int, feature: str, other: str, columns: dict[str, Any], keys: list[Key]) -> Chart:
    columns |= {
        "feature": [decimals(each) for each in columns["x"]],
        "shap": [decimals(each) for each in columns["y"]],
    }
    shown = np.flatnonzero(np.isfinite(columns["x"]))[:MOST_DOTS]
    source = ColumnDataSource({name: np.asarray(each)[shown] for name, each in columns.items()})
    plot = plain_figure(feature, "Moved together by")
    if len(shown):
        ends = columns["x"][shown]
        draw_yardstick(plot, [float(ends.min()), float(ends.max())], [0, 0])
    dots = plot.scatter("x", "y", source=source, size=6, fill_color="colour", fill_alpha=0.6,
                        line_color=None)  # fmt: skip
    tell(plot, dots, [(feature, "feature"), (other, "other"), ("Moved by", "shap")])
    return Chart(
        name=f"interaction-{place}",
        title=f"{feature} with {other}",
        reading="How far both move a row's score together, beyond what each does alone. Where "
        "colours part, one says when the other counts.",
        spoken=f"What {feature} and {other} do together, over {feature}.",
        keys=keys,
        figure=plot,
    )


def _numbers(values: pd.Series) -> Any:
    """Return values as numbers, or None where they are text."""
    if any(isinstance(each, str) for each in values):
        return None
    return pd.to_numeric(values, errors="coerce").to_numpy(np.float64)


def _by_number(values: np.ndarray, name: str) -> tuple[np.ndarray, list[Key]]:
    """Colour the lower and the upper half; what is missing is grey."""
    if not np.isfinite(values).any():
        return np.full(len(values), GREY), [Key(f"{name} missing", GREY, "dot")]
    middle = float(np.nanmedian(values))
    # The half that is not empty where most values are the same.
    above = values > middle if (values > middle).any() else values >= middle
    upper = float(np.nanmin(values[above]))
    colours = np.where(above, ORANGE, BLUE)
    colours = np.where(np.isnan(values), GREY, colours)
    keys = [
        Key(f"{name} below {decimals(upper)}", BLUE, "dot"),
        Key(f"{name} {decimals(upper)} or more", ORANGE, "dot"),
    ]
    if np.isnan(values).any():
        keys.append(Key("Missing", GREY, "dot"))
    return colours, keys


def _by_level(
    values: pd.Series, name: str, moved: NDArray[np.float64]
) -> tuple[np.ndarray, list[Key]]:
    """Colour the three levels that move most, rare ones left out; all others are grey."""
    by_level = pd.Series(np.abs(moved), index=values.index).groupby(values).agg(["size", "mean"])
    often = by_level[by_level["size"] >= LEAST_SHARE * len(values)]
    first = often.sort_values("mean", ascending=False, kind="stable").index[:3].tolist()
    chosen = dict(zip(first, (BLUE, ORANGE, INK), strict=False))
    colours = np.array([chosen.get(each, GREY) for each in values], dtype=object)
    keys = [Key(f"{name}: {level}", colour, "dot") for level, colour in chosen.items()]
    return colours, [*keys, *([Key("Others", GREY, "dot")] if GREY in colours else [])]


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "missing" if pd.isna(value) else decimals(float(value))
