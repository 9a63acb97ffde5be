"""The settings of the demand job, each with its default and what it means."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmlkit import read_table
from dmlkit.boosting import XGBRegressor
from dmlkit.features import Calendar, Columns, FeatureSet, Holidays, PanelLags
from dmlkit.features.panel_groups import Aggregate
from dmlkit.forecasting import Forecaster, transform_from_dict
from dmlkit.forecasting.panel import Gaps
from dmlkit.tables import Column, Schema
from dmlkit.workflow import Settings, load_configuration

__all__ = ["DemandSettings", "column_kinds", "matching_preset"]

#: Of the generated sales: what is known ahead, and what never changes.
GENERATED_KNOWN, GENERATED_STATIC = ("price", "promotion"), ("item_id", "shop_id", "category")

#: What the model sees of the rows up to a lag, where nobody says otherwise.
ON_LAGS: dict[str, tuple[str, ...]] = {
    "1": ("rolling_mean:7", "rolling_mean:28", "rolling_std:28", "seasonal_rolling_mean:7:8"),
    "7": ("seasonal_rolling_mean:7:4",),
    "28": ("rolling_mean:28", "seasonal_rolling_mean:7:8", "expanding_mean"),
}


class ColumnNames(Settings):
    """What the table calls the columns that the job needs."""

    unique_id: str = "unique_id"
    ds: str = "ds"
    y: str = "y"
    #: 0 where nothing could be sold: such rows neither train nor judge.
    in_stock: str | None = None
    #: How much a row counts in training; one without counts nothing.
    weight: str | None = None

    def renamed(self, others: Iterable[str]) -> dict[str, str]:
        """Return the table's name of each column that is read."""
        named = {name: source for name, source in self.model_dump().items() if source is not None}
        return named | {name: name for name in others}


class Generate(Settings):
    """The sales that are made when no table is given."""

    items: int = Field(50, gt=0)
    shops: int = Field(3, gt=0)
    days: int = Field(450, gt=0)
    seed: int = Field(0, ge=0)


class Panel(Settings):
    """How series lie in time."""

    frequency: str | int = "1D"
    season: int = Field(7, gt=0)
    gaps: Gaps = "missing"
    common_end: bool = True
    minimum: float | None = 0.0


class Forecast(Settings):
    """How far ahead, and how wide."""

    horizon: int = Field(28, gt=0)
    #: Left out, one model makes all steps, each from the forecasts of those before (recursive).
    #: With 1, each step has a model of its own (direct); in between, each so many steps have one.
    steps_per_model: int | None = Field(None, gt=0)
    levels: tuple[float, ...] = (80.0,)


class Group(Settings):
    """What the model sees of all series that share the values of some static columns."""

    by: tuple[str, ...] = Field(min_length=1)
    aggregate: Aggregate = "mean"
    lags: tuple[int, ...] = ()
    on_lags: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def step(self, min_samples: int | None) -> PanelLags:
        """Return the feature step."""
        on_lags = {int(lag): texts for lag, texts in self.on_lags.items()}
        return PanelLags(
            self.lags, on_lags, min_samples=min_samples, by=self.by, aggregate=self.aggregate
        )


