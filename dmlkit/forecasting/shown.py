"""What a notebook shows of a forecaster: what it sees of a panel, and its models."""

from typing import TYPE_CHECKING

from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.shown import html_of_model
from dmlkit.html_estimators import described
from dmlkit.html_tables import html_table

if TYPE_CHECKING:
    from dmlkit.forecasting.forecaster import Forecaster

__all__ = ["html_of_forecaster", "in_words"]


def in_words(forecaster: "Forecaster") -> str:
    """Tell what a forecaster is, and whether it is fitted."""
    count = len(forecaster.models_)
    models = f"{count:,} {'model' if count == 1 else 'models'}" if count else "not fitted"
    names = forecaster.design.names
    return f"Forecaster every {forecaster.design.frequency.text}, {len(names)} features, {models}"


def html_of_forecaster(forecaster: "Forecaster") -> str:
    """Return a forecaster as HTML.

    Examples
    --------
    >>> from dmlkit.boosting import XGBRegressor
    >>> from dmlkit.features import PanelLags
    >>> from dmlkit.forecasting import Forecaster
    >>> lags = PanelLags([1, 7])
    >>> shown = html_of_forecaster(Forecaster(XGBRegressor(), "D", [lags]))
    >>> "Forecaster every D, 2 features, not fitted" in shown
    True
    """
    parts = [html_table(_facts(forecaster), caption=in_words(forecaster))]
    parts.append(forecaster.design.features._repr_html_())
    for number, model in enumerate(forecaster.models_, start=1):
        steps = _steps(forecaster, number)
        parts.append(f"<p>{steps}</p>" if len(forecaster.models_) > 1 else "")
        # What scikit-learn shows of its models has a script, which a saved notebook may not run.
        ours = isinstance(model, XGBModel)
        parts.append(html_of_model(model) if ours else html_table([("model", described(model))]))
    return "".join(parts)


def _facts(forecaster: "Forecaster") -> list[tuple[str, str]]:
    design, levels = forecaster.design, forecaster.margins_
    facts = [
        ("model", "" if forecaster.models_ else described(forecaster.model)),
        ("the value is changed by", ", ".join(map(repr, design.transforms))),
        ("columns that a series keeps", ", ".join(design.static)),
        ("season", f"{forecaster.season:,} steps" if forecaster.season > 1 else ""),
        ("steps of each model", described(forecaster.steps_per_model or "")),
        ("quantiles", ", ".join(f"{each:g}" for each in forecaster.quantiles)),
        ("calibrated intervals", ", ".join(f"{level:g}%" for level in levels)),
        ("weights", design.weight or ""),
        ("rows until one counts half", described(design.half_life or "")),
        ("least forecast", "" if forecaster.minimum is None else described(forecaster.minimum)),
        ("gaps", forecaster.gaps),
    ]
    return [(name, told) for name, told in facts if told not in ("", "''")]


def _steps(forecaster: "Forecaster", number: int) -> str:
    size = forecaster.steps_per_model
    if size is None:
        return f"Model {number}"
    return f"Steps {(number - 1) * size + 1} to {number * size}"
