"""From a prepared panel to fitted models."""

from dataclasses import replace
from math import ceil
from typing import Any

import dask.dataframe as dd
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from dmlkit.boosting import XGBRegressor
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.panel_groups import GroupSums
from dmlkit.features.panel_series import sort_panel
from dmlkit.forecasting.design import TARGET, WEIGHT, Design
from dmlkit.forecasting.groups import partial_sums, sums_of_groups
from dmlkit.forecasting.origin import Cutoff, origins_of
from dmlkit.forecasting.panel import SERIES, TIME
from dmlkit.forecasting.preparation import Prepared
from dmlkit.graph import for_each

__all__ = ["fitted_models"]


def fitted_models(
    model: Any,
    design: Design,
    prepared: Prepared,
    cutoff: Cutoff,
    horizon: int | None,
    steps_per_model: int | None,
) -> tuple[Design, tuple[Any, ...]]:
    """Fit copies of a model on all rows before a cutoff: one, or one for each block of steps.

    Returns
    -------
    design : Design
        With what its features learned.
    models : tuple

    Raises
    ------
    InputError
        The panel is too short.
    """
    left, needed = prepared.steps - cutoff.back, design.min_history
    if left <= needed:
        raise InputError(
            f"The panel has {prepared.steps} steps, of which the last {cutoff.back} are kept "
            f"for judging: {max(left, 0)} are left to train on, and rows need {needed} before "
            "them. Take a longer panel, a shorter horizon, fewer windows, or a smaller "
            "min_history."
        )
    design = replace(design, features=design.features.fit(prepared.frame))
    sums = sums_of_groups(prepared.frame, design, cutoff)
    size = steps_per_model
    count = 1 if size is None or horizon is None else ceil(horizon / size)
    models = []
    for number in range(count):
        shift = 0 if size is None else number * size
        table = _training_table(prepared.frame, sums, design, cutoff, shift)
        models.append(_trained(clone(model), table, design))
    return design, tuple(models)


def _training_table(frame: Any, sums: list[Any], design: Design, cutoff: Cutoff, shift: int) -> Any:
    """Return what `Design.training_rows` gives of all partitions, lazily."""
    meta = _training_rows(
        frame._meta, partial_sums(frame._meta, design, cutoff), design, cutoff, shift
    )
    parts = for_each(_training_rows, frame.to_delayed(), sums, design, cutoff, shift)
    return dd.from_delayed(parts, meta=meta, verify_meta=False, prefix="training-rows")


def _training_rows(
    panel: pd.DataFrame, sums: list[GroupSums], design: Design, cutoff: Cutoff, shift: int
) -> pd.DataFrame:
    rows = sort_panel(panel, SERIES, TIME)
    return design.training_rows(rows, origins_of(rows, cutoff, design.frequency), shift, sums)


def _trained(model: Any, table: Any, design: Design) -> Any:
    # Weights of one each would cost time and memory, and some regressors take none.
    if design.weighted and not has_fit_parameter(model, "sample_weight"):
        raise ConfigurationError(
            f"{type(model).__name__} takes no weights of rows: leave out weight and half_life, or "
            "take a model whose fit has sample_weight."
        )
    rows = table
    if not isinstance(model, XGBRegressor):
        rows = table.compute()
        if not len(rows):
            raise InputError(
                "No row of the panel can be trained on: all are too near their beginning."
            )
    weight = {"sample_weight": rows[WEIGHT]} if design.weighted else {}
    return model.fit(rows[design.names], rows[TARGET], **weight)
