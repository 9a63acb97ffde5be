"""`Design`: what a model sees of a panel, for training and for each step of a forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError
from dmlkit.features import FeatureSet, PanelLags
from dmlkit.features.panel_groups import GroupSums
from dmlkit.features.panel_series import SeriesRows
from dmlkit.features.rows import Rows
from dmlkit.forecasting.frequency import Frequency
from dmlkit.forecasting.groups import lagged_groups
from dmlkit.forecasting.origin import Origins
from dmlkit.forecasting.panel import SERIES, TIME, VALUE
from dmlkit.forecasting.transforms import TargetTransform, apply_all

__all__ = ["TARGET", "WEIGHT", "Design"]

TARGET, WEIGHT = "__target", "__weight"


@dataclass(frozen=True)
class Design:
    """Features, target transforms and weights of a forecaster: all that is not the model.

    Attributes
    ----------
    features : FeatureSet
        One `PanelLags` of the series' ``y``, others of groups of series, and steps that look at
        one row at a time.
    frequency : Frequency
    transforms : tuple of TargetTransform
    static : tuple of str
        Columns that a series keeps: in the future they are what they were.
    min_history : int
        Rows with fewer rows before them are not trained on.
    weight : str or None
        A column.
    half_life : float or None
        In rows: a row that is so much older counts half.
    """

    features: FeatureSet
    frequency: Frequency
    transforms: tuple[TargetTransform, ...] = ()
    static: tuple[str, ...] = ()
    min_history: int = 1
    weight: str | None = None
    half_life: float | None = None

    def __post_init__(self) -> None:
        lags = [step for step in self.features.steps if isinstance(step, PanelLags)]
        own = [step for step in lags if not step.by]
        if len(own) != 1 or any(step.value != VALUE for step in lags):
            raise ConfigurationError(
                f"A forecaster needs one step PanelLags of {VALUE!r} without `by` among its "
                f"features, and none of another column; there are {len(own)}."
            )
        others = [s for s in self.features.steps if hasattr(s, "history") and s not in lags]
        if others:
            raise ConfigurationError(
                f"A forecaster takes PanelLags and steps that look at one row; this one looks at "
                f"others: {others[0].explain()}."
            )
        leaking = [s for s in self.features.steps if s not in lags and VALUE in s.required_columns]
        if leaking:
            raise ConfigurationError(
                f"A feature reads {VALUE!r} of its own row, which is what is to be forecast: "
                f"{leaking[0].explain()}. Read a lag of it."
            )
        changing = [name for step in lags for name in step.by if name not in self.static]
        if changing:
            raise ConfigurationError(
                f"Lags of groups by {changing[0]!r}: name it in `static` too. A series stays in "
                "its group."
            )

    @cached_property
    def lags(self) -> PanelLags:
        """The lags of the value."""
        return next(s for s in self.features.steps if isinstance(s, PanelLags) and not s.by)

    @cached_property
    def groups(self) -> tuple[PanelLags, ...]:
        """The lags of groups of series."""
        return tuple(s for s in self.features.steps if isinstance(s, PanelLags) and s.by)

    @cached_property
    def names(self) -> list[str]:
        """The features, as the model has them."""
        return self.features.get_feature_names_out()

    @property
    def columns(self) -> list[str]:
        """The columns of the panel that are read."""
        weight = [self.weight] if self.weight else []
        return list(dict.fromkeys([SERIES, TIME, VALUE, *self.known, *self.static, *weight]))

    @property
    def weighted(self) -> bool:
        """Whether rows count differently in training."""
        return self.weight is not None or self.half_life is not None

    @property
    def known(self) -> list[str]:
        """The columns that must be known of the future."""
        given = {SERIES, TIME, VALUE, *self.static}
        return [name for name in self.features.required_columns if name not in given]

    def training_rows(
        self, rows: SeriesRows, origins: Origins, shift: int, sums: Sequence[GroupSums] = ()
    ) -> pd.DataFrame:
        """Return features, target and, where rows differ in it, weight of those before the origins.

        Parameters
        ----------
        rows : SeriesRows
        origins : Origins
        shift : int
            Rows that all lags are longer: a model for later steps sees no newer rows.
        sums : sequence of GroupSums
            One for each of `groups`.
        """
        taken, starts = origins.history()
        history = rows.frame.iloc[taken].reset_index(drop=True)
        target, _ = self.transformed(history, starts)
        lagged = self.lags.lagged(target, starts, shift=shift)
        place = np.arange(len(history)) - np.repeat(starts[:-1], np.diff(starts))
        used = np.isfinite(target) & (place >= self.min_history)
        names = self.lags.get_feature_names_out()
        columns = dict(zip(names, lagged[:, used], strict=True))
        columns |= lagged_groups(self, history, starts, used, sums, shift)
        seen = self.at_rows(history[used].reset_index(drop=True), columns)
        beside = {TARGET: target[used]}
        if self.weighted:
            beside[WEIGHT] = self._weights(history, starts)[used]
        return seen.assign(**beside)

    def transformed(
        self, history: pd.DataFrame, starts: np.ndarray
    ) -> tuple[np.ndarray, Sequence[Any]]:
        """Return the transformed values of a history, and what undoes the transforms."""
        values = history[VALUE].to_numpy(dtype=np.float64, na_value=np.nan)
        return apply_all(self.transforms, values, starts)

    def at_rows(self, rows: pd.DataFrame, lagged: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Return the features of rows whose lagged values are known."""
        ahead = self.ahead(rows)
        return self.beside(Rows.of(ahead).columns, lagged)

    def ahead(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return what features need that can be told of rows before their lags are known."""
        for step in self._row_steps[0]:
            rows = step.apply(rows, self.features.learned_ or {})
        own = {name for step in self._row_steps[0] for name in step.get_feature_names_out()}
        read = {name for step in self._row_steps[1] for name in step.required_columns}
        return rows[[name for name in rows if name in own | read]]

    def beside(self, ahead: Mapping[str, Any], lagged: Mapping[str, Any]) -> pd.DataFrame:
        """Return the features of rows from what `ahead` returned of them and lagged values."""
        frame = pd.DataFrame({**ahead, **lagged}, copy=False)
        for step in self._row_steps[1]:
            frame = step.apply(frame, self.features.learned_ or {})
        return frame[self.names]

    @cached_property
    def _row_steps(self) -> tuple[list[Any], list[Any]]:
        """The steps that look at one row: those that read no lags, and those that do."""
        made = {name for lags in (self.lags, *self.groups) for name in lags.get_feature_names_out()}
        early: list[Any] = []
        late: list[Any] = []
        for step in self.features.steps:
            if isinstance(step, PanelLags):
                continue
            if made.isdisjoint(step.required_columns):
                early.append(step)
            else:
                late.append(step)
                made |= set(step.get_feature_names_out())
        return early, late

    def _weights(self, history: pd.DataFrame, starts: np.ndarray) -> np.ndarray:
        weight = np.ones(len(history))
        if self.weight is not None:
            weight = history[self.weight].to_numpy(dtype=np.float64, na_value=0.0)
        if self.half_life is not None:
            age = np.repeat(starts[1:], np.diff(starts)) - 1 - np.arange(len(history))
            weight = weight * 0.5 ** (age / self.half_life)
        return weight
