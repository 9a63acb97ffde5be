"""`Forecaster`: one model for all series of a panel, trained and applied on a Dask cluster."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import dask.dataframe as dd
import numpy as np

from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.features import FeatureSet
from dmlkit.forecasting.backtest import cutoffs_of, interval_margins
from dmlkit.forecasting.design import Design
from dmlkit.forecasting.document import read, written
from dmlkit.forecasting.fitted import Fitted, forecast_lazily
from dmlkit.forecasting.frequency import Frequency
from dmlkit.forecasting.intervals import quantiles_of
from dmlkit.forecasting.origin import Cutoff
from dmlkit.forecasting.panel import Gaps
from dmlkit.forecasting.preparation import Prepared, prepare, with_future
from dmlkit.forecasting.shown import html_of_forecaster, in_words
from dmlkit.forecasting.training import fitted_models
from dmlkit.forecasting.transforms import TargetTransform

__all__ = ["Forecaster"]

#: What is written down of a forecaster as it is, beside its design.
PLAIN = ("season", "steps_per_model", "gaps", "common_end", "minimum")


class Forecaster:
    """Forecasts of many series from one model of their lags, calendar and attributes.

    Parameters
    ----------
    model : XGBRegressor or any regressor of scikit-learn
        The first is trained on the cluster; for any other, the training rows are brought to the
        client.
    frequency : str or int
        How far apart the rows of a series are, see `Frequency`.
    features : FeatureSet or sequence of steps
        A `PanelLags` of ``y``, others of it `by` groups of series, and steps that look at one row
        at a time. Columns that are read must be known of the future, unless they are `static`;
        those that name groups must be.
    transforms : sequence of TargetTransform
        What the model learns instead of ``y``, undone in forecasts.
    static : sequence of str
        Columns that never change within a series.
    season : int
        Rows of a season, for baselines and scales.
    steps_per_model : int, optional
        Without it, one model makes all steps, each from the forecasts of the steps before
        (recursive). With 1, each step has a model of its own that sees no forecasts (direct).
        In between, each so many steps have a model (direct-recursive): recursive within them.
    gaps : {"error", "missing", "zero"}
        Steps that a series has no row for, see `regular_panel`.
    common_end : bool
        All series are forecast from the last time of the panel on, and one that has no row there
        has ended. Otherwise each is forecast from its own last row on.
    minimum : float, optional
        No forecast is below it.
    min_history : int
        Rows with fewer rows before them are not trained on.
    weight : str, optional
        A column with the weight of a row in training.
    half_life : float, optional
        In rows: what is so much older weighs half in training.

    Attributes
    ----------
    models_ : tuple
        The fitted models: one, or one for each `steps_per_model` steps.
    margins_ : dict
        Of calibrated intervals: by level, a margin for each step.

    Notes
    -----
    With target transforms, a group amounts to the mean or sum of its series' transformed values; in
    forecasts, of those forecast for the step before. Series that have ended count up to their end.

    A row whose ``y`` is missing trains nothing, and windows leave it out. A new series is forecast
    from its first known value on. Values below 0 (returns) are kept as they are. Forecasts depend
    on the history alone, not on partitions: the same history gives the same bits.

    The names of columns, and much of how this is used, follow Nixtla's *mlforecast*.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from dmlkit import connect
    >>> from dmlkit.features import PanelLags
    >>> from dmlkit.forecasting import Forecaster
    >>> panel = pd.DataFrame({"unique_id": "a", "ds": range(12), "y": [1.0, 2.0, 3.0] * 4})
    >>> forecaster = Forecaster(LinearRegression(), 1, [PanelLags([3])], season=3, min_history=3)
    >>> with connect(workers=1, threads=1, memory="1GiB"):
    ...     forecaster.fit(panel).predict(2)[["unique_id", "ds", "yhat"]].round(6)
      unique_id  ds  yhat
    0         a  12   1.0
    1         a  13   2.0
    """

    def __init__(
        self,
        model: Any,
        frequency: str | int,
        features: FeatureSet | Sequence[Any],
        *,
        transforms: Sequence[TargetTransform] = (),
        static: Sequence[str] = (),
        season: int = 1,
        steps_per_model: int | None = None,
        gaps: Gaps = "error",
        common_end: bool = True,
        minimum: float | None = None,
        min_history: int = 1,
        weight: str | None = None,
        half_life: float | None = None,
    ) -> None:
        for name, number in (("season", season), ("steps_per_model", steps_per_model)):
            if number is not None and number < 1:
                raise ConfigurationError(f"{name} is {number}: write 1 or more.")
        self.model, self.season, self.gaps, self.minimum = model, season, gaps, minimum
        self.steps_per_model, self.common_end = steps_per_model, common_end
        self.design = Design(
            features if isinstance(features, FeatureSet) else FeatureSet(list(features)),
            Frequency(frequency),
            tuple(transforms),
            tuple(static),
            min_history,
            weight,
            half_life,
        )
        if self.design.groups and not common_end:
            raise ConfigurationError(
                "Lags of groups need common_end=True: where each series has an end of its own, a "
                "group would tell of days that lie ahead of one of them."
            )
        self.models_: tuple[Any, ...] = ()
        self.margins_: dict[float, Any] = {}
        self._panel: Prepared | None = None

    def __repr__(self) -> str:
        return f"<{in_words(self)}>"

    _repr_html_ = html_of_forecaster

    def fit(self, panel: Any, *, horizon: int | None = None) -> Self:
        """Train on all rows of a panel.

        Parameters
        ----------
        panel : dask or pandas DataFrame
            ``unique_id``, ``ds``, ``y`` and the columns that the features read.
        horizon : int, optional
            Steps that will be forecast; needed with `steps_per_model`, which has a model for each
            so many.

        Raises
        ------
        InputError
            The panel has gaps, a series has two rows at one time, or a column is wrong.
        """
        prepared = self._prepare(panel)
        self._fit(prepared, prepared.cutoff, horizon)
        self._panel = prepared
        return self

    def predict(self, horizon: int, history: Any = None, future: Any = None) -> Any:
        """Forecast the next steps of each series, lazily for a Dask panel.

        Parameters
        ----------
        horizon : int
        history : dask or pandas DataFrame, optional
            What the forecasts follow on; the panel of `fit` without it.
        future : dask or pandas DataFrame, optional
            ``unique_id``, ``ds`` and the columns that must be known, for each step. Such rows may
            also stand in the history, without ``y``.

        Returns
        -------
        DataFrame like the history
            ``unique_id``, ``ds``, ``step``, ``yhat``, then quantiles (``yhat_q10``) and bounds of
            calibrated intervals (``yhat_lo_80``, ``yhat_hi_80``). Series without a known value, and
            those that have ended, have no rows.
        """
        prepared = self._panel if history is None else self._prepare(history)
        if prepared is None:
            raise NotFittedError("Name the history to forecast from, or call fit first.")
        if future is not None:
            prepared = with_future(prepared, self.design, self.gaps, future)
        parts = self._forecasts(prepared, horizon, prepared.cutoff, judged=False)
        return parts.compute() if prepared.eager else parts

    def cross_validate(
        self,
        panel: Any,
        horizon: int,
        windows: int = 1,
        step: int | None = None,
        *,
        refit: bool = True,
    ) -> Any:
        """Forecast from origins in the past, each with a model that saw nothing later.

        Parameters
        ----------
        panel : dask or pandas DataFrame
        horizon : int
        windows : int
            Origins; the last one has `horizon` rows after it.
        step : int, optional
            Rows between two origins; `horizon` without it.
        refit : bool
            Train at each origin; otherwise at the first one only.

        Returns
        -------
        DataFrame like `panel`
            As from `predict`, with ``window`` (from 1), ``cutoff``, ``y``, the baselines
            ``seasonal_naive`` and ``naive2``, and the scales that errors are measured by (see
            `evaluate_forecasts`). The forecaster itself is not changed.
        """
        prepared = self._prepare(panel)
        found, model = [], None
        cutoffs = cutoffs_of(prepared.cutoff, horizon, windows, step or horizon)
        for window, cutoff in enumerate(cutoffs, start=1):
            if model is None or refit:
                model = self._copy()
                model._fit(prepared, cutoff, horizon)
            forecasts = model._forecasts(prepared, horizon, cutoff, judged=True)
            found.append(forecasts.assign(window=window))
        frame = dd.concat(found)
        return frame.compute() if prepared.eager else frame

    def calibrate(self, backtest: Any, levels: Sequence[float] = (80,)) -> Self:
        """Learn intervals from a backtest: how far off the forecasts of each step were.

        Parameters
        ----------
        backtest : dask or pandas DataFrame
            From `cross_validate`.
        levels : sequence of float
            Percent of values that are to lie inside.

        Notes
        -----
        Conformalised quantiles, a margin for each step in units of the series' own seasonal
        differences; around the forecast itself where the model has no quantiles.

        References
        ----------
        Romano, Patterson, Candes: *Conformalized Quantile Regression*. NeurIPS 2019.
        """
        self.margins_ = interval_margins(backtest, self.quantiles, levels)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return all but the models as JSON-able values: what was declared, learned, calibrated."""
        margins = {f"{level:g}": list(map(float, m)) for level, m in self.margins_.items()}
        plain = {name: getattr(self, name) for name in PLAIN}
        return written(self.design, {**plain, "margins": margins})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], models: Sequence[Any]) -> Self:
        """Make a fitted forecaster from what `to_dict` returned and its fitted models.

        Raises
        ------
        ConfigurationError
            The document is of a newer version.
        """
        arguments, margins = read(document)
        forecaster = cls(models[0], **arguments)
        forecaster.models_ = tuple(models)
        forecaster.margins_ = {float(level): np.array(margin) for level, margin in margins.items()}
        return forecaster

    def _copy(self) -> "Forecaster":
        other = object.__new__(Forecaster)
        other.__dict__ |= self.__dict__
        other.models_, other.margins_, other._panel = (), {}, None
        return other

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The quantiles that the model predicts; empty where it predicts one number."""
        return quantiles_of(self.model)

    def _prepare(self, panel: Any) -> Prepared:
        return prepare(panel, self.design, self.gaps, self.common_end)

    def _fit(self, prepared: Prepared, cutoff: Cutoff, horizon: int | None) -> None:
        if self.steps_per_model is not None and horizon is None:
            raise ConfigurationError(
                "steps_per_model needs the horizon when it is fitted: fit(panel, horizon=...)."
            )
        self.design, self.models_ = fitted_models(
            self.model, self.design, prepared, cutoff, horizon, self.steps_per_model
        )

    def _forecasts(self, prepared: Prepared, horizon: int, cutoff: Cutoff, *, judged: bool) -> Any:
        fitted = self._fitted()
        size = self.steps_per_model
        if size is not None and horizon > size * len(self.models_):
            raise InputError(
                f"The models were fitted for {size * len(self.models_)} steps, not {horizon}. Fit "
                f"with horizon={horizon}."
            )
        return forecast_lazily(fitted, prepared.frame, horizon, cutoff, judged=judged)

    def _fitted(self) -> Fitted:
        if not self.models_:
            raise NotFittedError("This Forecaster is not fitted yet: call fit first.")
        return Fitted(
            self.design,
            self.models_,
            self.steps_per_model,
            self.quantiles,
            self.season,
            self.minimum,
            self.margins_,
        )
