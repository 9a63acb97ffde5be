"""Forecasts of the series of one partition, step by step, all series at once.

Of each series only its last rows are kept, as many as the features look back, and of running means
their state: that gives the same bits as the whole series would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.features.panel_kernels import latest_features, running_states
from dmlkit.features.panel_series import SeriesRows
from dmlkit.forecasting.design import Design, transformed_history
from dmlkit.forecasting.origin import Origins
from dmlkit.forecasting.transforms import undo_all

__all__ = ["Tails", "forecast_series", "predicted"]


@dataclass(frozen=True)
class Tails:
    """The ends of series, with room for forecasts.

    Attributes
    ----------
    rows : (series, width + horizon) float64 array
        Of the transformed target; NaN before a series begins and where nothing is forecast yet.
    width : int
    states : (series, k, 2) float64 array
        Of running operations before the first column.
    undoing : sequence of (series, m) arrays
        What undoes the target transforms.
    """

    rows: np.ndarray
    width: int
    states: np.ndarray
    undoing: Sequence[np.ndarray]

    @classmethod
    def of(cls, design: Design, rows: SeriesRows, origins: Origins, horizon: int) -> "Tails":
        """Take the ends of the histories before the origins."""
        taken, starts = origins.history()
        values, undoing = transformed_history(design, rows.frame.iloc[taken], starts)
        width = max(feature.reach for feature in design.lags.features)
        place = starts[1:, None] - width + np.arange(width)
        there = place >= starts[:-1, None]
        tails = np.full((len(starts) - 1, width + horizon), np.nan)
        tails[:, :width][there] = values[place[there]]
        program = design.lags.program
        states = running_states(values, starts, width, program.operations, program.parameters)
        return cls(tails, width, states, undoing)


def forecast_series(
    design: Design,
    models: Sequence[Any],
    steps_per_model: int | None,
    rows: SeriesRows,
    origins: Origins,
    future: pd.DataFrame,
) -> np.ndarray:
    """Return the forecasts of each series.

    Parameters
    ----------
    design : Design
    models : sequence
        One, or one for each `steps_per_model` steps.
    steps_per_model : int or None
        None where one model makes all steps, each from the forecasts of the steps before.
    rows : SeriesRows
    origins : Origins
        Of at least one series.
    future : pd.DataFrame
        From `future_rows`.

    Returns
    -------
    (series, horizon, k) float64 array
        The k predictions of the model, in rising order.
    """
    series = len(origins.stops)
    horizon = len(future) // series
    tails = Tails.of(design, rows, origins, horizon)
    names, program = design.lags.get_feature_names_out(), design.lags.program
    outputs: list[np.ndarray] = []
    for step in range(horizon):
        number = 0 if steps_per_model is None else step // steps_per_model
        shift = 0 if steps_per_model is None else number * steps_per_model
        lagged = np.empty((len(names), series), dtype=design.lags.dtype)
        latest_features(
            tails.rows,
            tails.width + step,
            tails.states,
            program.operations,
            program.parameters,
            program.targets + np.array([0, 0, shift, 0]),
            lagged,
        )
        columns = {names[place]: lagged[target] for target, place in enumerate(program.order)}
        at_step = future.iloc[step * series : (step + 1) * series].reset_index(drop=True)
        found = predicted(models[number], design.at_rows(at_step, columns))
        outputs.append(found)
        tails.rows[:, tails.width + step] = found[:, found.shape[1] // 2]
    stacked = np.stack(outputs, axis=1)
    point = stacked.shape[2] // 2
    return np.sort(undo_all(design.transforms, stacked, tails.undoing, point), axis=2)


def predicted(model: Any, features: pd.DataFrame) -> np.ndarray:
    """Return a model's predictions, one column or one for each quantile, in rising order."""
    found = np.asarray(model.predict(features), dtype=np.float64)
    return np.sort(found.reshape(len(features), -1), axis=1)
