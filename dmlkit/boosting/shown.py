"""What a notebook shows of boosted trees, and of a bundle that holds some."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dmlkit.boosting.rounds import is_higher_better
from dmlkit.html_estimators import changed_parameters, described, html_of_weights
from dmlkit.html_tables import Bar, Curve, html_table

if TYPE_CHECKING:
    from dmlkit.boosting.bundle import Bundle
    from dmlkit.boosting.model import XGBModel

__all__ = ["html_of_bundle", "html_of_model"]

#: Losses, and figures of a bundle, that are shown.
MOST_LOSSES, MOST_FIGURES = 5, 12

Lines = Iterator[tuple[str, str | Bar | Curve]]


def html_of_model(model: "XGBModel") -> str:
    """Return parameters, the course of the training, and what features are worth, as HTML.

    Examples
    --------
    >>> from dmlkit.boosting import XGBRegressor
    >>> shown = html_of_model(XGBRegressor(max_depth=4))
    >>> "not trained" in shown, "max_depth" in shown, "n_estimators" in shown
    (True, True, False)
    """
    changed = changed_parameters(model)
    lines = [(name, described(value)) for name, value in changed.items()]
    given = html_table(
        lines or [("as by default", "")],
        caption=_caption(model),
        headers=("parameter", "value"),
    )
    if not model.__sklearn_is_fitted__():
        return given
    return given + html_table(_course(model)) + _gains(model)


def html_of_bundle(bundle: "Bundle") -> str:
    """Return what a bundle holds as HTML: its model, how it was judged, what made it."""
    facts = [
        ("flags rows from a score of", _flags(bundle)),
        *((name, described(value)) for name, value in bundle.metadata.items()),
        ("made by", ", ".join(f"{name} {number}" for name, number in bundle.versions.items())),
    ]
    figures = [
        (name, described(value))
        for name, value in bundle.metrics.items()
        if not name.endswith((".low", ".high"))
    ]
    left = len(figures) - MOST_FIGURES
    judged = html_table(
        figures[:MOST_FIGURES] + ([(f"and {left:,} more", "")] if left > 0 else []),
        headers=("judged by", ""),
    )
    count = len(bundle.models)
    caption = f"a bundle with {count:,} {'model' if count == 1 else 'models'}"
    parts = [html_table(facts, caption=caption), judged if figures else ""]
    return "".join([*parts, *map(html_of_model, bundle.models)])


def _caption(model: "XGBModel") -> str:
    if not model.__sklearn_is_fitted__():
        return f"{type(model).__name__}, not trained"
    rounds = model.get_booster().num_boosted_rounds()
    return f"{type(model).__name__}, {rounds:,} rounds on {model.n_features_in_:,} features"


def _course(model: "XGBModel") -> Lines:
    """Tell each metric's best value, then where the model was trained, and what that survived."""
    for table, metrics in model.evals_result().items():
        for metric, values in metrics.items():
            numbers = [float(value) for value in values]
            if numbers:
                yield from _curve(f"{table} {metric}", metric, numbers)
    if model.best_iteration + 1 < max(map(len, _histories(model)), default=0):
        yield "kept up to round", f"{model.best_iteration + 1:,} (best_iteration, counted from 0)"
    yield "trained on", f"{model.device_} ({model.device_reason_})"
    for restart in model.restarts_[:MOST_LOSSES]:
        yield "went on after", _survived(restart)
    if len(model.restarts_) > MOST_LOSSES:
        yield "went on after", f"{len(model.restarts_) - MOST_LOSSES:,} more losses"


def _curve(heading: str, metric: str, values: list[float]) -> Lines:
    best = int(np.argmax(values) if is_higher_better(metric) else np.argmin(values))
    told = f"{values[best]:,.5g} in round {best + 1:,} of {len(values):,}"
    yield heading, told
    if len(values) > 1:
        yield "", Curve(values, f"{heading} by round: {told}")


def _histories(model: "XGBModel") -> Iterator[Any]:
    return (values for metrics in model.evals_result().values() for values in metrics.values())


def _survived(restart: Any) -> str:
    lost = "" if restart.seconds_lost is None else f", {restart.seconds_lost:,.1f} s lost"
    return f"{restart.reason} (round {restart.round:,}{lost})"


def _gains(model: "XGBModel") -> str:
    """Return the share of each feature in what all splits gained."""
    gain: Mapping[str, Any] = model.get_booster().get_score(importance_type="total_gain")
    gains = np.array([float(np.sum(each)) for each in gain.values()])
    return html_of_weights(gain, gains / max(float(gains.sum()), 1e-300), "share of the gain")


def _flags(bundle: "Bundle") -> str:
    return "flags none" if bundle.threshold is None else described(bundle.threshold)
