"""The settings of the fraud job, each with its default and what it means."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmlkit import read_table
from dmlkit.boosting import XGBClassifier
from dmlkit.features import FeatureSet, TimeWindows
from dmlkit.metrics import Costs
from dmlkit.model_selection import TimeSplit
from dmlkit.tables import Column, Schema
from dmlkit.workflow import Settings, load_configuration

__all__ = ["FraudSettings", "identifier_types", "matching_preset"]

IDENTIFIERS = ("transaction_id", "customer_id", "terminal_id")

#: Where nobody says otherwise: how much, when, and what was known of the card and the terminal.
FEATURES: list[dict[str, Any]] = [
    {"kind": "columns", "names": ["amount"]},
    {"kind": "calendar", "time": "time", "parts": ["weekend", "night"]},
    {
        "kind": "time_windows",
        "by": "customer_id",
        "time": "time",
        "windows": ["1d", "7d", "30d"],
        "aggregate": {"amount": ["count", "mean"]},
    },
    {
        "kind": "time_windows",
        "by": "terminal_id",
        "time": "time",
        "windows": ["1d", "7d", "30d"],
        "aggregate": {"fraud": ["count", "mean"]},
        "delay": "7d",
        "empty": 0.0,
    },
]


class ColumnNames(Settings):
    """What the table calls the columns that the job needs."""

    transaction_id: str = "transaction_id"
    time: str = "time"
    customer_id: str = "customer_id"
    terminal_id: str = "terminal_id"
    amount: str = "amount"
    fraud: str = "fraud"


class Generate(Settings):
    """The table that is made when none is given."""

    customers: int = Field(1500, gt=0)
    terminals: int = Field(3000, gt=0)
    days: int = Field(90, gt=0)
    seed: int = 0


class Validation(Settings):
    """What a good row is, and how many bad ones the job bears."""

    max_bad_share: float = Field(0.01, ge=0, le=1)
    minimum_amount: float = 0.0
    maximum_amount: float | None = None

    def schema_for(self, identifiers: Mapping[str, str]) -> Schema:
        """Return the schema of a table of transactions whose identifiers have these types."""
        columns = [Column(name, identifiers[name]) for name in IDENTIFIERS]
        amount = Column(
            "amount", "float64", minimum=self.minimum_amount, maximum=self.maximum_amount
        )
        label = Column("fraud", "int8", allowed=(0, 1))
        return Schema(
            (*columns, Column("time", "datetime"), amount, label),
            unique=("transaction_id",),
            time="time",
        )


class Split(Settings):
    """Which days train and which days judge; without a start, the last days of the table judge."""

    train_start: date | None = None
    train_days: int = Field(28, gt=0)
    validation_days: int = Field(7, ge=0)
    delay_days: int = Field(7, ge=0)
    test_days: int = Field(7, gt=0)
    drop_known_cards: bool = True

    def periods(self, first: str, last: str) -> TimeSplit:
        """Return the periods for a table that reaches from `first` to `last`."""
        lengths = self.model_dump(exclude={"train_start", "drop_known_cards"})
        if self.train_start is None:
            periods = TimeSplit.latest(pd.Timestamp(last), **lengths)
        else:
            periods = TimeSplit(self.train_start, **lengths)
        periods.check_covered(pd.Timestamp(first), pd.Timestamp(last))
        return periods


class Model(BaseModel):
    """Parameters of `XGBClassifier`; any other of XGBoost's may be added."""

    model_config = ConfigDict(extra="allow", frozen=True)

    n_estimators: int = 300
    learning_rate: float = 0.1
    max_depth: int = 4
    max_bin: int = 1024
    base_score: float = 0.5
    eval_metric: str = "aucpr"
    early_stopping_rounds: int | None = 30
    random_state: int = 0
    device: str = "auto"

    @model_validator(mode="after")
    def _parameters_are_known(self) -> "Model":
        XGBClassifier(**self.model_dump())
        return self

    def parameters(self, *, early_stopping: bool) -> dict[str, Any]:
        """Return the parameters; early stopping needs rows to watch."""
        changes = {} if early_stopping else {"early_stopping_rounds": None}
        return self.model_dump() | changes


class CostSettings(Settings):
    """Money: what a check costs, and what a missed fraud does (a sum, or the column with it)."""

    check: float = Field(10.0, ge=0)
    missed: float | str = "amount"

    def costs(self) -> Costs:
        """Return them as the metrics take them."""
        return Costs(check=self.check, missed=self.missed)


class Evaluation(Settings):
    """How the model is judged."""

    cards_checked_per_day: int = Field(100, gt=0)
    replicates: int = Field(200, ge=0)
    reference: dict[str, float] = Field(default_factory=dict)


class FraudSettings(Settings):
    """Settings of the workflow ``fraud-detection``."""

    columns: ColumnNames = ColumnNames()
    generate: Generate = Generate()
    validation: Validation = Validation()
    features: list[dict[str, Any]] = FEATURES
    split: Split = Split()
    model: Model = Model()
    costs: CostSettings = CostSettings()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _features_wait_for_labels(self) -> "FraudSettings":
        wait = pd.Timedelta(days=self.split.delay_days)
        for step in FeatureSet.from_dict({"steps": self.features}).steps:
            if "fraud" not in step.required_columns:
                continue
            if not isinstance(step, TimeWindows):
                raise ValueError(f"the label 'fraud' cannot be a feature: {step.explain()}")
            delay = pd.Timedelta(str(step.delay or "0s").replace("d", "D"))
            if delay < wait:
                raise ValueError(
                    f"a window over 'fraud' by {step.by!r} has the delay {delay}, but "
                    f"labels are known after split.delay_days = {self.split.delay_days} days"
                )
        return self


def matching_preset(path: str, presets: Iterable[Path]) -> Path | None:
    """Return the preset whose column names a table has, unless it has the default names."""
    there = set(read_table(path).columns)
    if set(ColumnNames().model_dump().values()) <= there:
        return None
    for preset in sorted(presets):
        names = load_configuration(FraudSettings, file=preset).columns
        if set(names.model_dump().values()) <= there:
            return preset
    return None


def identifier_types(table: Any) -> dict[str, str]:
    """Return the schema types of a table's identifiers: whole numbers, or else text.

    Floats are whole numbers some of which are missing: pandas writes them so. As text they would
    be "7.0", which no row has where none is missing.
    """
    return {
        name: "int64" if pd.api.types.is_any_real_numeric_dtype(table[name].dtype) else "string"
        for name in IDENTIFIERS
    }
