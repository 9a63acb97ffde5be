"""What a notebook shows of a search: the space, and the best of its trials."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dmlkit.html_estimators import described
from dmlkit.html_tables import html_table

__all__ = ["html_of_search"]

#: Trials that are shown.
MOST_TRIALS = 8


def html_of_search(search: Any, space: Mapping[str, Any]) -> str:
    """Return a search as HTML.

    Parameters
    ----------
    search : ParameterSearch or HyperbandSearchCV
    space : mapping
        What each parameter may be.

    Examples
    --------
    >>> from dmlkit.boosting import XGBRegressor
    >>> from dmlkit.search import ParameterSearch
    >>> shown = html_of_search(ParameterSearch(XGBRegressor(), {}), {"max_depth": [4, 6]})
    >>> "not fitted" in shown, "[4, 6]" in shown
    (True, True)
    """
    trials = getattr(search, "trials_", None)
    best = getattr(search, "best_params_", {})
    lines = [
        (name, described(allowed), described(best[name]) if name in best else "")
        for name, allowed in space.items()
    ]
    name, searched = type(search).__name__, described(search.estimator)
    told = "not fitted" if trials is None else _by_state(trials)
    table = html_table(
        lines, caption=f"{name}, {told}", headers=("parameter", "may be", "the best")
    )
    facts = [("of", searched)]
    if best:
        facts.append(("best score", f"{search.best_score_:,.6g}"))
    return table + html_table(facts) + ("" if trials is None else _best(trials, search, list(best)))


def _by_state(trials: pd.DataFrame) -> str:
    counts = trials["state"].value_counts()
    states = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    return f"{len(trials):,} {'trial' if len(trials) == 1 else 'trials'} ({states})"


def _best(trials: pd.DataFrame, search: Any, names: list[str]) -> str:
    """Return a table of the trials that went through to the end, the best first."""
    done = trials[trials["state"] == "complete"]
    # Which way is better is known of the best one alone.
    higher = search.best_score_ >= done["score"].max() if len(done) else True
    done = done.sort_values("score", ascending=not higher, kind="stable").head(MOST_TRIALS)
    shown = ["number", "score", "rounds", "seconds", *(name for name in names if name in done)]
    lines = [[_cell(value) for value in line] for line in done[shown].itertuples(index=False)]
    return html_table(lines, headers=shown) if lines else ""


def _cell(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else described(value)