class Features(Settings):
    """What the model sees."""

    lags: tuple[int, ...] = (1, 7, 14, 21, 28)
    on_lags: dict[str, tuple[str, ...]] = ON_LAGS
    groups: tuple[Group, ...] = ()
    min_samples: int | None = 1
    min_history: int = Field(28, ge=0)
    #: In rows: what is so much older counts half in training.
    half_life: float | None = Field(None, gt=0)
    calendar: tuple[str, ...] = ("weekday", "day_of_month", "day_of_year")
    holidays: str | None = None
    #: Columns that are known of the future, and such as never change within a series. Left out:
    #: none, or those of the generated sales.
    known: tuple[str, ...] | None = None
    static: tuple[str, ...] | None = None
    categorical: tuple[str, ...] = ()

    def columns(self, generated: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the known and the static columns; what names a group is static."""
        known, static = self._seen(generated)
        named = [name for group in self.groups for name in group.by]
        return known, tuple(dict.fromkeys([*static, *named]))

    def steps(self, generated: bool) -> FeatureSet:
        """Return the feature steps."""
        on_lags = {int(lag): texts for lag, texts in self.on_lags.items()}
        steps: list[Any] = [PanelLags(self.lags, on_lags, min_samples=self.min_samples)]
        steps += [group.step(self.min_samples) for group in self.groups]
        if self.calendar:
            steps.append(Calendar("ds", self.calendar))
        if self.holidays is not None:
            steps.append(Holidays("ds", self.holidays))
        if columns := [name for part in self._seen(generated) for name in part]:
            categorical = [name for name in self.categorical if name in columns]
            steps.append(Columns(columns, categorical=categorical))
        return FeatureSet(steps)

    def _seen(self, generated: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the known and the static columns that are features themselves."""
        known, static = (GENERATED_KNOWN, GENERATED_STATIC) if generated else ((), ())
        return (
            known if self.known is None else self.known,
            static if self.static is None else self.static,
        )


class Model(BaseModel):
    """Parameters of `XGBRegressor`; any other of XGBoost's may be added."""

    model_config = ConfigDict(extra="allow", frozen=True)

    n_estimators: int = 100
    learning_rate: float = 0.1
    max_depth: int = 6
    objective: str = "reg:quantileerror"
    quantile_alpha: tuple[float, ...] | None = (0.1, 0.5, 0.9)
    subsample: float = 0.8
    colsample_bytree: float = 0.8
    min_child_weight: float = 5.0
    random_state: int = 0
    device: str = "auto"

    @model_validator(mode="after")
    def _parameters_are_known(self) -> "Model":
        self.regressor()
        return self

    def regressor(self) -> XGBRegressor:
        """Return the model; quantiles only with the objective that has them."""
        parameters = self.model_dump()
        alphas = parameters.pop("quantile_alpha")
        if alphas is not None and self.objective == "reg:quantileerror":
            parameters["quantile_alpha"] = list(alphas)
        return XGBRegressor(**parameters)


class Backtest(Settings):
    """Origins in the past; the last one judges, those before tell how wide intervals must be."""

    calibration_windows: int = Field(1, gt=0)
    step: int | None = Field(None, gt=0)
    refit: bool = True


class StockCosts(Settings):
    """What a unit costs that lies around, and one that is missed."""

    too_much: float = Field(1.0, gt=0)
    too_little: float = Field(3.0, gt=0)


class Validation(Settings):
    """How many bad rows the job bears."""

    max_bad_share: float = Field(0.01, ge=0, le=1)

    def schema_for(
        self, kinds: Mapping[str, str], known: Sequence[str], static: Sequence[str]
    ) -> Schema:
        """Return the schema of a panel whose columns have these types."""
        columns = [Column("unique_id", kinds["unique_id"]), Column("ds", kinds["ds"])]
        columns.append(Column("y", "float64", nullable=True))
        columns += [Column(name, kinds[name], nullable=True) for name in known]
        columns += [Column(name, kinds[name]) for name in static]
        if "in_stock" in kinds:
            columns.append(Column("in_stock", "float64", nullable=True))
        if "weight" in kinds:
            columns.append(Column("weight", "float64", nullable=True, minimum=0))
        return Schema(tuple(columns), unique=("unique_id", "ds"))


class Evaluation(Settings):
    """Published values, shown beside ours."""

    reference: dict[str, float] = Field(default_factory=dict)


class DemandSettings(Settings):
    """Settings of the workflow ``demand-forecasting``."""

    columns: ColumnNames = ColumnNames()
    generate: Generate = Generate()
    validation: Validation = Validation()
    panel: Panel = Panel()
    forecast: Forecast = Forecast()
    features: Features = Features()
    transforms: tuple[dict[str, Any], ...] = ({"kind": "log1p"},)
    model: Model = Model()
    backtest: Backtest = Backtest()
    costs: StockCosts = StockCosts()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _forecaster_can_be_made(self) -> "DemandSettings":
        self.forecaster(generated=False)
        return self

    def columns_read(self, generated: bool) -> dict[str, str]:
        """Return the table's name of each column that the job reads; generated ones have ours."""
        others = [name for part in self.features.columns(generated) for name in part]
        if generated:
            return {name: name for name in ("unique_id", "ds", "y", *others, "in_stock")}
        return self.columns.renamed(others)

    def forecaster(self, generated: bool) -> Forecaster:
        """Return the forecaster that the settings describe."""
        panel = self.panel
        return Forecaster(
            self.model.regressor(),
            panel.frequency,
            self.features.steps(generated),
            transforms=[transform_from_dict(each) for each in self.transforms],
            static=self.features.columns(generated)[1],
            season=panel.season,
            steps_per_model=self.forecast.steps_per_model,
            gaps=panel.gaps,
            common_end=panel.common_end,
            minimum=panel.minimum,
            min_history=self.features.min_history,
            weight="weight" if self.columns.weight and not generated else None,
            half_life=self.features.half_life,
        )


def column_kinds(table: Any) -> dict[str, str]:
    """Return the schema types of a table's columns: numbers as they are, times, or else text."""
    return {str(name): _kind_of(str(name), dtype) for name, dtype in table.dtypes.items()}


def _kind_of(name: str, dtype: Any) -> str:
    if name == "ds" and not pd.api.types.is_integer_dtype(dtype):
        return "datetime"
    if pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return "int64" if name in ("unique_id", "ds") else "float64"
    if pd.api.types.is_float_dtype(dtype):
        return "float64"
    return "string"


def matching_preset(path: str, presets: Iterable[Path]) -> Path | None:
    """Return the preset whose column names a table has, unless it has the default names."""
    there = set(read_table(path).columns)
    if {"unique_id", "ds", "y"} <= there:
        return None
    for preset in sorted(presets):
        names = load_configuration(DemandSettings, file=preset).columns
        if set(names.renamed(()).values()) <= there:
            return preset
    return None
