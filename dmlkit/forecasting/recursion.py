"""Forecasts of the series of one partition, step by step, all series at once.

What a partition knows before the first step is a `Beginning`, and what it has forecast a `Course`:
nothing is changed in place, so that any step can be made again on another worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.features.panel_groups import GroupSums
from dmlkit.features.panel_series import SeriesRows
from dmlkit.features.rows import Rows
from dmlkit.forecasting.design import Design
from dmlkit.forecasting.origin import Origins
from dmlkit.forecasting.tails import GroupTails, Tails, widened
from dmlkit.forecasting.transforms import undo_all

__all__ = ["Beginning", "Course", "next_step", "sums_of_latest", "undone"]


@dataclass(frozen=True)
class Beginning:
    """What the series of a partition are before the first step.

    Attributes
    ----------
    ahead : Rows
        Of all steps, one after the other: what `Design.ahead` tells.
    series : int
    tails : Tails
    groups : tuple of GroupTails
        One for each of the design's `groups`.
    undoing : sequence of (series, m) arrays
        What undoes the target transforms.
    """

    ahead: Rows
    series: int
    tails: Tails
    groups: tuple[GroupTails, ...]
    undoing: Sequence[np.ndarray]

    @classmethod
    def of(
        cls,
        design: Design,
        rows: SeriesRows,
        origins: Origins,
        future: pd.DataFrame,
        sums: Sequence[GroupSums] = (),
    ) -> "Beginning":
        """Take the ends of the histories before the origins, and of their groups."""
        taken, starts = origins.history()
        history = rows.frame.iloc[taken]
        values, undoing = design.transformed(history, starts)
        firsts = history.iloc[starts[:-1]]
        groups = [
            GroupTails.of(step, of_groups, firsts)
            for step, of_groups in zip(design.groups, sums, strict=True)
        ]
        tails = Tails.of(design.lags, values, starts)
        ahead = Rows.of(design.ahead(future))
        return cls(ahead, len(origins.stops), tails, tuple(groups), undoing)

    def at_step(self, step: int) -> dict[str, Any]:
        """Return the columns of a step, from 0."""
        begin, end = step * self.series, (step + 1) * self.series
        return {name: column[begin:end] for name, column in self.ahead.columns.items()}


@dataclass(frozen=True)
class Course:
    """The forecasts so far, on the scale that the model has learned.

    Attributes
    ----------
    outputs : tuple of (series, k) float64 arrays
        Of each step, the k predictions of the model, in rising order.
    points : (series, steps) float64 array
        The middle ones, on which later steps build.
    groups : tuple of (groups, steps) float64 arrays
        What the groups amount to; the latest step is not among them yet.
    """

    outputs: tuple[np.ndarray, ...]
    points: np.ndarray
    groups: tuple[np.ndarray, ...]

    @classmethod
    def begun(cls, beginning: Beginning) -> "Course":
        """Return a course of no steps."""
        groups = [np.empty((len(tails.hashes), 0)) for tails in beginning.groups]
        return cls((), np.empty((beginning.series, 0)), tuple(groups))


def next_step(
    design: Design,
    models: Sequence[Any],
    steps_per_model: int | None,
    beginning: Beginning,
    course: Course,
    sums: Sequence[GroupSums] | None = None,
) -> Course:
    """Forecast one more step.

    Parameters
    ----------
    design : Design
    models : sequence
        One, or one for each `steps_per_model` steps.
    steps_per_model : int or None
        None where one model makes all steps, each from the forecasts of the steps before.
    beginning : Beginning
    course : Course
    sums : sequence of GroupSums, optional
        Of the latest step, over all partitions; None before the first one.
    """
    step = len(course.outputs)
    groups = course.groups
    if sums is not None:
        kinds = zip(groups, design.groups, beginning.groups, sums, strict=True)
        groups = tuple(
            widened(before, tails.of_step(lags, latest)) for before, lags, tails, latest in kinds
        )
    number = 0 if steps_per_model is None else step // steps_per_model
    shift = 0 if steps_per_model is None else number * steps_per_model
    lagged = beginning.tails.features(design.lags, course.points, shift)
    columns = dict(zip(design.lags.get_feature_names_out(), lagged, strict=True))
    for lags, tails, before in zip(design.groups, beginning.groups, groups, strict=True):
        found = tails.features(lags, before, shift)
        columns |= dict(zip(lags.get_feature_names_out(), found, strict=True))
    if not beginning.series:
        return Course((*course.outputs, np.empty((0, 1))), np.empty((0, step + 1)), groups)
    latest = predicted(models[number], design.beside(beginning.at_step(step), columns))
    points = widened(course.points, latest[:, latest.shape[1] // 2])
    return Course((*course.outputs, latest), points, groups)


def sums_of_latest(beginning: Beginning, course: Course) -> list[GroupSums]:
    """Return what the series of a partition add to each group at the latest step."""
    return [tails.add_up(course.points[:, -1]) for tails in beginning.groups]


def undone(design: Design, beginning: Beginning, course: Course) -> np.ndarray:
    """Return forecasts on the scale of the values: a (series, horizon, k) array, k rising."""
    stacked = np.stack(course.outputs, axis=1)
    point = stacked.shape[2] // 2
    return np.sort(undo_all(design.transforms, stacked, beginning.undoing, point), axis=2)


def predicted(model: Any, features: pd.DataFrame) -> np.ndarray:
    """Return a model's predictions, one column or one for each quantile, in rising order."""
    found = np.asarray(model.predict(features), dtype=np.float64)
    return np.sort(found.reshape(len(features), -1), axis=1)
