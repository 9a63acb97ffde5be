"""How the report names metrics and writes numbers, times and dates."""

import math
import re
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

__all__ = ["Wording", "count", "days", "decimals", "duration", "money", "percent", "wording_of"]

MISSING = "–"  # noqa: RUF001


class Wording(NamedTuple):
    """A metric in words.

    Attributes
    ----------
    name : str
    meaning : str
        What the number says, in a sentence.
    scale : str
        ``"share"`` or ``"unit"`` when it goes from 0, the worst, to 1, the best: a share is written
        in percent; else ``"open"``.
    """

    name: str
    meaning: str
    scale: Literal["open", "unit", "share"] = "open"


#: By pattern of the metric's name; `{n}` stands for the number in it, `{positives}` for the noun.
WORDINGS = {
    r"roc_auc": Wording(
        "ROC AUC",
        "How often a random one of the {positives} scores above a random other row.",
        scale="unit",
    ),
    r"average_precision": Wording(
        "Average precision",
        "Precision averaged over all recalls: the area under its curve.",
        scale="unit",
    ),
    r"card_precision_at_(\d+)": Wording(
        "Card precision at {n}",
        "Of the {n} cards with the highest scores each day, the share with {positives}.",
        scale="share",
    ),
    r"precision_at_(\d+)": Wording(
        "Precision at {n}",
        "Of the {n} rows with the highest scores, the share of {positives}.",
        scale="share",
    ),
    r"precision": Wording(
        "Precision", "Of the rows flagged, the share of {positives}.", scale="share"
    ),
    r"recall": Wording("Recall", "Of all {positives}, the share that is flagged.", scale="share"),
    r"lift_at_(\d+)_percent": Wording(
        "Lift at {n}%",
        "Times more {positives} among the top {n}% of scores than among rows drawn by chance.",
    ),
    r"log_loss": Wording("Log loss", "Mean surprise at the labels; lower is better."),
    r"brier": Wording("Brier score", "Mean squared error of the scores; lower is better."),
    r"expected_calibration_error": Wording(
        "Calibration error",
        "Mean distance of scores to observed rates; lower is better.",
    ),
}


def wording_of(metric: str, positives: str = "positives") -> Wording:
    """Return the wording of a metric; one that is not known keeps its name.

    Examples
    --------
    >>> wording_of("lift_at_5_percent").name
    'Lift at 5%'
    >>> wording_of("my_own_metric").name
    'My own metric'
    """
    for pattern, wording in WORDINGS.items():
        found = re.fullmatch(pattern, metric)
        if found:
            words = {"n": found[1] if found.lastindex else "", "positives": positives}
            return wording._replace(
                name=wording.name.format(**words), meaning=wording.meaning.format(**words)
            )
    name = metric.replace("_", " ").strip()
    return Wording(name[:1].upper() + name[1:], "")


def decimals(value: float | None, places: int = 3) -> str:
    """Write a number with so many decimals, a small one with as many digits instead.

    Examples
    --------
    >>> decimals(0.8713), decimals(0.00041234), decimals(23.456), decimals(float("nan"))
    ('0.871', '0.000412', '23.5', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if 0 < abs(value) < 10.0**-places * 10:
        return f"{value:.{places}g}"
    return f"{value:,.{places if abs(value) < 10 else 1}f}"


def percent(share: float | None) -> str:
    """Write a share in percent.

    Examples
    --------
    >>> percent(0.7132), percent(0.0043), percent(0.00001), percent(1), percent(None)
    ('71.3%', '0.43%', '0.001%', '100%', '–')
    """
    if share is None or not math.isfinite(share):
        return MISSING
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f}%"
    if abs(value) >= 1:
        return f"{value:.1f}%"
    return f"{value:.2f}%" if abs(value) >= 0.1 else f"{value:.1g}%"


def count(value: float | None) -> str:
    """Write a number of rows.

    Examples
    --------
    >>> count(1234567), count(0.25), count(None)
    ('1,234,567', '0.25', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def money(value: float) -> str:
    """Write a sum; a large one without its fraction.

    Examples
    --------
    >>> money(12345.678), money(-3.5), money(-0.001)
    ('12,346', '−3.50', '0.00')
    """
    text = f"{abs(value):,.0f}" if abs(value) >= 100 else f"{abs(value):,.2f}"
    return f"−{text}" if value < 0 and text != "0.00" else text  # noqa: RUF001


def duration(seconds: float) -> str:
    """Write a time span.

    Examples
    --------
    >>> duration(0.04), duration(7.31), duration(200), duration(7500)
    ('0.04 s', '7.3 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def days(start: datetime, end: datetime) -> str:
    """Write a period by its first and last day; the end itself is not part of it.

    Examples
    --------
    >>> days(datetime(2018, 7, 11), datetime(2018, 7, 25))
    '11 to 24 Jul 2018'
    >>> days(datetime(2018, 7, 25), datetime(2018, 8, 1))
    '25 to 31 Jul 2018'
    >>> days(datetime(2018, 12, 28), datetime(2019, 1, 4))
    '28 Dec 2018 to 3 Jan 2019'
    """
    last = max(end - timedelta(microseconds=1), start)
    if start.date() == last.date():
        return f"{last.day} {last:%b %Y}"
    if (start.year, start.month) == (last.year, last.month):
        first = f"{start.day}"
    elif start.year == last.year:
        first = f"{start.day} {start:%b}"
    else:
        first = f"{start.day} {start:%b %Y}"
    return f"{first} to {last.day} {last:%b %Y}"
